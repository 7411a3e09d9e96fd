"""Who you are, your team, your papers."""

from typing import Any

from django import forms

from petplace.uploads import DocumentField, PhotoField
from providers.choices import AppointmentPolicy, DocumentKind, MembershipRole, ProviderKind, StayPolicy
from providers.domain import places
from providers.forms.base import DomainForm, Group, RateField
from providers.models import Branch, Resource
from providers.models.provider import MAX_TAX_RATE_BP


def currency_choices() -> list[tuple[str, str]]:
    return [(code, code) for code in sorted(places.currencies())]


class ApplyForm(DomainForm):
    """The first step of an application."""

    name = forms.CharField(
        max_length=120,
        label="Name of your business",
        help_text="What pet owners see. Your own name is fine when you work alone.",
    )
    kind = forms.ChoiceField(choices=ProviderKind, label="What you do", widget=forms.RadioSelect)
    bio = forms.CharField(
        max_length=4000,
        required=False,
        label="About you",
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="Your experience, the animals you know well, how a visit goes. You can write it later.",
    )
    currency = forms.ChoiceField(label="Currency of your prices", help_text="It is fixed once you sell a service.")

    groups: tuple[Group, ...] = (
        Group("Who you are", ("name", "kind", "bio", "currency"), wide=("name", "kind", "bio")),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["currency"].choices = currency_choices()  # type: ignore[attr-defined]
        self.initial.setdefault("currency", "EUR")
        self.initial.setdefault("kind", ProviderKind.SITTER)


class ProfileForm(ApplyForm):
    """The profile of a provider that exists."""

    cancellation_policy = forms.ChoiceField(
        choices=StayPolicy,
        label="Walks, visits and stays can be cancelled without cost until",
        help_text="12:00 noon, your time, that many days before the start. After it half of the first seven days "
        "is given back, and all of later ones.",
    )
    appointment_policy = forms.ChoiceField(
        choices=AppointmentPolicy,
        label="Fees for appointments",
        help_text="Grooming, training and clinic: what a cancellation within 24 hours / not coming costs.",
    )
    avatar = PhotoField(required=False, label="Picture or logo")
    tax_rate_bp = RateField(
        max_bp=MAX_TAX_RATE_BP, required=False, label="Tax rate (%)", help_text="0 when you charge no tax."
    )
    is_tax_inclusive = forms.TypedChoiceField(
        choices=(("True", "My prices contain the tax"), ("False", "The tax is added to my prices")),
        coerce=lambda value: value == "True",
        required=False,
        label="Your prices and the tax",
        help_text="Owners see the whole amount from the first list on, either way.",
    )
    tax_id = forms.CharField(max_length=40, required=False, label="Tax number", help_text="Stands on your invoices.")

    groups = (
        Group("Who you are", ("avatar", "name", "kind", "bio"), wide=("avatar", "name", "kind", "bio")),
        Group(
            "Money and taxes",
            ("currency", "tax_rate_bp", "is_tax_inclusive", "tax_id"),
            "A booking keeps the price and the tax that it was made with.",
        ),
        Group(
            "When plans change",
            ("cancellation_policy", "appointment_policy"),
            "Owners see these terms before they book. A booking keeps the terms that it was made with.",
        ),
    )

    def __init__(self, *args: Any, is_currency_fixed: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_currency_fixed:
            self.fields["currency"].disabled = True
            self.fields["currency"].help_text = "Fixed, because services have prices in it."

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("is_tax_inclusive") == "":
            del data["is_tax_inclusive"]
        return data


class PhotoForm(DomainForm):
    image = PhotoField(label="Photo")
    caption = forms.CharField(
        max_length=120, required=False, help_text="What it shows, also for people who cannot see it."
    )


class DocumentForm(DomainForm):
    kind = forms.ChoiceField(choices=DocumentKind, label="What it is")
    file = DocumentField(label="File")
    valid_until = forms.DateField(
        required=False, label="Valid until", widget=forms.DateInput(attrs={"type": "date"}), help_text="If it runs out."
    )
    resource = forms.ModelChoiceField(
        Resource.objects.none(),
        required=False,
        to_field_name="uid",
        label="Whose it is",
        empty_label="The business",
        help_text="Certificates of people who work with you carry their name.",
    )
    note = forms.CharField(max_length=300, required=False, label="Note for the reviewers")

    groups = (Group("Hand in a document", ("kind", "resource", "file", "valid_until", "note"), wide=("note",)),)

    def __init__(self, *args: Any, people: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["resource"].queryset = people  # type: ignore[attr-defined]


class MemberForm(DomainForm):
    """Add a person; with a branch also as somebody who can be booked."""

    email = forms.EmailField(
        label="E-mail address", help_text="The person needs a Pet Place account with this address."
    )
    role = forms.ChoiceField(
        choices=MembershipRole,
        initial=MembershipRole.STAFF,
        help_text="Staff see the calendar, work on bookings and set their own hours. Managers change everything.",
    )
    branch = forms.ModelChoiceField(
        Branch.objects.none(),
        required=False,
        to_field_name="uid",
        label="Can be booked at",
        empty_label="Cannot be booked",
        help_text="Makes the person bookable at that branch, with hours of their own.",
    )

    groups = (Group("Add a person", ("email", "role", "branch"), wide=("email",)),)

    def __init__(self, *args: Any, branches: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["branch"].queryset = branches  # type: ignore[attr-defined]


class RoleForm(DomainForm):
    role = forms.ChoiceField(choices=MembershipRole)
