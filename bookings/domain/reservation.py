"""Keeping a time, and booking it."""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from django.conf import settings
from django.db import connection

from accounts.models import User
from accounts.permissions import has_verified_email
from bookings.domain import allocations, events, interval, lifecycle, problems, quotes, slots, sweeps, talks
from bookings.models import Booking, BookingPet, Quote
from bookings.states import Action, BookingState, Side
from bookings.validators import clean_note
from payments.domain import invoices, promos
from payments.models import Invoice
from payments.states import InvoiceState
from petplace.db import retried
from petplace.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from pets.models import Pet
from providers.choices import PaymentPolicy
from providers.models import AddOn, Resource, Service

# Without the signs that people mix up when they read a reference over the phone.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
REFERENCE_TRIES = 20
HOLD = timedelta(minutes=settings.HOLD_MINUTES)
ALTERNATIVES = 4
NEW_KEY = """
    SELECT nextval(pg_get_serial_sequence('bookings_booking', 'id')),
           NOT EXISTS (SELECT FROM bookings_booking WHERE reference = %s)
"""
PLACED = ("invoice", "conversation")  # what placing writes besides the state

R = TypeVar("R")


def hold(quote: Quote, *, by: User, now: datetime, note: str = "", resource: Resource | None = None) -> Booking:
    """Keep the time of ``quote`` for 15 minutes. ``resource`` insists on one person, room or place.

    Raises allocations.SlotTakenError with the nearest alternatives, or what ``problems`` finds.
    """
    return _reserving(_hold_retried, quote, by=by, now=now, note=note, resource=resource)


def book(quote: Quote, *, by: User, now: datetime, note: str = "", resource: Resource | None = None) -> Booking:
    """Hold and place in one transaction: pending for a service on request, confirmed for an instant one.

    What must be paid before stays held.
    """
    return _reserving(_book_retried, quote, by=by, now=now, note=note, resource=resource)


def quote_and_book(
    *,
    by: User,
    service: Service,
    starts_at: datetime,
    ends_at: datetime | None = None,
    pets: Sequence[Pet],
    addons: Sequence[AddOn] = (),
    promo_code: str = "",
    note: str = "",
    resource: Resource | None = None,
    is_hold: bool = False,
    now: datetime,
) -> Booking:
    """Quote, then ``book`` (or ``hold``), for a client that needs no price first.

    A time that can be seen to be taken is refused before anything is written. Raises what both raise.
    """
    check_resource(service, resource)

    def reserve() -> Booking:
        quote = quotes.create(
            owner=by,
            service=service,
            starts_at=starts_at,
            ends_at=ends_at,
            pets=pets,
            addons=addons,
            promo_code=promo_code,
            now=now,
            still_free=lambda span: allocations.refuse_taken(service, span, resource),
        )
        step = _hold_retried if is_hold else _book_retried
        return step(quote, pets, by=by, now=now, note=note, resource=resource)

    return reserving(service, interval.for_request(service, starts_at, ends_at), len(pets), now, reserve)


@retried
def place(booking: Booking, *, by: User, now: datetime) -> Booking:
    """Turn a hold into a request or a confirmed booking, and write the invoice that is due at the visit.

    Raises InvalidTransition with the code ``hold_expired`` when its time has run out, DomainError ``payment_due`` when
    it must be paid for before.
    """
    step = lifecycle.begin(booking, Action.PLACE, by=by)
    if booking.due_at is None or booking.due_at <= now:
        raise InvalidTransition("Your time to finish this booking is over. Please book again.", code="hold_expired")
    if booking.quote.prepay_amount:
        raise DomainError("Please pay first: this service is booked with its payment.", code="payment_due")
    return _place(booking, step, now=now)


@retried
def place_paid(booking: Booking, *, now: datetime) -> Booking:
    """Place a hold on its owner's behalf: what must be paid before is secured. Its time may just have run out.

    Raises DomainError when it cannot be placed any more (the provider is away, the time has come).
    """
    lifecycle.lock(booking)
    return _place(booking, lifecycle.Step(Action.PLACE, Side.OWNER, BookingState.HELD, booking.owner), now=now)


@retried
def take_again(booking: Booking, *, now: datetime) -> Booking:
    """Take the time of a hold that had run out once more, if it is still free: its payment came late.

    By the system. The invoice and a promo code's use come back with it. Raises DomainError when anything stands in the
    way; nothing is changed then.
    """
    lifecycle.lock(booking)
    step = lifecycle.Step(Action.REVIVE, Side.SYSTEM, BookingState.CANCELLED, None)
    service, span = booking.service, (booking.starts_at, booking.ends_at)
    _check_start(booking, now)
    lock_owner(booking.owner)
    pets = list(booking.pets.all())
    problems.refuse(
        [
            *problems.offered(service),
            *problems.elsewhere(pets, starts_at=span[0], ends_at=span[1], ignoring=booking),
        ]
    )
    booking.allocations.all().delete()  # those of its first life
    taken = allocations.take(allocations.Ask(booking.pk, service, *span, booking.asked_resource))
    assert booking.invoice is not None
    booking.invoice = invoices.revive(booking.invoice, now=now)
    booking.cancel_reason = ""
    _become_placed(booking, now)
    return lifecycle.finish(booking, step, now=now, detail={"resources": len(taken)}, changed=PLACED)


def _reserving(
    step: Callable[..., Booking], quote: Quote, *, by: User, now: datetime, note: str, resource: Resource | None
) -> Booking:
    pets = list(quote.pets.all())

    def reserve() -> Booking:
        return step(quote, pets, by=by, now=now, note=note, resource=resource)

    return reserving(quote.service, (quote.starts_at, quote.ends_at), len(pets), now, reserve)


def reserving(service: Service, span: interval.Span, pet_count: int, now: datetime, reserve: Callable[[], R]) -> R:
    """Run ``reserve``. When the time is taken by holds that have run out, end them and run it again.

    What it raises in the end carries the nearest free times; they are looked up after the transaction has failed, so
    that nobody waits for it.
    """
    try:
        return reserve()
    except allocations.SlotTakenError as error:
        taken = error
    if sweeps.free_expired_holds(service, *interval.taken(service, *span), now=now):
        try:
            return reserve()
        except allocations.SlotTakenError as error:
            taken = error
    nights = interval.nights(*span, service.branch.zone) if service.is_overnight else 1
    found = slots.alternatives(service, near=span[0], pets=pet_count, now=now, limit=ALTERNATIVES, nights=nights)
    taken.extra["alternatives"] = [{"start": slot.start.isoformat(), "end": slot.end.isoformat()} for slot in found]
    raise taken


@retried
def _hold_retried(
    quote: Quote, pets: Sequence[Pet], *, by: User, now: datetime, note: str, resource: Resource | None
) -> Booking:
    return _hold(quote, pets, by=by, now=now, note=note, resource=resource)


@retried
def _book_retried(
    quote: Quote, pets: Sequence[Pet], *, by: User, now: datetime, note: str, resource: Resource | None
) -> Booking:
    booking = _hold(quote, pets, by=by, now=now, note=note, resource=resource)
    if quote.prepay_amount:
        return booking
    step = lifecycle.Step(Action.PLACE, Side.OWNER, BookingState.HELD, by)
    return _place(booking, step, now=now)


def _hold(
    quote: Quote, pets: Sequence[Pet], *, by: User, now: datetime, note: str, resource: Resource | None
) -> Booking:
    """Reserve. The steps, in the order of locks: owner -> checks -> resources with allocations -> booking -> event."""
    if quote.owner_id != by.pk:
        raise NotAllowed
    if quote.is_expired(now=now):
        raise DomainError("This price is too old. Please ask for a new one.", code="quote_expired")
    note = clean_note(note)
    service = quote.service
    _check_person(by)
    check_resource(service, resource)
    _check_payment(service)
    lock_owner(by)
    _check_open_holds(by, now)
    problems.refuse(
        problems.check(
            service,
            starts_at=quote.starts_at,
            ends_at=quote.ends_at,
            pets=pets,
            now=now,
            asked_at=quotes.asked_at(quote),
        )
    )
    booking_id, reference = _new_key()
    taken = allocations.take(allocations.Ask(booking_id, service, quote.starts_at, quote.ends_at, resource))
    booking = _write(quote, booking_id, reference, pets, by=by, now=now, note=note, resource=resource)
    detail = {"resources": len(taken)}
    if quote.promo is not None or quote.prepay_amount:
        _draft(booking, now=now)
    events.record(booking, Action.HOLD, from_state="", side=Side.OWNER, by=by, now=now, detail=detail)
    return booking


def _write(
    quote: Quote,
    booking_id: int,
    reference: str,
    pets: Sequence[Pet],
    *,
    by: User,
    now: datetime,
    note: str,
    resource: Resource | None,
) -> Booking:
    service = quote.service
    booking = Booking(
        pk=booking_id,
        reference=reference,
        owner=by,
        provider=service.provider,
        service=service,
        note=note,
        starts_at=quote.starts_at,
        ends_at=quote.ends_at,
        time_zone=service.branch.time_zone,
        state=BookingState.HELD,
        due_at=now + HOLD,
        quote=quote,
        currency=quote.currency,
        total=quote.total,
        terms=quote.cancellation,
        asked_resource=resource,
    )
    booking.save(force_insert=True)
    BookingPet.objects.bulk_create(BookingPet(booking=booking, pet=pet) for pet in pets)
    return booking


def _place(booking: Booking, step: lifecycle.Step, *, now: datetime) -> Booking:
    _check_payment(booking.service)
    problems.refuse(problems.offered(booking.service))
    _check_start(booking, now)
    _become_placed(booking, now)
    return lifecycle.finish(booking, step, now=now, changed=PLACED)


def _check_start(booking: Booking, now: datetime) -> None:
    if booking.starts_at <= now:
        raise DomainError("This time has passed. Please book another one.", code="in_the_past")


def _become_placed(booking: Booking, now: datetime) -> None:
    """Move to pending or confirmed, with the invoice owed from now on; a request that was paid for waits with it.

    Raises DomainError ``blocked``: the two may have parted since the price was asked.
    """
    talks.refuse_blocked(booking.owner, booking.provider)
    if booking.service.is_instant:
        booking.state, booking.due_at = BookingState.CONFIRMED, None
    else:
        booking.state, booking.due_at = BookingState.PENDING, lifecycle.answer_until(booking.starts_at, now)
    if booking.invoice is None:
        booking.invoice = _bill(booking, InvoiceState.OPEN)
    elif booking.is_confirmed or not booking.quote.prepay_amount:
        booking.invoice = invoices.open_draft(booking.invoice, now=now)
    talks.open_with(booking, now=now)


def _draft(booking: Booking, *, now: datetime) -> None:
    """Write what is not owed yet: so that it can be paid, or because it uses up a promo code.

    Raises promos.PromoError when the code has reached its limit since the quote: then nothing is held.
    """
    booking.invoice = _bill(booking, InvoiceState.DRAFT)
    booking.save(update_fields=["invoice"])
    price = quotes.price_of(booking.quote)
    if price.promo is not None and price.discount:
        promos.redeem(price.promo, user=booking.owner, invoice=booking.invoice, amount=price.discount, now=now)


def _bill(booking: Booking, state: InvoiceState) -> Invoice:
    price = quotes.price_of(booking.quote)
    return invoices.write(
        provider=booking.provider,
        payer=booking.owner,
        subject=f"{booking.service.name}, {booking.reference}",
        currency=booking.currency,
        lines=price.lines,
        due_at=booking.starts_at,
        state=state,
        prepay_amount=booking.quote.prepay_amount,
        terms=price.terms(is_instant=booking.service.is_instant),
    )


def lock_owner(owner: User) -> None:
    """Hold the owner's row: it makes the number of open holds and "one place at a time" for their pets certain.

    An account that was closed while the booking came is refused here: closing holds the same row.
    """
    if not settings.DISABLE_BOOKING_LOCKS:
        locked = User.objects.select_for_update(no_key=True).only("pk", "is_active").get(pk=owner.pk)
        if not locked.is_active:
            raise NotAllowed("This account is closed.")


def _new_key() -> tuple[int, str]:
    """Return a fresh id and a free reference such as ``BK-7F3K9Q``, in one statement.

    With the id, allocations can go in before the booking (their foreign key is checked at commit). The unique
    constraint catches two references drawn at the same moment.
    """
    for _ in range(REFERENCE_TRIES):
        reference = "BK-" + "".join(secrets.choice(ALPHABET) for _ in range(6))
        with connection.cursor() as cursor:
            cursor.execute(NEW_KEY, [reference])
            booking_id, is_free = cursor.fetchone()
        if is_free:
            return booking_id, reference
    raise RuntimeError("No free booking reference was found.")


def _check_person(by: User) -> None:
    if not by.is_active:
        raise NotAllowed
    if not has_verified_email(by):
        raise NotAllowed("Please confirm your e-mail address before you book.", code="email_not_verified")


def check_resource(service: Service, resource: Resource | None) -> None:
    if resource is None:
        return
    if resource.branch_id != service.branch_id or resource.kind not in service.needs or not resource.is_active:
        message = "This service is not given by them."
        raise InvalidInput(message, code="resource_unknown", fields={"resource": [message]})


def _check_payment(service: Service) -> None:
    if service.payment_policy not in settings.PAYMENT_POLICIES:
        label = PaymentPolicy(service.payment_policy).label.lower()
        raise DomainError(f"This service asks to {label}, which is not possible yet.", code="payment_unavailable")


def _check_open_holds(by: User, now: datetime) -> None:
    most = settings.OPEN_HOLDS_PER_OWNER
    if Booking.objects.filter(owner=by, state=BookingState.HELD, due_at__gt=now).count() >= most:
        message = f"You have {most} unfinished bookings. Finish or cancel one of them first."
        raise DomainError(message, code="too_many_holds")
