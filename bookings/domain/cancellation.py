"""What is given back when a booking does not take place.

Stays and visits: everything until 12:00 noon (the provider's clock) so many days before the start; after that half of
the first 7 days and all of later ones. Appointments: a fee when cancelled less than 24 hours before the start, another
one for not coming. Add-ons are always given back.

The fees are shares of the provider's prices. What is kept of the total is the same share of it, so that discount,
service fee and tax shrink with the work that is not done: ``kept = half_up(fee * total / care)``.

The table is computed once, from the quote, and travels with the booking: what a provider changes later does not count.
"""

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bookings.domain import interval, texts
from bookings.domain.pricing import Price
from bookings.models import Booking
from bookings.states import Side
from petplace.money import format_money, half_up
from providers.choices import AppointmentPolicy, PaymentPolicy, StayPolicy
from providers.models import Provider, Service

NOON = time(12)
STAY_DAYS = {StayPolicy.SAME_DAY: 0, StayPolicy.ONE_DAY: 1, StayPolicy.THREE_DAY: 3, StayPolicy.SEVEN_DAY: 7}
FEES = {
    AppointmentPolicy.FLEXIBLE: (0, 10),
    AppointmentPolicy.FAIR: (10, 30),
    AppointmentPolicy.MODERATE: (30, 50),
    AppointmentPolicy.STRICT: (50, 100),
}
LATE = timedelta(hours=24)
LATE_STAY_PERCENT = 50
HALF_PRICE_UNITS = 7


@dataclass(frozen=True)
class Deadline:
    """Cancelled before ``until`` (None: any time later), this much is given back. ``percent`` is of the total."""

    until: datetime | None
    refund_amount: int
    percent: int
    text: str


@dataclass(frozen=True)
class Terms:
    """The refund table of one booking, earliest deadline first. Amounts are minor units of ``currency``."""

    policy: str
    zone: str
    currency: str
    total: int
    rows: tuple[Deadline, ...]
    no_show: Deadline
    # What each night (or the visit) costs, for a booking that is moved without a new price.
    units: tuple[int, ...]

    def refund(self, now: datetime) -> int:
        """Return what the owner gets back by cancelling at ``now``. At the very instant of a deadline it is over."""
        return self.row(now).refund_amount

    def row(self, now: datetime) -> Deadline:
        return next(row for row in self.rows if row.until is None or now < row.until)

    def without_full_refund(self) -> "Terms":
        """Return the table without its best row: an owner who moves too late cannot win the full refund back."""
        return replace(self, rows=self.rows[-1:]) if len(self.rows) > 1 else self

    def as_json(self) -> dict[str, Any]:
        return {
            "policy": self.policy,
            "time_zone": self.zone,
            "currency": self.currency,
            "total": self.total,
            "rows": [_row_as_json(row) for row in self.rows],
            "no_show": _row_as_json(self.no_show),
            "units": list(self.units),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Terms":
        return cls(
            policy=data["policy"],
            zone=data["time_zone"],
            currency=data["currency"],
            total=data["total"],
            rows=tuple(_row_from_json(row) for row in data["rows"]),
            no_show=_row_from_json(data["no_show"]),
            units=tuple(data["units"]),
        )


def _row_as_json(row: Deadline) -> dict[str, Any]:
    return {
        "until": row.until.isoformat() if row.until else None,
        "refund_amount": row.refund_amount,
        "percent": row.percent,
        "text": row.text,
    }


def _row_from_json(data: dict[str, Any]) -> Deadline:
    until = datetime.fromisoformat(data["until"]) if data["until"] else None
    return Deadline(until, data["refund_amount"], data["percent"], data["text"])


def terms(service: Service, provider: Provider, starts_at: datetime, price: Price) -> Terms:
    """Return the refund table of ``service`` at ``price``, with its deadlines as instants."""
    if service.is_appointment:
        policy: str = provider.appointment_policy
        deadline = starts_at - LATE
        late_fee, no_show_fee = (
            half_up(sum(price.units) * percent, 100) for percent in FEES[AppointmentPolicy(policy)]
        )
    else:
        policy = provider.cancellation_policy
        zone = service.branch.zone
        deadline = noon_before(starts_at, STAY_DAYS[StayPolicy(policy)], zone)
        late_fee = no_show_fee = half_up(sum(price.units[:HALF_PRICE_UNITS]) * LATE_STAY_PERCENT, 100)
    table = _Table(service.branch.zone, price, is_paid_before=service.payment_policy == PaymentPolicy.PREPAY)
    return Terms(
        policy=policy,
        zone=service.branch.time_zone,
        currency=price.currency,
        total=price.total,
        rows=table.rows(deadline, late_fee),
        no_show=table.row(None, no_show_fee, "If nobody comes"),
        units=price.units,
    )


def noon_before(starts_at: datetime, days: int, zone: ZoneInfo) -> datetime:
    """Return 12:00 by the clock of ``zone``, ``days`` days before the start's local date, or the start if earlier."""
    date = starts_at.astimezone(zone).date() - timedelta(days=days)
    return min(interval.at(date, NOON, zone), starts_at)


class _Table:
    def __init__(self, zone: ZoneInfo, price: Price, *, is_paid_before: bool) -> None:
        self.zone, self.currency, self.total, self.care = zone, price.currency, price.total, price.care
        self.rest = "is kept" if is_paid_before else "to pay"

    def rows(self, deadline: datetime, late_fee: int) -> tuple[Deadline, ...]:
        if not self.kept(late_fee):
            return (self.row(None, 0, "At any time"),)
        last = texts.when(deadline, self.zone)
        return (self.row(deadline, 0, f"Before {last}"), self.row(None, late_fee, f"From {last}"))

    def row(self, until: datetime | None, fee: int, moment: str) -> Deadline:
        kept = self.kept(fee)
        refund = self.total - kept
        if not kept:
            text = f"{moment}: full refund"
        elif not refund:
            text = f"{moment}: no refund"
        else:
            text = f"{moment}: {self._money(refund)} back, {self._money(kept)} {self.rest}"
        return Deadline(until, refund, refund * 100 // self.total if self.total else 100, text)

    def kept(self, fee: int) -> int:
        """Return the share of the total that ``fee`` is of the provider's prices."""
        return half_up(fee * self.total, self.care) if self.care else 0

    def _money(self, amount: int) -> str:
        return format_money(amount, self.currency)


def refund_due(booking: Booking, now: datetime, side: str) -> int:
    """Return what a cancellation by ``side`` at ``now`` gives back, in minor units. All, unless the owner cancels."""
    if side != Side.OWNER:
        return booking.total
    return Terms.from_json(booking.terms).refund(now)
