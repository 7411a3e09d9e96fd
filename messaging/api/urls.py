"""Paths of the REST API under `/api/v1/`."""

from django.urls import URLPattern, URLResolver, path

from messaging.api.views import NotificationViewSet

urlpatterns: list[URLPattern | URLResolver] = [
    path("notifications/", NotificationViewSet.as_view({"get": "list"}), name="api-notifications"),
    path(
        "notifications/read-all/", NotificationViewSet.as_view({"post": "read_all"}), name="api-notifications-read-all"
    ),
    path("notifications/<uuid:id>/", NotificationViewSet.as_view({"get": "retrieve"}), name="api-notification"),
    path("notifications/<uuid:id>/read/", NotificationViewSet.as_view({"post": "read"}), name="api-notification-read"),
]
