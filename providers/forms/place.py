"""Where you work, and what there can be booked."""

from typing import Any

from django import forms

from accounts.validators import time_zone_names
from providers.choices import ResourceKind, ServiceKind
from providers.domain import places
from providers.forms.base import CheckboxChoices, DomainForm, Group
from providers.models import Branch, Provider, Resource


def zone_choices(empty: str) -> list[tuple[str, str]]:
    return [("", empty), *((name, name.replace("_", " ")) for name in sorted(time_zone_names()))]


class BranchForm(DomainForm):
    """A place. The point comes from the map, or else from the name of the town."""

    name = forms.CharField(
        max_length=120, label="Name of this place", help_text='For example "Home", or the district.', initial="Home"
    )
    place = forms.CharField(
        max_length=120,
        required=False,
        label="Town or city",
        help_text="Sets the point on the map when you have not set one.",
        widget=forms.TextInput(attrs={"autocomplete": "address-level2", "list": "place-suggestions"}),
    )
    address = forms.CharField(
        max_length=250,
        help_text="Only people with a confirmed booking see it. Everyone else sees a circle some hundred meters wide.",
        widget=forms.TextInput(attrs={"autocomplete": "street-address"}),
    )
    latitude = forms.FloatField(
        min_value=-85, max_value=85, required=False, widget=forms.NumberInput(attrs={"step": "any"})
    )
    longitude = forms.FloatField(
        min_value=-180, max_value=180, required=False, widget=forms.NumberInput(attrs={"step": "any"})
    )
    time_zone = forms.ChoiceField(required=False, help_text="Your hours are in this time zone.")
    service_radius_km = forms.IntegerField(
        min_value=1,
        max_value=500,
        required=False,
        label="How far you travel (km)",
        help_text="Leave it empty when owners come to you.",
    )
    is_active = forms.BooleanField(
        required=False, initial=True, label="Open for business", help_text="A closed place is not found by anyone."
    )

    def __init__(self, *args: Any, is_new: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].choices = zone_choices("Find out from the point")  # type: ignore[attr-defined]
        if is_new:
            del self.fields["is_active"]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if self.errors:
            return data
        latitude, longitude, name = data.get("latitude"), data.get("longitude"), data.get("place") or ""
        if (latitude is None) != (longitude is None):
            self.add_error(
                "longitude" if longitude is None else "latitude", "Enter both numbers of the point, or none."
            )
            return data
        if latitude is None:
            found = places.lookup(name)
            if not found:
                self.add_error("place", "We do not know this place. Name a larger town nearby, or set the point.")
                return data
            data["latitude"], data["longitude"] = found[0].latitude, found[0].longitude
        nearest = places.by_point(data["latitude"], data["longitude"])
        data["city"], data["country"] = nearest.name, nearest.country
        data["time_zone"] = data.get("time_zone") or nearest.time_zone
        data.pop("place", None)
        return data


class ResourceForm(DomainForm):
    """Something that can be in one place at a time."""

    branch = forms.ModelChoiceField(Branch.objects.none(), to_field_name="uid", empty_label=None, label="Where")
    kind = forms.ChoiceField(choices=ResourceKind, label="What it is")
    name = forms.CharField(max_length=120)
    count = forms.IntegerField(
        min_value=1,
        max_value=50,
        initial=1,
        label="How many",
        help_text="Four kennel places make four bookings at once possible. Several are numbered.",
    )
    member = forms.ChoiceField(
        required=False, label="Account", help_text="So that this person can set their own hours. Only for people."
    )
    skills = CheckboxChoices(
        choices=ServiceKind,
        required=False,
        label="Can be used for",
        help_text="Nothing chosen means: for everything.",
    )
    is_active = forms.BooleanField(required=False, initial=True, label="In use")

    groups = (
        Group("What there is", ("branch", "kind", "name", "count", "member", "is_active")),
        Group("Skills", ("skills",), wide=("skills",)),
    )

    def __init__(self, *args: Any, provider: Provider, resource: Resource | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        members = list(provider.memberships.select_related("user"))
        self.users = {str(member.uid): member.user for member in members}
        self.fields["member"].choices = [  # type: ignore[attr-defined]
            ("", "No account"),
            *((uid, user.get_full_name()) for uid, user in self.users.items()),
        ]
        if resource is None:
            self.fields["branch"].queryset = provider.branches.all()  # type: ignore[attr-defined]
            del self.fields["is_active"]
        else:
            del self.fields["branch"], self.fields["count"], self.fields["kind"]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        data["user"] = self.users.get(data.pop("member", ""))
        return data
