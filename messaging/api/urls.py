"""Paths of the REST API under `/api/v1/`."""

from django.urls import URLPattern, URLResolver, path

from messaging.api import devices, preferences, webhooks
from messaging.api.live import EventStreamView
from messaging.api.views import NotificationViewSet

urlpatterns: list[URLPattern | URLResolver] = [
    path("events/", EventStreamView.as_view(), name="api-events"),
    path("notifications/", NotificationViewSet.as_view({"get": "list"}), name="api-notifications"),
    path(
        "notifications/read-all/", NotificationViewSet.as_view({"post": "read_all"}), name="api-notifications-read-all"
    ),
    path("notifications/<uuid:id>/", NotificationViewSet.as_view({"get": "retrieve"}), name="api-notification"),
    path("notifications/<uuid:id>/read/", NotificationViewSet.as_view({"post": "read"}), name="api-notification-read"),
    path("notification-preferences/", preferences.PreferencesView.as_view(), name="api-notification-preferences"),
    path("devices/", devices.DeviceViewSet.as_view({"get": "list", "post": "create"}), name="api-devices"),
    path("devices/push-key/", devices.PushKeyView.as_view(), name="api-push-key"),
    path(
        "devices/<uuid:id>/", devices.DeviceViewSet.as_view({"get": "retrieve", "delete": "destroy"}), name="api-device"
    ),
    path("webhooks/twilio/", webhooks.twilio, name="api-webhook-twilio"),
    path("webhooks/sendgrid/", webhooks.sendgrid, name="api-webhook-sendgrid"),
]
