"""The JSON of a notification."""

from messaging.choices import OUTSIDE
from messaging.models import ContactSettings, Notification
from petplace.api import fields
from petplace.api.serializers import IdField, StrictModelSerializer, StrictSerializer


class NotificationSerializer(StrictModelSerializer):
    """`url` is the path of the page that it is about; `at` is when it was said; `count`: how many it stands for."""

    id = IdField()
    at = fields.UtcDateTimeField(source="due_at", read_only=True)

    class Meta:
        model = Notification
        fields = ("id", "kind", "topic", "title", "body", "url", "count", "at", "read_at")
        read_only_fields = fields


class ReadCountSerializer(StrictSerializer):
    read = fields.IntegerField(read_only=True, help_text="How many were not read before.")


class SwitchSerializer(StrictSerializer):
    """One kind of notification on one channel."""

    kind = fields.LineField(max_length=60)
    channel = fields.ChoiceField(choices=[(channel.value, channel.label) for channel in OUTSIDE])
    is_on = fields.BooleanField()


class ChannelSwitchSerializer(StrictSerializer):
    channel = fields.ChoiceField(choices=[(channel.value, channel.label) for channel in OUTSIDE], read_only=True)
    is_on = fields.BooleanField(read_only=True)
    can_switch = fields.BooleanField(read_only=True)


class KindSerializer(StrictSerializer):
    kind = fields.LineField(source="name", read_only=True)
    label = fields.LineField(read_only=True)  # type: ignore[assignment] # the name of a member, as in the document
    group = fields.LineField(read_only=True)
    urgency = fields.LineField(read_only=True, help_text="`urgent` comes in quiet hours, too.")
    channels = ChannelSwitchSerializer(many=True, read_only=True)


class PreferencesSerializer(StrictModelSerializer):
    """Quiet hours are on the person's clock (`time_zone` of the account); the same time twice means none.

    `switches` changes only what it names. `texts_are_on` needs a phone number in the profile.
    """

    switches = SwitchSerializer(many=True, write_only=True, required=False)
    kinds = KindSerializer(many=True, read_only=True)

    class Meta:
        model = ContactSettings
        fields = (
            "quiet_is_on", "quiet_from", "quiet_to", "texts_are_on", "phone_state", "email_bounced_at",
            "email_bounce_reason", "switches", "kinds",
        )  # fmt: skip
        read_only_fields = ("phone_state", "email_bounced_at", "email_bounce_reason")
