"""What is sold."""

from typing import Any

from django import forms
from django.conf import settings

from petplace.money import format_money
from pets.choices import Species, Vaccine
from providers.choices import PaymentPolicy, ResourceKind, ServiceKind
from providers.domain.services import MAX_ADDONS
from providers.forms.base import CheckboxChoices, DomainForm, Group, MoneyField
from providers.models import Branch, Provider, Service

ADDON_ROWS = 3  # empty ones after those that are there
# What the first service of an application does not ask: the defaults are good.
SIMPLE_WITHOUT = (
    "needs",
    "required_vaccines",
    "slot_step_minutes",
    "is_active",
    "buffer_before_minutes",
    "buffer_after_minutes",
)
LENGTHS = (
    ("timed", "A visit of a certain length"),
    ("overnight", "Overnight, from check-in to check-out"),
)


class ServiceForm(DomainForm):
    """All of a service, in groups: what owners read first stands first."""

    branch = forms.ModelChoiceField(Branch.objects.none(), to_field_name="uid", empty_label=None, label="Where")
    kind = forms.ChoiceField(choices=ServiceKind, label="Kind of care")
    name = forms.CharField(max_length=120, help_text='Short and clear: "Walk in the park, 45 minutes".')
    description = forms.CharField(
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What happens, what to bring.",
    )
    length = forms.ChoiceField(choices=LENGTHS, label="How long it is", initial="timed")
    duration_minutes = forms.IntegerField(
        min_value=5, max_value=1440, required=False, label="Minutes", help_text="For visits. A day of care can be 540."
    )
    check_in = forms.TimeField(
        required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"), help_text="For overnight stays."
    )
    check_out = forms.TimeField(
        required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"), help_text="On the last day."
    )
    holiday_percent = forms.IntegerField(
        min_value=0,
        max_value=300,
        initial=0,
        label="Holiday rate (%)",
        help_text="Added on public holidays of the branch's country; each holiday night of a stay counts by itself.",
    )
    species = CheckboxChoices(choices=Species, label="Who may come", initial=["dog"])
    max_weight_kg = forms.DecimalField(
        min_value=0.1, max_value=1500, max_digits=6, decimal_places=2, required=False,
        label="Heaviest animal (kg)", help_text="Empty: any weight.",
    )  # fmt: skip
    max_pets = forms.IntegerField(min_value=1, max_value=20, initial=1, label="Animals in one booking at most")
    required_vaccines = CheckboxChoices(
        choices=Vaccine,
        required=False,
        label="Vaccinations that must be valid",
        help_text="To the end of the stay. A booking without them is refused, and the owner is told which one.",
    )
    needs = CheckboxChoices(
        choices=ResourceKind,
        required=False,
        label="What one booking takes up",
        help_text="Nothing chosen: what is usual for this kind of care. Grooming often takes a person and a table.",
    )
    buffer_before_minutes = forms.IntegerField(
        min_value=0, max_value=480, initial=0, label="Minutes kept free before", help_text="For the way, for cleaning."
    )
    buffer_after_minutes = forms.IntegerField(min_value=0, max_value=480, initial=0, label="Minutes kept free after")
    slot_step_minutes = forms.IntegerField(
        min_value=5, max_value=1440, initial=30, label="A start every (minutes)", help_text="Counted from midnight."
    )
    minimum_notice_minutes = forms.IntegerField(
        min_value=0, max_value=86_400, initial=120, label="Notice (minutes)", help_text="How late one may still book."
    )
    maximum_advance_days = forms.IntegerField(min_value=1, max_value=400, initial=180, label="Bookable ahead (days)")
    is_instant = forms.BooleanField(
        required=False, label="Booked at once", help_text="Off: you accept or decline each request within 24 hours."
    )
    payment_policy = forms.ChoiceField(label="Payment", required=False, initial=PaymentPolicy.AT_VISIT)
    deposit_percent = forms.IntegerField(
        min_value=1,
        max_value=99,
        initial=20,
        required=False,
        label="Deposit (%)",
        help_text="Of the whole price, paid when booking. The rest is paid at the visit.",
    )
    is_active = forms.BooleanField(required=False, initial=True, label="On sale")

    groups = (
        Group("What it is", ("branch", "kind", "name", "description"), wide=("name", "description")),
        Group("How long", ("length", "duration_minutes", "check_in", "check_out"), wide=("length",)),
        Group(
            "Price",
            ("price", "extra_pet_price", "holiday_percent", "payment_policy", "deposit_percent"),
            "Owners see the whole price, with every line explained, from the first list on.",
        ),
        Group(
            "For whom",
            ("species", "max_pets", "max_weight_kg", "required_vaccines"),
            wide=("species", "required_vaccines"),
        ),
        Group("Booking it", ("is_instant", "is_active", "minimum_notice_minutes", "maximum_advance_days")),
        Group(
            "Your calendar",
            ("needs", "slot_step_minutes", "buffer_before_minutes", "buffer_after_minutes"),
            wide=("needs",),
            is_more=True,
        ),
    )  # fmt: skip

    def __init__(self, *args: Any, provider: Provider, is_first: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        currency = provider.currency
        self.currency = currency
        self.fields["branch"].queryset = provider.branches.all()  # type: ignore[attr-defined]
        self.fields["price"] = MoneyField(
            currency=currency, label=f"Price ({currency})", help_text="For one visit, or for one night of a stay."
        )
        self.fields["extra_pet_price"] = MoneyField(
            currency=currency, label=f"Each further animal ({currency})", initial=0,
            help_text="For one visit, or for one night.",
        )  # fmt: skip
        self.fields["payment_policy"].choices = [  # type: ignore[attr-defined]
            (value, label) for value, label in PaymentPolicy.choices if value in settings.PAYMENT_POLICIES
        ]
        if len(settings.PAYMENT_POLICIES) == 1:
            self.fields["payment_policy"].disabled = True
            self.initial.setdefault("payment_policy", settings.PAYMENT_POLICIES[0])
        if PaymentPolicy.DEPOSIT not in settings.PAYMENT_POLICIES:
            del self.fields["deposit_percent"]
        if is_first:
            for name in SIMPLE_WITHOUT:
                del self.fields[name]
        self._addon_rows(currency)

    def _addon_rows(self, currency: str) -> None:
        given: list[tuple[str, int]] = self.initial.get("addons") or []
        rows = min(MAX_ADDONS, len(given) + ADDON_ROWS)
        if self.is_bound:
            rows = min(MAX_ADDONS, sum(1 for name in self.data if str(name).startswith("addon_name_")))
        self.addon_numbers = list(range(rows))
        for number in self.addon_numbers:
            name, price = given[number] if number < len(given) else ("", None)
            self.fields[f"addon_name_{number}"] = forms.CharField(
                max_length=120, required=False, initial=name, label=f"Extra {number + 1}"
            )
            self.fields[f"addon_price_{number}"] = MoneyField(
                currency=currency, required=False, initial=price, label=f"Price ({currency})"
            )

    def addon_rows(self) -> list[tuple[Any, Any]]:
        return [(self[f"addon_name_{number}"], self[f"addon_price_{number}"]) for number in self.addon_numbers]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        addons = []
        for number in self.addon_numbers:
            name = (data.pop(f"addon_name_{number}", "") or "").strip()
            price = data.pop(f"addon_price_{number}", None)
            if name and price is None and f"addon_price_{number}" not in self.errors:
                self.add_error(f"addon_price_{number}", "Say what it costs; 0 is fine.")
            elif price is not None and not name:
                self.add_error(f"addon_name_{number}", "Say what it is.")
            elif name:
                addons.append((name, price))
        data["addons"] = addons
        data["is_overnight"] = data.pop("length", "timed") == "overnight"
        for name in ("check_in", "check_out", "payment_policy", "deposit_percent"):
            if data.get(name) in (None, ""):
                data.pop(name, None)
        if not data.get("needs"):
            data.pop("needs", None)
        return data

    @staticmethod
    def initial_of(service: Service) -> dict[str, Any]:
        """Return what the form shows of a service that exists."""
        names = set(ServiceForm.base_fields) - {"branch", "length"} | {"price", "extra_pet_price"}
        values = {name: getattr(service, name) for name in names}
        values["branch"] = service.branch.uid
        values["length"] = "overnight" if service.is_overnight else "timed"
        values["addons"] = [(addon.name, addon.price) for addon in service.addons.all() if addon.is_active]
        return values


def price_text(service: Service, currency: str) -> str:
    """Return the price as lists show it, without querying."""
    return f"{format_money(service.price, currency)} {'a night' if service.is_overnight else 'a visit'}"
