"""The JSON of a pet and its passport."""

from typing import Any

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from petplace.api import fields
from petplace.api.serializers import IdField, StrictModelSerializer
from pets.models import CareRecord, Pet, Vaccination

NOTES = ("temperament", "feeding_notes", "medication_notes", "notes")


@extend_schema_field(OpenApiTypes.STR)
class FilePathField(serializers.Field):
    """The path at which the caller finds a private file, or null. The file is changed by PUT there."""

    def __init__(self, route: str, *arguments: str) -> None:
        self.route, self.arguments = route, arguments
        super().__init__(source="*", read_only=True, allow_null=True)

    def to_representation(self, row: Any) -> str | None:
        if not getattr(row, str(self.field_name)):
            return None
        return reverse(self.route, args=[row.pet.uid, row.uid] if self.arguments else [row.uid])


class PetSerializer(StrictModelSerializer):
    id = IdField()
    photo = FilePathField("api-pet-photo")
    is_archived = fields.BooleanField(read_only=True)

    class Meta:
        model = Pet
        fields = (
            "id", "name", "species", "breed", "sex", "birth_date", "weight_kg", "microchip", *NOTES, "vet_name",
            "vet_phone", "photo", "is_archived", "created_at",
        )  # fmt: skip
        read_only_fields = ("created_at",)


class VaccinationSerializer(StrictModelSerializer):
    id = IdField()
    document = FilePathField("api-pet-vaccination-document", "pet")

    class Meta:
        model = Vaccination
        fields = ("id", "vaccine", "given_on", "valid_until", "document", "created_at")
        read_only_fields = ("created_at",)


class CareRecordSerializer(StrictModelSerializer):
    id = IdField()
    attachment = FilePathField("api-pet-care-record-attachment", "pet")

    class Meta:
        model = CareRecord
        fields = ("id", "kind", "on", "note", "attachment", "created_at")
        read_only_fields = ("created_at",)


class FileSerializer(serializers.Serializer):
    """A file as `multipart/form-data`."""

    file = serializers.FileField(allow_empty_file=False)
