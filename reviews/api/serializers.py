"""The JSON of reviews, replies and objections."""

from rest_framework import serializers

from petplace.api import fields
from petplace.api.serializers import IdField, StrictModelSerializer, StrictSerializer
from reviews.choices import Decision, FlagReason, FlagTarget
from reviews.domain import TEXT_LENGTH, moderation, replies
from reviews.models import Flag, LateCancellation, Reply, Review


class ReplySerializer(StrictModelSerializer):
    author = serializers.CharField(source="review.provider.name", read_only=True)
    made_at = fields.UtcDateTimeField(read_only=True)

    class Meta:
        model = Reply
        fields = ("text", "author", "made_at")
        read_only_fields = fields


class ReviewSerializer(StrictModelSerializer):
    """What its readers may know: an owner by first name only. ``published_at`` is null while it is sealed."""

    id = IdField()
    aspects = serializers.DictField(child=serializers.IntegerField(min_value=1, max_value=5), read_only=True)
    author = serializers.CharField(source="author_name", read_only=True)
    service = serializers.CharField(source="booking.service.name", read_only=True)
    created_at = fields.UtcDateTimeField(read_only=True)
    published_at = fields.UtcDateTimeField(read_only=True, allow_null=True)
    reply = ReplySerializer(source="shown_reply", read_only=True, allow_null=True)

    class Meta:
        model = Review
        fields = (
            "id", "side", "rating", "aspects", "text", "author", "service", "created_at", "published_at", "reply",
        )  # fmt: skip
        read_only_fields = fields


class ReviewInputSerializer(StrictSerializer):
    rating = fields.IntegerField(min_value=1, max_value=5)
    aspects = serializers.DictField(
        child=fields.IntegerField(min_value=1, max_value=5),
        required=False,
        help_text="Stars by aspect. Owners: `care`, `communication`, `punctuality`, `value`; "
        "providers: `communication`, `pet_as_described`, `punctuality`.",
    )
    text = fields.TextField(max_length=TEXT_LENGTH, allow_blank=True, default="")


class ReplyInputSerializer(StrictSerializer):
    text = fields.TextField(max_length=replies.TEXT_LENGTH)


class FlagInputSerializer(StrictSerializer):
    reason = fields.ChoiceField(choices=FlagReason.choices)
    note = fields.TextField(max_length=moderation.TEXT_LENGTH, allow_blank=True, default="")
    target = fields.ChoiceField(choices=FlagTarget.choices, default=FlagTarget.REVIEW.value)


class FlagSerializer(StrictModelSerializer):
    """What became of an objection: ``decision`` is empty until staff has looked."""

    id = IdField()
    decision = fields.ChoiceField(choices=Decision.choices, allow_blank=True, read_only=True)
    made_at = fields.UtcDateTimeField(read_only=True)

    class Meta:
        model = Flag
        fields = ("id", "target", "reason", "note", "decision", "answer", "made_at")
        read_only_fields = fields


class LateCancellationSerializer(StrictModelSerializer):
    """Days are those of the calendar at the place; -1 is after the start."""

    id = IdField()
    cancelled_at = fields.UtcDateTimeField(read_only=True)
    text = serializers.CharField(read_only=True)

    class Meta:
        model = LateCancellation
        fields = ("id", "days_before", "text", "cancelled_at")
        read_only_fields = fields
