"""What is asked of the search, and what it answers."""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from bookings.domain import slots
from providers.badges import Badge, earned


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is asked. Degrees, kilometers, kilograms; ``price_max`` in minor units of each provider's currency."""

    latitude: float
    longitude: float
    radius_km: float = 10.0
    service_kind: str | None = None
    species: tuple[str, ...] = ()
    weight_kg: Decimal | None = None
    pet_count: int = 1
    start: datetime | None = None
    end: datetime | None = None
    price_max: int | None = None
    rating_min: Decimal | None = None
    ordering: str = "distance"
    page: int = 1
    page_size: int = 20

    def without_time(self) -> "Query":
        return replace(self, start=None, end=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One provider: its nearest matching branch and the cheapest matching service there.

    ``price`` is the total in minor units for the asked pets and time; without a time, of one visit or one night.
    ``starts_at`` and ``ends_at`` are what would be booked, None without a time. ``next_free`` is the first bookable
    start from the asked time (or from now) on, None when there is none within fourteen days.
    """

    provider_id: int
    provider_uid: UUID
    slug: str
    name: str
    kind: str
    currency: str
    rating_sum: int
    review_count: int
    avatar: str
    checked: str  # JSON, as the driver hands it over
    figures: str
    branch_uid: UUID
    branch_name: str
    city: str
    country: str
    time_zone: str
    latitude: float
    longitude: float
    meters: float
    service_id: int
    service_uid: UUID
    service_kind: str
    service_name: str
    is_overnight: bool
    is_instant: bool
    duration_minutes: int | None
    check_in: time
    check_out: time
    slot_step_minutes: int
    minimum_notice_minutes: int
    maximum_advance_days: int
    price: int
    units: int
    starts_at: datetime | None
    ends_at: datetime | None
    next_free: datetime | None = None

    @property
    def distance_km(self) -> float:
        """The distance of the approximate point, to 0.1 km."""
        return round(self.meters / 1000, 1)

    @property
    def rating(self) -> float | None:
        return round(self.rating_sum / self.review_count, 2) if self.review_count else None

    def badges(self, now: datetime) -> list[Badge]:
        """Return the badges that the provider has now, with their rules and figures."""
        return earned(json.loads(self.checked), json.loads(self.figures), now=now)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def as_offer(self) -> slots.Offer:
        return slots.Offer(
            service_id=self.service_id,
            zone=self.zone,
            is_overnight=self.is_overnight,
            check_in=self.check_in,
            check_out=self.check_out,
            duration_minutes=self.duration_minutes or 0,
            slot_step_minutes=self.slot_step_minutes,
            minimum_notice_minutes=self.minimum_notice_minutes,
            maximum_advance_days=self.maximum_advance_days,
        )


@dataclass(frozen=True, kw_only=True)
class Page:
    """``total`` counts providers. ``is_capped``: there are more matching branches than the search looks at."""

    results: list[Result] = field(default_factory=list)
    total: int = 0
    is_capped: bool = False

    @property
    def total_text(self) -> str:
        return f"{self.total}+" if self.is_capped else str(self.total)


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A provider that is not free at the asked time, and the nearest time when it is."""

    result: Result
    starts_at: datetime
    ends_at: datetime
