"""Forms of a pet and its passport."""

from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import HTML, Div, Field, Fieldset, Layout
from django import forms

from petplace.uploads import DocumentField, PhotoField
from pets.domain import PET_FIELDS, RECORD_FIELDS, VACCINATION_FIELDS
from pets.models import CareRecord, Pet, Vaccination


def _date_input() -> forms.DateInput:
    return forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


def _text(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows})


class DomainForm(forms.ModelForm):
    """Cleans input; saving is the domain's."""

    allowed: frozenset[str] = frozenset()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.layout = self.layout()

    def layout(self) -> Layout:
        raise NotImplementedError

    def _post_clean(self) -> None:
        """Leave the instance alone: the domain checks the row as a whole and says in words what is wrong."""

    def values(self) -> dict[str, Any]:
        """Return what the domain takes, without files."""
        return {name: value for name, value in self.cleaned_data.items() if name in self.allowed}

    def refuse(self, fields: dict[str, list[str]], message: str) -> None:
        """Show what the domain found wrong beside its fields."""
        if not fields:
            self.add_error(None, message)
        for name, messages in fields.items():
            for text in messages:
                self.add_error(name if name in self.fields else None, text)


class PetForm(DomainForm):
    allowed = PET_FIELDS
    photo = PhotoField(required=False)
    remove_photo = forms.BooleanField(required=False, label="Take the photo away")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.photo:
            del self.fields["remove_photo"]

    def layout(self) -> Layout:
        photo = ["photo", "remove_photo"] if self.instance.photo else ["photo"]
        return Layout(
            Fieldset(
                "Who is it?",
                Div(
                    Field("name"), Field("species"), Field("breed"), Field("sex"), Field("birth_date"),
                    Field("weight_kg", step="0.01", min="0.01"), Div(*photo, css_class="wide"), css_class="form-grid",
                ),
            ),
            Fieldset(
                "What should a sitter know?",
                HTML('<p class="form-text">Providers read this once a visit is confirmed, nobody else.</p>'),
                "temperament", "feeding_notes", "medication_notes", "notes",
            ),
            Fieldset(
                "Vet and microchip",
                Div(Field("vet_name"), Field("vet_phone"), Div("microchip", css_class="wide"), css_class="form-grid"),
            ),
        )  # fmt: skip

    class Meta:
        model = Pet
        fields = sorted(PET_FIELDS)
        widgets = {
            "birth_date": _date_input(),
            "temperament": _text(2),
            "feeding_notes": _text(2),
            "medication_notes": _text(2),
            "notes": _text(3),
        }
        labels = {
            "birth_date": "Born on",
            "weight_kg": "Weight in kg",
            "feeding_notes": "Feeding",
            "medication_notes": "Medication",
            "notes": "Anything else",
            "vet_name": "Vet",
            "vet_phone": "Phone of the vet",
            "microchip": "Microchip number",
        }
        help_texts = {
            "weight_kg": "Some services take pets up to a weight.",
            "birth_date": "About is fine.",
            "temperament": "With people, with other animals, on the lead.",
        }


class VaccinationForm(DomainForm):
    allowed = VACCINATION_FIELDS
    document = DocumentField(required=False, label="Page of the passport")

    def layout(self) -> Layout:
        return Layout("vaccine", Div(Field("given_on"), Field("valid_until"), css_class="form-grid"), "document")

    class Meta:
        model = Vaccination
        fields = sorted(VACCINATION_FIELDS)
        widgets = {"given_on": _date_input(), "valid_until": _date_input()}
        labels = {"given_on": "Given on", "valid_until": "Valid until"}


class CareRecordForm(DomainForm):
    allowed = RECORD_FIELDS
    attachment = DocumentField(required=False)

    def layout(self) -> Layout:
        return Layout(Div(Field("kind"), Field("on"), css_class="form-grid"), "note", "attachment")

    class Meta:
        model = CareRecord
        fields = sorted(RECORD_FIELDS)
        widgets = {"on": _date_input(), "note": _text(4)}
        labels = {"on": "Day", "note": "What happened"}
