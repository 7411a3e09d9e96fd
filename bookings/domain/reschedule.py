"""Moving a booking: the same booking and reference, other resources or another time."""

from datetime import datetime, timedelta
from typing import Any

from accounts.models import User
from bookings.domain import allocations, cancellation, interval, lifecycle, pricing, problems, quotes, reservation
from bookings.models import Booking
from bookings.states import Action, BookingState, Side
from payments.domain import invoices, promos
from petplace.db import retried
from petplace.errors import DomainError
from pets.models import Pet
from providers.models import Resource


def move(
    booking: Booking,
    *,
    by: User,
    starts_at: datetime,
    ends_at: datetime | None = None,
    resource: Resource | None = None,
    now: datetime,
) -> Booking:
    """Move ``booking``; a stay without ``ends_at`` keeps its number of nights. Priced anew, with today's prices.

    An owner who moves a confirmed booking of a service on request asks again; one who moves after the full refund was
    over does not win it back. A provider's move is not bound by notice, window and steps, and never costs the owner
    more. Raises SlotTakenError with alternatives when the new time is not free; the booking then stays as it was.
    """
    span = interval.for_request(booking.service, starts_at, ends_at or _same_length(booking, starts_at))
    pets = list(booking.pets.all())

    def reserve() -> Booking:
        return _move(booking, span, pets, by=by, resource=resource, now=now)

    return reservation.reserving(booking.service, span, len(pets), now, reserve)


@retried
def _move(
    booking: Booking, span: interval.Span, pets: list[Pet], *, by: User, resource: Resource | None, now: datetime
) -> Booking:
    """The order of locks: booking -> owner -> old and new resources together -> invoice -> notifications."""
    step = lifecycle.begin(booking, Action.RESCHEDULE, by=by)
    is_owner = step.side == Side.OWNER
    service = booking.service
    old = tuple(booking.allocations.filter(is_live=True).values_list("resource_id", flat=True))
    _check(booking, span, old, resource, is_owner=is_owner, now=now)
    reservation.lock_owner(booking.owner)
    problems.refuse(
        problems.check(
            service,
            starts_at=span[0],
            ends_at=span[1],
            pets=pets,
            now=now,
            ignoring=booking,
            is_by_provider=not is_owner,
        )
    )
    wanted = resource or booking.asked_resource
    taken = allocations.take(allocations.Ask(booking.pk, service, *span, wanted, old))
    before, detail = booking.starts_at, {"from": _as_json(booking)}
    booking.starts_at, booking.ends_at = span
    _requote(booking, pets, is_owner=is_owner, now=now, was=before)
    if resource is not None:
        booking.asked_resource = resource if is_owner else None
    if step.source == BookingState.PENDING or (is_owner and not service.is_instant):
        booking.state, booking.due_at = BookingState.PENDING, lifecycle.answer_until(booking.starts_at, now)
    return lifecycle.finish(
        booking,
        step,
        now=now,
        detail=detail | {"to": _as_json(booking), "resources": len(taken)},
        changed=("starts_at", "ends_at", "quote", "total", "terms", "invoice", "asked_resource"),
        old_starts_at=before,
    )


def _check(
    booking: Booking,
    span: interval.Span,
    old: tuple[int, ...],
    resource: Resource | None,
    *,
    is_owner: bool,
    now: datetime,
) -> None:
    if is_owner and booking.starts_at <= now:
        raise DomainError("This booking has begun. Please talk to the provider.", code="already_started")
    if span == (booking.starts_at, booking.ends_at) and (resource is None or resource.pk in old):
        raise DomainError("This is the time that the booking has already.", code="nothing_changed")
    reservation.check_resource(booking.service, resource)


def _requote(booking: Booking, pets: list[Pet], *, is_owner: bool, now: datetime, was: datetime) -> None:
    """Write a new quote for the booking's new span, and put its lines onto the invoice.

    A promo code that was taken once stays with the booking, also when it has run out meanwhile.
    """
    service, old_quote = booking.service, booking.quote
    old_terms = cancellation.Terms.from_json(booking.terms)
    addons = list(old_quote.addons.all())
    price = pricing.price(
        service,
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        pet_count=len(pets),
        addons=addons,
        promo=old_quote.promo,
    )
    if not is_owner and price.total > booking.total:
        price = quotes.price_of(old_quote)
    terms = cancellation.terms(service, booking.provider, booking.starts_at, price)
    if is_owner and old_terms.refund(now) < old_terms.total:
        terms = terms.without_full_refund()
    quote = quotes.save(
        owner=booking.owner,
        service=service,
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        pets=pets,
        addons=addons,
        now=now,
        price=price,
        terms=terms,
    )
    booking.quote, booking.total, booking.terms = quote, quote.total, quote.cancellation
    if booking.invoice is not None:
        booking.invoice = invoices.rewrite(
            booking.invoice,
            lines=price.lines,
            due_at=booking.starts_at,
            now=now,
            prepay_amount=quote.prepay_amount,
            terms=price.terms(is_instant=service.is_instant),
        )
        if old_quote.promo_id is not None:
            promos.change(booking.invoice, amount=price.discount)


def _same_length(booking: Booking, starts_at: datetime) -> datetime | None:
    """Return the end that keeps the nights and the time of leaving; a timed service needs none."""
    if not booking.service.is_overnight:
        return None
    zone = booking.zone
    nights = interval.nights(booking.starts_at, booking.ends_at, zone)
    last = starts_at.astimezone(zone).date() + timedelta(days=nights)
    return interval.at(last, booking.ends_at.astimezone(zone).time(), zone)


def _as_json(booking: Booking) -> dict[str, Any]:
    return {"start": booking.starts_at.isoformat(), "end": booking.ends_at.isoformat(), "total": booking.total}
