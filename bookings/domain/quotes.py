"""Quotes: the price and the refund table, computed once and kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from accounts.models import User
from bookings.domain import cancellation, interval, pricing, problems, talks
from bookings.models import Quote, QuoteLine
from payments.domain import promo_codes
from payments.domain.invoices import Line
from payments.models import LineKind, PromoCode
from petplace.errors import DomainError, InvalidInput
from pets.models import Pet
from providers.models import AddOn, Service

LIFE = timedelta(minutes=30)


@dataclass(frozen=True)
class Preview:
    """A price that nobody has asked to keep, for a visitor without an account."""

    service: Service
    starts_at: datetime
    ends_at: datetime
    price: pricing.Price
    terms: cancellation.Terms
    promo_error: DomainError | None = None


def preview(
    service: Service,
    starts_at: datetime,
    ends_at: datetime | None = None,
    pet_count: int = 1,
    addons: Sequence[AddOn] = (),
    *,
    promo_code: str = "",
    by: User | None = None,
    now: datetime,
) -> Preview:
    """Price without saving. Raises InvalidInput for an impossible span or add-ons of another service.

    A promo code that does not count is no obstacle to a price: ``promo_error`` of the answer says why it does not.
    """
    start, end = interval.for_request(service, starts_at, ends_at)
    _check_addons(service, addons)
    asked = _Asked(service, (start, end), pet_count, addons)
    price, refused = asked.price(), None
    if promo_code:
        try:
            price = asked.price(promo_codes.find(promo_code, service.provider, by=by, care=price.care, now=now))
        except DomainError as error:
            refused = error
    terms = cancellation.terms(service, service.provider, start, price)
    return Preview(service, start, end, price, terms, refused)


def create(
    *,
    owner: User,
    service: Service,
    starts_at: datetime,
    ends_at: datetime | None = None,
    pets: Sequence[Pet],
    addons: Sequence[AddOn] = (),
    promo_code: str = "",
    now: datetime,
    still_free: Callable[[interval.Span], None] | None = None,
) -> Quote:
    """Write a quote that is good for 30 minutes: what it says is what the booking costs, whatever changes meanwhile.

    A promo code is looked up and checked; only a reservation uses it up. Raises InvalidInput (400) or DomainError (409)
    with the reason why this cannot be booked. Does not say that the time is still free: only a reservation can;
    ``still_free`` is asked before anything is written, and raises.
    """
    start, end = interval.for_request(service, starts_at, ends_at)
    _check_pets(owner, pets)
    _check_addons(service, addons)
    talks.refuse_blocked(owner, service.provider)
    problems.refuse(problems.check(service, starts_at=start, ends_at=end, pets=pets, now=now))
    if still_free is not None:
        still_free((start, end))
    asked = _Asked(service, (start, end), len(pets), addons)
    price = asked.price()
    if promo_code:
        price = asked.price(promo_codes.find(promo_code, service.provider, by=owner, care=price.care, now=now))
    return save(
        owner=owner, service=service, starts_at=start, ends_at=end, pets=pets, addons=addons, price=price, now=now
    )


@dataclass(frozen=True)
class _Asked:
    service: Service
    span: interval.Span
    pet_count: int
    addons: Sequence[AddOn]

    def price(self, promo: PromoCode | None = None) -> pricing.Price:
        return pricing.price(
            self.service,
            starts_at=self.span[0],
            ends_at=self.span[1],
            pet_count=self.pet_count,
            addons=self.addons,
            promo=promo,
        )


@transaction.atomic(savepoint=False)
def save(
    *,
    owner: User,
    service: Service,
    starts_at: datetime,
    ends_at: datetime,
    pets: Sequence[Pet],
    addons: Sequence[AddOn],
    price: pricing.Price,
    now: datetime,
    terms: cancellation.Terms | None = None,
) -> Quote:
    """Write a quote for a span that was checked, at ``price``; ``terms`` only where they are not today's."""
    terms = terms or cancellation.terms(service, service.provider, starts_at, price)
    quote = Quote.objects.create(
        owner=owner,
        service=service,
        starts_at=starts_at,
        ends_at=ends_at,
        currency=price.currency,
        total=price.total,
        promo=price.promo,
        prepay_amount=pricing.prepay_amount(service, price.total),
        tax_rate_bp=price.tax_rate_bp,
        is_tax_inclusive=price.is_tax_inclusive,
        tax_amount=price.tax_amount,
        owner_fee=price.owner_fee,
        commission=price.commission,
        subsidy=price.subsidy,
        cancellation=terms.as_json(),
        expires_at=now + LIFE,
    )
    quote.pets.through.objects.bulk_create(quote.pets.through(quote=quote, pet=pet) for pet in pets)
    if addons:
        quote.addons.set(addons)
    QuoteLine.objects.bulk_create(
        QuoteLine(
            quote=quote,
            position=position,
            kind=line.kind,
            description=line.description,
            quantity=line.quantity,
            unit_amount=line.unit_amount,
            amount=line.amount,
        )
        for position, line in enumerate(price.lines)
    )
    return quote


def lines_of(quote: Quote) -> list[Line]:
    """Return the lines as they go onto the invoice."""
    return [Line(LineKind(line.kind), line.description, line.quantity, line.unit_amount) for line in quote.lines.all()]


def price_of(quote: Quote) -> pricing.Price:
    """Return the price that was quoted."""
    return pricing.Price(
        quote.currency,
        tuple(lines_of(quote)),
        tuple(quote.cancellation["units"]),
        tax_rate_bp=quote.tax_rate_bp,
        is_tax_inclusive=quote.is_tax_inclusive,
        tax_amount=quote.tax_amount,
        owner_fee=quote.owner_fee,
        commission=quote.commission,
        subsidy=quote.subsidy,
        promo=quote.promo,
    )


def asked_at(quote: Quote) -> datetime:
    return quote.expires_at - LIFE


def _check_pets(owner: User, pets: Sequence[Pet]) -> None:
    if len({pet.pk for pet in pets}) != len(pets):
        raise InvalidInput("A pet is named twice.", code="pet_twice", fields={"pets": ["A pet is named twice."]})
    if any(pet.owner_id != owner.pk for pet in pets):
        raise InvalidInput("Choose pets of yours.", code="pet_unknown", fields={"pets": ["Choose pets of yours."]})


def _check_addons(service: Service, addons: Sequence[AddOn]) -> None:
    known = len({addon.pk for addon in addons}) == len(addons)
    if not known or any(addon.service_id != service.pk or not addon.is_active for addon in addons):
        message = "Choose extras of this service, each once."
        raise InvalidInput(message, code="addon_unknown", fields={"addons": [message]})


def delete_stale(*, now: datetime) -> int:
    """Forget quotes that ran out a day ago and that nobody booked. Returns how many rows went, lines included."""
    return Quote.objects.filter(expires_at__lt=now - timedelta(days=1), bookings__isnull=True).delete()[0]
