"""Paths of the REST API under `/api/v1/`."""

from django.urls import URLPattern, URLResolver, include, path
from rest_framework.routers import SimpleRouter

from providers.api import hours, views

UNDER = "providers/<uuid:provider_id>"
router = SimpleRouter(use_regex_path=False)
router.register("providers", views.ProviderViewSet, basename="provider")
router.register(f"{UNDER}/branches", views.BranchViewSet, basename="branch")
router.register(f"{UNDER}/resources", views.ResourceViewSet, basename="resource")
router.register(f"{UNDER}/services", views.ServiceViewSet, basename="provider-service")
router.register(f"{UNDER}/members", views.MemberViewSet, basename="member")
router.register(f"{UNDER}/documents", views.DocumentViewSet, basename="document")
router.register(f"{UNDER}/photos", views.PhotoViewSet, basename="provider-photo")
router.register(f"{UNDER}/events", views.EventViewSet, basename="provider-event")
router.register("resources/<uuid:resource_id>/time-off", hours.TimeOffViewSet, basename="time-off")
router.register("me/providers", views.OwnProviderViewSet, basename="own-provider")
router.register("applications", views.WaitingViewSet, basename="application")

overrides = hours.OverrideViewSet
urlpatterns: list[URLPattern | URLResolver] = [
    path("", include(router.urls)),
    path(f"{UNDER}/avatar/", views.AvatarViewSet.as_view({"put": "update", "delete": "destroy"}), name="avatar"),
    path("resources/<uuid:id>/availability/", hours.AvailabilityView.as_view(), name="availability"),
    path(
        "resources/<uuid:resource_id>/overrides/",
        overrides.as_view({"get": "list", "post": "create"}),
        name="override-list",
    ),
    path(
        "resources/<uuid:resource_id>/overrides/<str:date>/",
        overrides.as_view({"delete": "destroy"}),
        name="override-detail",
    ),
    path("services/<uuid:id>/", hours.ServiceView.as_view(), name="service-detail"),
]
