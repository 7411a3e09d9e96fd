"""Paths of the REST API under `/api/v1/`."""

from typing import Any

from django.urls import URLPattern, URLResolver, path

from pets.api import views

LIST: Any = {"get": "list", "post": "create"}
DETAIL: Any = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}

urlpatterns: list[URLPattern | URLResolver] = [
    path("pets/", views.PetViewSet.as_view(LIST), name="api-pets"),
    path("pets/<uuid:id>/", views.PetViewSet.as_view(DETAIL), name="api-pet"),
    path("pets/<uuid:id>/archive/", views.PetViewSet.as_view({"post": "archive"}), name="api-pet-archive"),
    path("pets/<uuid:id>/restore/", views.PetViewSet.as_view({"post": "restore"}), name="api-pet-restore"),
    path("pets/<uuid:id>/photo/", views.PhotoView.as_view(), name="api-pet-photo"),
    path("pets/<uuid:pet_id>/vaccinations/", views.VaccinationViewSet.as_view(LIST), name="api-pet-vaccinations"),
    path(
        "pets/<uuid:pet_id>/vaccinations/<uuid:id>/",
        views.VaccinationViewSet.as_view(DETAIL),
        name="api-pet-vaccination",
    ),
    path(
        "pets/<uuid:pet_id>/vaccinations/<uuid:id>/document/",
        views.VaccinationDocumentView.as_view(),
        name="api-pet-vaccination-document",
    ),
    path("pets/<uuid:pet_id>/care-records/", views.CareRecordViewSet.as_view(LIST), name="api-pet-care-records"),
    path(
        "pets/<uuid:pet_id>/care-records/<uuid:id>/",
        views.CareRecordViewSet.as_view(DETAIL),
        name="api-pet-care-record",
    ),
    path(
        "pets/<uuid:pet_id>/care-records/<uuid:id>/attachment/",
        views.CareRecordAttachmentView.as_view(),
        name="api-pet-care-record-attachment",
    ),
]
