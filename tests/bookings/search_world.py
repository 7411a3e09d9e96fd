"""A random town for the search, and an independent way to say who is free in it.

The oracle shares no code with the product: haversine on degrees, the rules of the hours asked minute by minute on the
wall clock, prices night by night, fees and taxes in decimals.
"""

import math
import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields.ranges import DateTimeTZRange

from bookings.domain.search import Query
from bookings.models import Allocation, Booking, Quote
from payments.models import CommissionRule
from providers.choices import offer_mask
from providers.domain import expansion
from providers.models import Branch, OpenHours, Provider, PublicHoliday, Resource, Service, WeeklyHours
from tests.factories import UserFactory

KINDS = ("walking", "boarding", "grooming")
SPECIES = ("dog", "cat", "rabbit")
STEP = timedelta(minutes=5)


@dataclass
class Thing:
    """A resource as the oracle knows it."""

    row: Resource
    hours: list[tuple[int, int, int]]
    open_minutes: set[tuple[int, int]] = field(default_factory=set)
    taken: list[tuple[datetime, datetime]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.open_minutes = {(day, minute) for day, opens, closes in self.hours for minute in range(opens, closes)}

    def is_there(self, zone: ZoneInfo, start: datetime, end: datetime) -> bool:
        if any(start < until and from_ < end for from_, until in self.taken):
            return False
        moment = start
        while moment < end:
            local = moment.astimezone(zone)
            if (local.weekday(), local.hour * 60 + local.minute) not in self.open_minutes:
                return False
            moment += STEP
        return True


@dataclass
class Town:
    zone: ZoneInfo
    country: str
    latitude: float
    longitude: float
    now: datetime
    providers: list[Provider] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    things: dict[int, list[Thing]] = field(default_factory=dict)
    holidays: set[date] = field(default_factory=set)
    rules: list[CommissionRule] = field(default_factory=list)


def build(
    dice: random.Random, *, zone: str, country: str, latitude: float, longitude: float, now: datetime, busy: date
) -> Town:
    """Write a random town whose bookings and holidays lie around the date ``busy``."""
    town = Town(ZoneInfo(zone), country, latitude, longitude, now)
    town.holidays = {busy + timedelta(days=dice.randint(-3, 3)) for _ in range(2)}
    PublicHoliday.objects.bulk_create(PublicHoliday(country=country, on=on, name="Feast") for on in town.holidays)
    PublicHoliday.objects.bulk_create([PublicHoliday(country="ZZ", on=busy, name="Elsewhere")])
    purse = random.Random(f"{zone}{busy}")  # dice of its own, so that the hours do not depend on the money
    for number in range(26):
        provider = Provider.objects.create(
            name=f"Provider {number}",
            slug=f"provider-{number}",
            kind=purse.choice(["sitter", "sitter", "groomer", "clinic"]),
            tax_rate_bp=purse.choice([0, 0, 700, 1900, 825]),
            is_tax_inclusive=purse.random() < 0.5,
            state=dice.choice(["approved"] * 9 + ["suspended"]),
            review_count=(count := dice.choice([0, 0, 1, 3, 7])),
            rating_sum=sum(dice.randint(1, 5) for _ in range(count)),
        )
        town.providers.append(provider)
        for _ in range(dice.choice([1, 1, 1, 2, 3])):
            _branch(dice, town, provider)
    _take_a_share(purse, town)
    _book(dice, town, busy)
    return town


def _take_a_share(dice: random.Random, town: Town) -> None:
    """Write rules for everybody, for kinds and for single services; caps in the right and in another currency."""
    caps: list[dict[str, Any]] = [
        {},
        {"cap_amount": 150, "cap_currency": "EUR"},
        {"cap_amount": 1, "cap_currency": "JPY"},
    ]
    wanted: list[dict[str, Any]] = [{}, {"provider_kind": "groomer"}, {"provider_kind": "shop"}]
    wanted += [{"service": service} for service in dice.sample(town.services, 12)]
    for whom in wanted:
        share = {"owner_bp": dice.choice([0, 333, 500, 1250]), "provider_bp": 1500}
        town.rules.append(CommissionRule.objects.create(**whom, **share, **dice.choice(caps)))


def _branch(dice: random.Random, town: Town, provider: Provider) -> None:
    # A coarse grid, so that several lie at the very same distance and the tie has to be broken.
    latitude = town.latitude + dice.randint(-20, 20) / 200
    longitude = town.longitude + dice.randint(-20, 20) / 200 / math.cos(math.radians(town.latitude))
    longitude = (longitude + 180) % 360 - 180
    branch = Branch.objects.create(
        provider=provider,
        name=f"Branch of {provider.name}",
        address="Somewhere 1",
        country=town.country,
        latitude=town.latitude,
        longitude=town.longitude,
        approximate_latitude=latitude,
        approximate_longitude=longitude,
        time_zone=town.zone.key,
        service_radius_km=dice.choice([None, None, 2, 5, 9]),
    )
    town.branches.append(branch)
    town.things[branch.pk] = []
    for kind in ["person", *dice.choices(["person", "kennel", "kennel", "table"], k=dice.randint(0, 3))]:
        hours = _hours(dice)
        skills = dice.choice([[], [], [], ["walking"], ["grooming", "boarding"]])
        row = Resource.objects.create(branch=branch, kind=kind, name=kind, skills=skills, is_active=dice.random() < 0.9)
        weekly = [WeeklyHours(weekday=day, opens=opens, closes=closes) for day, opens, closes in hours]
        first = town.now.date() - timedelta(days=2)
        spans = expansion.spans(
            town.zone, weekly=weekly, overrides=[], time_off=[], first=first, last=first + timedelta(days=30)
        )
        OpenHours.objects.create(
            resource=row, open=[DateTimeTZRange(*span) for span in spans], expanded_until=first + timedelta(days=30)
        )
        town.things[branch.pk].append(Thing(row, hours))
    services = [_service(dice, branch) for _ in range(dice.randint(1, 4))]
    town.services += services
    mask = 0
    for service in services:
        mask |= offer_mask([service.kind], service.species) if service.is_active else 0
    branch.offer_mask = mask
    branch.is_listed = provider.state == "approved" and branch.is_active and mask != 0
    branch.save()


def _hours(dice: random.Random) -> list[tuple[int, int, int]]:
    shape = dice.random()
    if shape < 0.3:
        return [(day, 0, 1440) for day in range(7)]
    if shape < 0.5:  # a night watch, over the hour in which the clocks change
        return [(day, 0, 6 * 60) for day in range(7)] + [(day, 22 * 60, 1440) for day in range(7)]
    opens = dice.choice([7, 8, 9]) * 60
    lunch = dice.choice([0, 60])
    days = [day for day in range(7) if dice.random() < 0.85]
    return [(day, opens, 12 * 60) for day in days] + [(day, 12 * 60 + lunch, 18 * 60) for day in days]


def _service(dice: random.Random, branch: Branch) -> Service:
    kind = dice.choice(KINDS)
    is_overnight = kind == "boarding" and dice.random() < 0.8
    return Service.objects.create(
        provider=branch.provider,
        branch=branch,
        kind=kind,
        name=kind,
        is_overnight=is_overnight,
        duration_minutes=None if is_overnight else dice.choice([30, 45, 60, 120]),
        check_in=time(dice.choice([14, 15])),
        check_out=time(dice.choice([10, 11, 12])),
        price=dice.randint(800, 5000),
        extra_pet_price=dice.choice([0, 333, 999]),
        holiday_percent=dice.choice([0, 0, 15, 33, 50]),
        species=dice.sample(SPECIES, dice.randint(1, 3)),
        max_weight_kg=dice.choice([None, None, "8.00", "30.00"]),
        max_pets=dice.randint(1, 3),
        needs=dice.choice([["person"], ["person"], ["person"], ["kennel"], ["person", "table"], ["person", "kennel"]]),
        buffer_before_minutes=dice.choice([0, 0, 15]),
        buffer_after_minutes=dice.choice([0, 10, 30]),
        minimum_notice_minutes=dice.choice([0, 120, 5 * 1440]),
        maximum_advance_days=dice.choice([6, 60, 180]),
        slot_step_minutes=dice.choice([15, 15, 30, 60, 45]),
        is_active=dice.random() < 0.9,
    )


def _book(dice: random.Random, town: Town, busy: date) -> None:
    """Take every resource now and then; allocations that are not live take nothing."""
    live, dead = (_booking(town, busy, state) for state in ("confirmed", "declined"))
    rows = []
    for thing in (thing for things in town.things.values() for thing in things):
        moment = datetime.combine(busy - timedelta(days=3), time(0), tzinfo=UTC)
        while moment < datetime.combine(busy + timedelta(days=4), time(0), tzinfo=UTC):
            moment += timedelta(minutes=5 * dice.randint(6, 300))
            end = moment + timedelta(minutes=dice.choice([30, 60, 90, 600]))
            booking = live if dice.random() < 0.8 else dead
            is_live = booking is live
            rows.append(Allocation(booking=booking, resource=thing.row, during=(moment, end), is_live=is_live))
            if is_live:
                thing.taken.append((moment, end))
            moment = end
    Allocation.objects.bulk_create(rows)


def _booking(town: Town, busy: date, state: str) -> Booking:
    service, start = town.services[0], datetime.combine(busy, time(0), tzinfo=UTC)
    common = {"starts_at": start, "ends_at": start + timedelta(days=1), "currency": "EUR", "total": 1}
    owner = UserFactory()
    quote = Quote.objects.create(owner=owner, service=service, cancellation={}, expires_at=start, **common)
    return Booking.objects.create(
        reference=f"BK-{state}"[:12], owner=owner, provider=service.provider, service=service, quote=quote,
        time_zone=town.zone.key, terms={}, state=state, **common,
    )  # fmt: skip


# --- The oracle -----------------------------------------------------------------------------------------------------


def haversine_km(latitude: float, longitude: float, branch: Branch) -> float:
    phi, other = math.radians(latitude), math.radians(branch.approximate_latitude)
    half = math.sin((other - phi) / 2) ** 2
    turn = math.sin(math.radians(branch.approximate_longitude - longitude) / 2) ** 2
    return 2 * 6371.0088 * math.asin(math.sqrt(half + math.cos(phi) * math.cos(other) * turn))


def local_instant(zone: ZoneInfo, day: date, clock: time) -> datetime:
    return datetime.combine(day, clock).replace(tzinfo=zone).astimezone(UTC)


def span_of(town: Town, service: Service, query: Query) -> tuple[datetime, datetime, list[date]] | None:
    """What would be booked, and the dates that are paid; None when the service cannot be asked for that."""
    assert query.start is not None
    local = query.start.astimezone(town.zone)
    if not service.is_overnight:
        end = query.start + timedelta(minutes=service.duration_minutes)
        asked = query.end or query.start
        on_step = (local.hour * 60 + local.minute) % service.slot_step_minutes == 0 and local.second == 0
        return (query.start, end, [local.date()]) if on_step and end >= asked else None
    last = query.end.astimezone(town.zone).date() if query.end else local.date() + timedelta(days=1)
    nights = [local.date() + timedelta(days=n) for n in range((last - local.date()).days)]
    if not nights:
        return None
    return (
        local_instant(town.zone, nights[0], service.check_in),
        local_instant(town.zone, last, service.check_out),
        nights,
    )


def price_of(town: Town, service: Service, pets: int, dates: list[date]) -> int:
    unit = service.price + service.extra_pet_price * (pets - 1)
    share = Decimal(unit) * service.holiday_percent / 100
    surcharge = _rounded(share)
    return sum(unit + (surcharge if day in town.holidays else 0) for day in dates)


def all_in(town: Town, service: Service, care: int) -> int:
    """What the owner pays for ``care``: the platform's share and an exclusive tax on top."""
    provider = service.provider
    own = [rule for rule in town.rules if rule.service_id == service.pk]
    of_kind = [rule for rule in town.rules if rule.service_id is None and rule.provider_kind == provider.kind]
    of_all = [rule for rule in town.rules if rule.service_id is None and not rule.provider_kind]
    total = care
    for rule in (own or of_kind or of_all)[:1]:
        fee = _rounded(Decimal(care) * rule.owner_bp / 10_000)
        has_cap = rule.cap_amount is not None and rule.cap_currency == provider.currency
        total += min(fee, rule.cap_amount) if has_cap else fee
    if not provider.is_tax_inclusive:
        total += _rounded(Decimal(care) * provider.tax_rate_bp / 10_000)
    return total


def _rounded(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def is_bookable(town: Town, service: Service, start: datetime, end: datetime) -> bool:
    if not timedelta(minutes=service.minimum_notice_minutes) <= start - town.now:
        return False
    today, day = town.now.astimezone(town.zone).date(), start.astimezone(town.zone).date()
    if start <= town.now or day > today + timedelta(days=service.maximum_advance_days):
        return False
    start -= timedelta(minutes=service.buffer_before_minutes)
    end += timedelta(minutes=service.buffer_after_minutes)
    return all(
        any(
            thing.row.kind == need
            and thing.row.is_active
            and (not thing.row.skills or service.kind in thing.row.skills)
            and thing.is_there(town.zone, start, end)
            for thing in town.things[service.branch_id]
        )
        for need in service.needs
    )


def answer(town: Town, query: Query) -> list[tuple[int, int, int]]:
    """Return (provider, service, total) in the asked order."""
    best: dict[int, tuple[float, int, int, int]] = {}
    for branch in town.branches:
        km = haversine_km(query.latitude, query.longitude, branch)
        provider = branch.provider
        if km > query.radius_km or (branch.service_radius_km is not None and km > branch.service_radius_km):
            continue
        if provider.state != "approved" or not branch.is_active:
            continue
        if query.rating_min is not None and (
            not provider.review_count or Decimal(provider.rating_sum) / provider.review_count < query.rating_min
        ):
            continue
        offers = []
        for service in town.services:
            if service.branch_id == branch.pk and _serves(service, query):
                total = _total(town, service, query)
                if total is not None and (query.price_max is None or total <= query.price_max):
                    offers.append((total, service.duration_minutes or math.inf, service.pk))
        if offers:
            total, _, service_id = min(offers)
            found = (round(km, 9), branch.pk, service_id, total)
            best[provider.pk] = min(best.get(provider.pk, found), found)
    by_key = {provider.pk: provider for provider in town.providers}

    def order(item: tuple[int, tuple[float, int, int, int]]) -> tuple[object, ...]:
        provider, (km, branch_id, _, total) = by_key[item[0]], item[1]
        if query.ordering == "price":
            return total, km, branch_id
        if query.ordering == "rating":
            mean = Decimal(provider.rating_sum) / provider.review_count if provider.review_count else Decimal(-1)
            return -mean, -provider.review_count, km, branch_id
        return km, branch_id

    return [(key, service, total) for key, (_, _, service, total) in sorted(best.items(), key=order)]


def _serves(service: Service, query: Query) -> bool:
    return (
        service.is_active
        and (query.service_kind is None or service.kind == query.service_kind)
        and set(query.species) <= set(service.species)
        and (
            query.weight_kg is None
            or service.max_weight_kg is None
            or Decimal(service.max_weight_kg) >= query.weight_kg
        )
        and service.max_pets >= query.pet_count
    )


def _total(town: Town, service: Service, query: Query) -> int | None:
    if query.start is None:
        return all_in(town, service, service.price + service.extra_pet_price * (query.pet_count - 1))
    span = span_of(town, service, query)
    if span is None or not is_bookable(town, service, span[0], span[1]):
        return None
    return all_in(town, service, price_of(town, service, query.pet_count, span[2]))
