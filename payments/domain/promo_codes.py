"""Promo codes before they are used: making and ending them, and whether one counts for a price.

Using one up is ``payments.domain.promos.redeem``, in the transaction that takes the place.
"""

import re
from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.models import User
from payments.domain import terms
from payments.models import PromoCode, PromoRedemption
from petplace.errors import DomainError, InvalidInput, InvalidTransition
from petplace.money import format_money
from providers.models import Provider

CODE = re.compile(r"[A-Z0-9][A-Z0-9-]{3,39}")
MAX_PER_PROVIDER = 500
WHOLE_BP = 10_000


def find(code: str, provider: Provider, *, by: User | None, care: int, now: datetime) -> PromoCode:
    """Return the code that takes something off a price of ``care`` minor units at ``provider`` today.

    Raises InvalidInput (``promo_unknown``), or DomainError with what stands in the way. ``by`` None is a visitor, whose
    own uses cannot be known yet.
    """
    promo = PromoCode.objects.filter(code__iexact=clean_code(code)).first()
    if promo is None:
        raise _refused(InvalidInput, "promo_unknown", "There is no such code.")
    check(promo, provider, by=by, care=care, now=now)
    return promo


def check(promo: PromoCode, provider: Provider, *, by: User | None, care: int, now: datetime) -> None:
    """Raise DomainError when ``promo`` does not count for this price."""
    if promo.provider_id not in (None, provider.pk):
        raise _refused(DomainError, "promo_not_here", "This code is for another provider.")
    if promo.currency and promo.currency != provider.currency:
        raise _refused(DomainError, "promo_not_here", f"This code is for prices in {promo.currency}.")
    if promo.starts_at is not None and now < promo.starts_at:
        raise _refused(DomainError, "promo_not_yet", "This code cannot be used yet.")
    if not promo.is_active or (promo.ends_at is not None and promo.ends_at <= now):
        raise _refused(DomainError, "promo_expired", "This code has run out.")
    if promo.max_uses is not None and promo.used_count >= promo.max_uses:
        raise _refused(DomainError, "promo_used_up", "This code has been used as often as it could be.")
    if by is not None and promo.max_uses_per_person is not None and uses_of(promo, by) >= promo.max_uses_per_person:
        raise _refused(DomainError, "promo_used_before", "You have used this code as often as you can.")
    if care < promo.minimum_total:
        least = format_money(promo.minimum_total, provider.currency)
        raise _refused(DomainError, "promo_minimum", f"This code needs a price of {least} or more.")


def uses_of(promo: PromoCode, user: User) -> int:
    """Return how often ``user`` has used the code, those that were given back apart."""
    return PromoRedemption.objects.filter(promo=promo, user=user, released_at__isnull=True).count()


def clean_code(code: str) -> str:
    return code.strip().upper()


@transaction.atomic
def create(
    *,
    code: str,
    provider: Provider | None,
    percent_bp: int | None = None,
    amount: int | None = None,
    currency: str = "",
    minimum_total: int = 0,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    max_uses: int | None = None,
    max_uses_per_person: int | None = None,
    by: User | None = None,
    now: datetime | None = None,
) -> PromoCode:
    """Make a code: a percentage or an amount. Without ``provider`` it is the platform's, which then pays for it.

    A provider's amounts are in the provider's currency.
    """
    code = clean_code(code)
    currency = provider.currency if provider else currency
    errors: dict[str, list[str]] = {}
    if not CODE.fullmatch(code):
        errors["code"] = ["Use 4 to 40 letters, digits and hyphens."]
    if (percent_bp is None) == (amount is None):
        errors["percent_bp"] = ["Give a percentage or an amount."]
    if percent_bp is not None and not 1 <= percent_bp <= WHOLE_BP:
        errors["percent_bp"] = ["More than nothing, at most 100 %."]
    if amount is not None and amount < 1:
        errors["amount"] = ["More than nothing."]
    if (amount is not None or minimum_total) and not currency:
        errors["currency"] = ["Say the currency of the amounts."]
    if starts_at and ends_at and ends_at <= starts_at:
        errors["ends_at"] = ["The end must be after the start."]
    for name, limit in (("max_uses", max_uses), ("max_uses_per_person", max_uses_per_person)):
        if limit is not None and limit < 1:
            errors[name] = ["At least once, or leave it empty."]
    if errors:
        raise InvalidInput(fields=errors)
    if provider is not None and PromoCode.objects.filter(provider=provider).count() >= MAX_PER_PROVIDER:
        raise DomainError(f"A provider has at most {MAX_PER_PROVIDER} codes.", code="too_many")
    try:
        with transaction.atomic():
            promo = PromoCode.objects.create(
                code=code,
                provider=provider,
                percent_bp=percent_bp,
                amount=amount,
                currency=currency if amount is not None or minimum_total else "",
                minimum_total=minimum_total,
                starts_at=starts_at,
                ends_at=ends_at,
                max_uses=max_uses,
                max_uses_per_person=max_uses_per_person,
            )
    except IntegrityError as error:
        raise InvalidInput(fields={"code": ["This code is taken. Think of another one."]}) from error
    terms.record_promo(promo, before=None, by=by, now=now)
    return promo


@transaction.atomic
def end(promo: PromoCode, *, by: User | None = None, now: datetime | None = None) -> PromoCode:
    """Stop the code. Bookings and quotes that were made with it keep their price."""
    promo = PromoCode.objects.select_for_update(no_key=True).get(pk=promo.pk)
    if not promo.is_active:
        raise InvalidTransition("This code has been ended already.")
    before, promo.is_active = terms.of_promo(promo), False
    promo.save(update_fields=["is_active"])
    terms.record_promo(promo, before=before, by=by, now=now)
    return promo


def _refused(kind: type[DomainError], code: str, message: str) -> DomainError:
    return kind(message, code=code, fields={"promo_code": [message]})
