"""The JSON of a review."""

from rest_framework import serializers

from petplace.api import fields
from petplace.api.serializers import IdField, StrictModelSerializer, StrictSerializer
from reviews.domain import TEXT_LENGTH
from reviews.models import Review


class ReviewSerializer(StrictModelSerializer):
    """What everyone may read: the author by first name only."""

    id = IdField()
    author = serializers.CharField(source="author_name", read_only=True)
    service = serializers.CharField(source="booking.service.name", read_only=True)
    created_at = fields.UtcDateTimeField(read_only=True)

    class Meta:
        model = Review
        fields = ("id", "rating", "text", "author", "service", "created_at")
        read_only_fields = fields


class ReviewInputSerializer(StrictSerializer):
    rating = fields.IntegerField(min_value=1, max_value=5)
    text = fields.TextField(max_length=TEXT_LENGTH, allow_blank=True, default="")
