"""Paths of the REST API under `/api/v1/`."""

from django.urls import URLPattern, URLResolver, path

from messaging.api import devices, preferences, talks, webhooks
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
    path(
        "conversations/",
        talks.ConversationViewSet.as_view({"get": "list", "post": "create"}),
        name="api-conversations",
    ),
    path("conversations/<uuid:id>/", talks.ConversationViewSet.as_view({"get": "retrieve"}), name="api-conversation"),
    path(
        "conversations/<uuid:id>/read/",
        talks.ConversationViewSet.as_view({"post": "read"}),
        name="api-conversation-read",
    ),
    path(
        "conversations/<uuid:id>/delivered/",
        talks.ConversationViewSet.as_view({"post": "delivered"}),
        name="api-conversation-delivered",
    ),
    path(
        "conversations/<uuid:id>/report/",
        talks.ConversationViewSet.as_view({"post": "report"}),
        name="api-conversation-report",
    ),
    path(
        "conversations/<uuid:id>/block/",
        talks.ConversationViewSet.as_view({"post": "block", "delete": "unblock"}),
        name="api-conversation-block",
    ),
    path(
        "conversations/<uuid:conversation>/messages/",
        talks.MessageViewSet.as_view({"get": "list", "post": "create"}),
        name="api-messages",
    ),
    path(
        "conversations/<uuid:conversation>/photos/",
        talks.PhotoUploadViewSet.as_view({"post": "create_photo"}),
        name="api-message-photos",
    ),
    path(
        "conversations/<uuid:conversation>/messages/<uuid:id>/photo/",
        talks.MessageViewSet.as_view({"get": "photo"}),
        name="api-message-photo",
    ),
    path(
        "providers/<uuid:provider>/quick-replies/",
        talks.QuickReplyViewSet.as_view({"get": "list", "post": "create"}),
        name="api-quick-replies",
    ),
    path(
        "providers/<uuid:provider>/quick-replies/<uuid:id>/",
        talks.QuickReplyViewSet.as_view({"patch": "partial_update", "delete": "destroy"}),
        name="api-quick-reply",
    ),
    path("webhooks/twilio/", webhooks.twilio, name="api-webhook-twilio"),
    path("webhooks/sendgrid/", webhooks.sendgrid, name="api-webhook-sendgrid"),
]
