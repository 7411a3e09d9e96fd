"""The JSON of a notification."""

from messaging.models import Notification
from petplace.api import fields
from petplace.api.serializers import IdField, StrictModelSerializer, StrictSerializer


class NotificationSerializer(StrictModelSerializer):
    """`url` is the path of the page that it is about; `at` is when it was said."""

    id = IdField()
    at = fields.UtcDateTimeField(source="due_at", read_only=True)

    class Meta:
        model = Notification
        fields = ("id", "kind", "topic", "title", "body", "url", "at", "read_at")
        read_only_fields = fields


class ReadCountSerializer(StrictSerializer):
    read = fields.IntegerField(read_only=True, help_text="How many were not read before.")
