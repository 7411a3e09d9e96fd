"""What anyone sees of a provider: never the address, the phone or the papers."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from bookings.domain import cancellation, pricing
from bookings.views import days
from payments.domain import rates as shares
from petplace.money import format_money
from pets.choices import Species
from providers import badges
from providers.choices import AppointmentPolicy, StayPolicy
from providers.models import AddOn, Provider, Service
from providers.views.structured import structured_data
from reviews.views.cards import review_parts

CIRCLE_M = 1100  # the true place lies inside this circle around the approximate one


@require_GET
def detail(request: HttpRequest, slug: str) -> HttpResponse:
    """Show an approved provider; its team and staff may look at theirs in any state."""
    now = timezone.now()
    provider = get_object_or_404(Provider.objects.visible_to(request.user), slug=slug)
    services = list(
        provider.services.active()
        .select_related("branch", "provider")
        .prefetch_related(Prefetch("addons", AddOn.objects.filter(is_active=True)))
    )
    wish = Wish.read(request, services)
    rates = shares.rates_for(services)
    context = {
        "provider": provider,
        "is_preview": not provider.is_public,
        "badges": provider.badges(now),
        "photos": provider.photos.all(),
        "cards": [_card(one, wish, pricing.of_unit(one, rates[one.pk]).total) for one in services],
        "policies": _policies(provider, services),
        **review_parts(provider),
        "places": _places(services),
        "structured": structured_data(provider, services),
        "circle": CIRCLE_M,
        "tiles": settings.MAP_TILE_URL,
        "attribution": settings.MAP_TILE_ATTRIBUTION,
    }
    if wish.service is not None:
        context |= {"service": wish.service, "zone": wish.service.branch.time_zone, "wish": wish}
        if provider.is_public:
            context |= _times(request, wish.service, wish, now=now)
    return render(request, "providers/public/detail.html", context)


@require_GET
def trust(request: HttpRequest) -> HttpResponse:
    """Publish the rules of all badges."""
    return render(request, "pages/trust.html", {"checks": badges.CHECKS, "figures": badges.FIGURES})


@dataclass(frozen=True)
class Wish:
    """What a visitor brings along from the search. Nonsense in the address counts as not asked."""

    service: Service | None
    pets: int
    species: str
    start: datetime | None
    end: datetime | None

    @classmethod
    def read(cls, request: HttpRequest, services: list[Service]) -> "Wish":
        given = request.GET
        chosen = next((one for one in services if str(one.uid) == given.get("service", "")), None)
        species = given.get("species", "")
        return cls(
            service=chosen or (services[0] if services else None),
            pets=int(given["pets"]) if given.get("pets", "") in _COUNTS else 1,
            species=species if species in Species.values else "",
            start=_instant(given.get("start", "")),
            end=_instant(given.get("end", "")),
        )

    def kept(self) -> dict[str, Any]:
        return {"pets": self.pets, **({"species": self.species} if self.species else {})}

    def booking_url(self, service: Service, start: datetime, end: datetime) -> str:
        """Return where the booking of this time begins; it shows the first step that is still open."""
        chosen = {"step": "extras", **self.kept(), "start": start.isoformat(), "end": end.isoformat()}
        return f"{reverse('bookings:book', args=[service.uid])}?{urlencode(chosen)}"

    def times_url(self, service: Service, **more: Any) -> str:
        address = reverse("provider_detail", args=[service.provider.slug])
        return f"{address}?{urlencode({'service': service.uid, **self.kept(), **more})}#times"


_COUNTS = {str(count) for count in range(1, 21)}


def _instant(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        return moment if moment.tzinfo and 2000 <= moment.year <= 2100 else None
    except ValueError:
        return None


def _times(request: HttpRequest, service: Service, wish: Wish, *, now: datetime) -> dict[str, Any]:
    """Return some days of free times, each a link into the booking."""

    def href(start: datetime, end: datetime) -> str:
        return wish.booking_url(service, start, end)

    near = wish.start.astimezone(service.branch.zone).date() if wish.start else None
    shown = days.page_of(request, service, count=wish.pets, near=near, now=now, href=href)
    for name in ("earlier_url", "later_url"):
        shown[name] = f"{shown[name]}#times" if shown[name] else ""
    if wish.start and wish.end and wish.start > now:
        shown["wish_url"] = wish.booking_url(service, wish.start, wish.end)
    shown["last"] = shown["first"] + timedelta(days=len(shown["slot_days"]) - 1)
    return {**shown, "book_url": reverse("bookings:book", args=[service.uid]), "kept": wish.kept().items()}


def _card(service: Service, wish: Wish, amount: int) -> dict[str, Any]:
    """``amount`` is the all-in price of one unit; further pets and extras are priced before fee and tax."""
    currency = service.provider.currency
    facts = [", ".join(f"{Species(one).label}s" for one in service.species)]
    if service.max_weight_kg is not None:
        facts.append(f"Up to {service.max_weight_kg.normalize():f} kg")
    facts.append("1 pet" if service.max_pets == 1 else f"{service.max_pets} pets at most")
    if service.extra_pet_price and service.max_pets > 1:
        facts.append(f"{format_money(service.extra_pet_price, currency, short=True)} for each further pet")
    if service.holiday_percent:
        facts.append(f"{service.holiday_percent} % more on public holidays")
    facts += [f"{addon.name} {format_money(addon.price, currency, short=True)}" for addon in service.addons.all()]
    if amount != service.price and (service.extra_pet_price or service.addons.all()):
        facts.append("extras before fee and tax")
    return {
        "service": service,
        "amount": amount,
        "is_chosen": service == wish.service,
        "length": None if service.is_overnight else service.duration_minutes,
        "unit": "all-in, per night" if service.is_overnight else "all-in",
        "currency": currency,
        "facts": facts,
        "href": wish.times_url(service),
    }


def _places(services: Iterable[Service]) -> list[dict[str, Any]]:
    """Return the approximate points of the branches that sell something, each once."""
    branches = {service.branch_id: service.branch for service in services}
    return [
        {
            "name": branch.name,
            "city": branch.city,
            "lat": branch.approximate_latitude,
            "lng": branch.approximate_longitude,
        }
        for branch in branches.values()
    ]


def _policies(provider: Provider, services: Iterable[Service]) -> list[str]:
    """Return the cancellation rules in a sentence for each sort of service that is sold."""
    sorts = {service.is_appointment for service in services}
    texts = []
    if False in sorts:
        notice = cancellation.STAY_DAYS[StayPolicy(provider.cancellation_policy)]
        until = {0: "on the day it starts", 1: "the day before it starts"}.get(
            notice, f"{notice} days before it starts"
        )
        texts.append(
            f"Stays and visits: cancel until 12:00 noon {until} and get everything back; after that, "
            f"{cancellation.LATE_STAY_PERCENT} % of the first {cancellation.HALF_PRICE_UNITS} days is kept."
        )
    if True in sorts:
        late, missed = cancellation.FEES[AppointmentPolicy(provider.appointment_policy)]
        fee = f"costs {late} %" if late else "is free"
        texts.append(
            f"Appointments: cancel until 24 hours before and get everything back; later it {fee}, "
            f"and not coming costs {missed} %."
        )
    return texts
