"""The REST API, one include per app. The paths are a contract: add, rename nothing."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny

urlpatterns = [
    path("", include("accounts.api.urls")),
    path("", include("pets.api.urls")),
    path("", include("providers.api.urls")),
    path("", include("messaging.api.urls")),
    path("", include("payments.api.urls")),
    path("", include("bookings.api.urls")),
    path("", include("reviews.api.urls")),
    path("schema/", SpectacularAPIView.as_view(permission_classes=[AllowAny]), name="api-schema"),
    path(
        "docs/",
        SpectacularSwaggerSplitView.as_view(url_name="api-schema", permission_classes=[AllowAny]),
        name="api-docs",
    ),
]
