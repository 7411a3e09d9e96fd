"""The REST API, one include per app. The paths are a contract: add, rename nothing."""

from django.urls import include, path, re_path

from petplace.api import views

urlpatterns = [
    path("", include("accounts.api.urls")),
    path("", include("pets.api.urls")),
    path("", include("providers.api.urls")),
    path("", include("messaging.api.urls")),
    path("", include("payments.api.urls")),
    path("", include("bookings.api.urls")),
    path("", include("reviews.api.urls")),
    path("schema/", views.SchemaView.as_view(), name="api-schema"),
    path("docs/", views.DocsView.as_view(), name="api-docs"),
    re_path(r"^", views.not_found, name="api-not-found"),
]
