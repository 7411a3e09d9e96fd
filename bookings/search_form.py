"""What the search page was asked: read from the address, kept in the address, said back as chips.

Every wrong value is a message beside its field; what is right is still used, so that a bad link shows a page.
"""

import datetime as dt
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict

from bookings.domain import search
from petplace.money import exponent, format_money
from petplace.templatetags import ui
from pets.choices import Species
from providers.choices import ServiceKind
from providers.domain import places
from providers.domain.places import Place

DAY_MINUTES = 24 * 60
MAX_NIGHTS = 60
LATEST_DAYS = 500
NOON = dt.time(12)
RADII = (1, 2, 5, 10, 20, 50, 100, 200)
DEFAULT_RADIUS_KM = 10
PAGE_SIZE = 20
ORDERINGS = {"distance": "Nearest first", "price": "Lowest price first", "rating": "Best rated first"}
RATINGS = {"3": "3 stars and up", "4": "4 stars and up", "4.5": "4.5 stars and up"}
MY_LOCATION = "My location"


class SearchForm(forms.Form):
    """The parameters of the page. ``duration`` is minutes; whole days are so many nights."""

    near = forms.CharField(required=False, max_length=120)
    lat = forms.FloatField(required=False, min_value=-90, max_value=90)
    lng = forms.FloatField(required=False, min_value=-180, max_value=180)
    radius_km = forms.FloatField(required=False, min_value=0.1, max_value=search.MAX_RADIUS_KM)
    service = forms.ChoiceField(required=False, choices=[("", "Any kind"), *ServiceKind.choices])
    species = forms.MultipleChoiceField(required=False, choices=Species.choices)
    pets = forms.IntegerField(required=False, min_value=1, max_value=20)
    weight_kg = forms.DecimalField(required=False, min_value=Decimal("0.01"), max_value=1500, decimal_places=2)
    date = forms.DateField(required=False)
    time = forms.TimeField(required=False)
    duration = forms.IntegerField(required=False, min_value=5, max_value=MAX_NIGHTS * DAY_MINUTES)
    price_max = forms.DecimalField(required=False, min_value=0, max_value=1_000_000, decimal_places=3)
    rating_min = forms.DecimalField(required=False, min_value=1, max_value=5, decimal_places=2)
    ordering = forms.ChoiceField(required=False, choices=list(ORDERINGS.items()))
    page = forms.IntegerField(required=False, min_value=1, max_value=search.CAP)

    def __init__(self, data: QueryDict, *, now: datetime) -> None:
        self.given = data.copy()
        # An empty option of a list is no choice.
        self.given.setlist("species", [one for one in data.getlist("species") if one])
        super().__init__(self.given)
        self.now = now

    def clean_radius_km(self) -> float:
        return self.cleaned_data["radius_km"] or float(DEFAULT_RADIUS_KM)

    def clean_time(self) -> dt.time | None:
        value = self.cleaned_data["time"]
        return value.replace(second=0, microsecond=0) if value else None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        data["place"] = self._place(data)
        if data["place"] is not None:
            data["start"], data["end"], data["after"] = self._times(data, ZoneInfo(data["place"].time_zone))
        return data

    def _place(self, data: dict[str, Any]) -> "Place | None":
        latitude, longitude, near = data.get("lat"), data.get("lng"), data.get("near") or ""
        if latitude is not None and longitude is not None:
            nearest = places.by_point(latitude, longitude)
            name = near or nearest.name
            return Place(name, nearest.country, latitude, longitude, nearest.time_zone, nearest.population)
        if not near:
            return None
        found = places.lookup(near)
        if not found:
            message = "We know no place of this name. Try a larger town nearby."
            if near == MY_LOCATION:
                message = "Your location is not known any more. Use the button again, or type a place."
            self.add_error("near", message)
            return None
        return found[0]

    def _times(self, data: dict[str, Any], zone: ZoneInfo) -> tuple[datetime | None, datetime | None, datetime | None]:
        """Return start, end and the instant from which the next free time is of interest."""
        day, clock, minutes = data.get("date"), data.get("time"), data.get("duration")
        if day is None:
            if clock is not None:
                self.add_error("date", "Say which day, too.")
            return None, None, None
        today = self.now.astimezone(zone).date()
        if not today <= day <= today + timedelta(days=LATEST_DAYS):
            self.add_error("date", "This day has passed." if day < today else "Choose a day within a year.")
            return None, None, None
        nights = minutes // DAY_MINUTES if minutes and minutes % DAY_MINUTES == 0 else 0
        is_stay = nights > 0 or (data.get("service") == ServiceKind.BOARDING and clock is None)
        if clock is None and not is_stay:
            return None, None, max(self.now, _instant(day, dt.time(), zone))
        start = _instant(day, clock or NOON, zone)
        if start.astimezone(zone).replace(tzinfo=None) != datetime.combine(day, clock or NOON):
            self.add_error("time", "The clocks are put forward then: this time does not exist on that day.")
            return None, None, None
        if start <= self.now and not is_stay:
            self.add_error("time", "This time has passed. Choose a later one.")
            return None, None, None
        if is_stay:
            return start, _instant(day + timedelta(days=nights or 1), clock or NOON, zone), None
        return start, start + timedelta(minutes=minutes) if minutes else None, None


def _instant(day: dt.date, clock: dt.time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True)
class Asked:
    """A search as the page shows it: the query, and the same thing in words and links."""

    values: dict[str, Any]  # what was given and right, as it stands in the address
    place: Place | None
    query: search.Query | None
    after: datetime | None
    currency: str

    @classmethod
    def read(cls, form: SearchForm) -> "Asked":
        form.is_valid()
        data = form.cleaned_data
        values = {
            name: form.given.getlist(name) if name == "species" else form.given.get(name)
            for name in form.fields
            if data.get(name) not in (None, "", []) and name not in form.errors and form.given.get(name)
        }
        if isinstance(values.get("species"), list):
            values["species"] = data["species"]
        place = data.get("place")
        currency = places.currency_of(place.country) if place else ""
        query = None
        if place is not None:
            price = data.get("price_max")
            query = search.Query(
                latitude=place.latitude,
                longitude=place.longitude,
                radius_km=data.get("radius_km") or DEFAULT_RADIUS_KM,
                service_kind=data.get("service") or None,
                species=tuple(data.get("species") or ()),
                weight_kg=data.get("weight_kg"),
                pet_count=data.get("pets") or 1,
                start=data.get("start"),
                end=data.get("end"),
                price_max=None if price is None else int(price * 10 ** exponent(currency)),
                rating_min=data.get("rating_min"),
                ordering=data.get("ordering") or "distance",
                page=data.get("page") or 1,
                page_size=PAGE_SIZE,
            )
        return cls(values, place, query, data.get("after"), currency)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.place.time_zone if self.place else "UTC")

    def link(self, *without: str, **changes: Any) -> str:
        """Return the query string with some parameters changed; a changed search starts on page 1."""
        kept = {name: value for name, value in self.values.items() if name not in ("page", *without)}
        return "?" + urlencode({**kept, **changes}, doseq=True)

    def pairs(self, *without: str) -> list[tuple[str, Any]]:
        """Return what a form beside keeps as hidden fields."""
        return [
            (name, one)
            for name, value in self.values.items()
            if name not in ("page", *without)
            for one in (value if isinstance(value, list) else [value])
        ]

    def chips(self) -> list[dict[str, Any]]:
        """Return the filters in words, each with the link that takes it away."""
        query, chips = self.query, []

        def chip(label: str, *names: str) -> None:
            chips.append({"label": label, "href": self.link(*names), "active": True, "removable": True})

        if query is None:
            return []
        if query.service_kind:
            chip(ServiceKind(query.service_kind).label, "service")
        for one in query.species:
            rest = [other for other in query.species if other != one]
            chips.append(
                {"label": Species(one).label, "href": self.link("species", **({"species": rest} if rest else {}))}
                | {"active": True, "removable": True}
            )
        if query.pet_count > 1:
            chip(f"{query.pet_count} pets", "pets")
        if query.weight_kg is not None:
            chip(f"{query.weight_kg.normalize():f} kg", "weight_kg")
        if query.start is not None:
            chip(self.when(), "date", "time", "duration")
        elif self.after is not None:
            chip(f"From {ui.local_time_text(self.after, self.zone).split(', ', 2)[1]}", "date", "duration")
        if query.radius_km != DEFAULT_RADIUS_KM:
            chip(f"Within {query.radius_km:g} km", "radius_km")
        if query.price_max is not None:
            chip(f"Up to {format_money(query.price_max, self.currency, short=True)}", "price_max")
        if query.rating_min is not None:
            chip(f"{query.rating_min.normalize():f} stars and up", "rating_min")
        return chips

    def when(self) -> str:
        """Return the asked time in words."""
        query = self.query
        if query is None or query.start is None:
            return ""
        if query.end is None:
            return ui.local_time_text(query.start, self.zone)
        if "time" not in self.values or (query.end - query.start) >= timedelta(hours=20):
            first, last = query.start.astimezone(self.zone).date(), query.end.astimezone(self.zone).date()
            nights = (last - first).days
            return f"{first:%b} {first.day} to {last:%b} {last.day}, {nights} night{'s' if nights > 1 else ''}"
        return ui.local_range_text(query.start, query.end, self.zone)

    def wider(self) -> list[dict[str, Any]]:
        """Return links to the next two wider circles."""
        if self.query is None:
            return []
        larger = [km for km in RADII if km > self.query.radius_km][:2]
        return [{"label": f"Within {km} km", "href": self.link(radius_km=km)} for km in larger]
