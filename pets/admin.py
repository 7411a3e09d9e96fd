"""Staff screens: pets are read here, their owners write them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from pets.models import CareRecord, Pet, Vaccination


class ReadOnly:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _file_link(name: str, url: str) -> str:
    return format_html('<a href="{}">{}</a>', url, name)


class VaccinationInline(ReadOnly, admin.TabularInline):
    model = Vaccination
    fields = ("vaccine", "given_on", "valid_until", "paper")
    readonly_fields = ("paper",)

    @admin.display(description="document")
    def paper(self, row: Vaccination) -> str:
        return _file_link("Page", reverse("pets:document", args=[row.pet.uid, row.uid])) if row.document else "-"


class CareRecordInline(ReadOnly, admin.TabularInline):
    model = CareRecord
    fields = ("on", "kind", "note", "recorded_by", "paper")
    readonly_fields = ("paper",)

    @admin.display(description="attachment")
    def paper(self, row: CareRecord) -> str:
        return _file_link("Paper", reverse("pets:attachment", args=[row.pet.uid, row.uid])) if row.attachment else "-"


@admin.register(Pet)
class PetAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("name", "species", "breed", "owner", "weight_kg", "archived_at")
    list_filter = ("species", ("archived_at", admin.EmptyFieldListFilter))
    list_select_related = ("owner",)
    search_fields = ("name", "breed", "microchip", "owner__email")
    inlines = [VaccinationInline, CareRecordInline]
    fields = (
        "owner", "name", "species", "breed", "sex", "birth_date", "weight_kg", "microchip", "photo_link",
        "temperament", "feeding_notes", "medication_notes", "notes", "vet_name", "vet_phone", "archived_at",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description="photo")
    def photo_link(self, pet: Pet) -> str:
        return _file_link("Photo", reverse("pets:photo", args=[pet.uid])) if pet.photo else "-"
