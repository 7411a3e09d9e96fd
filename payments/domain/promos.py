"""Using promo codes up, and giving uses back. The limit is kept by the database, not by looking first.

Whether a code counts for a price is asked in ``payments.domain.promo_codes``.
"""

from datetime import datetime

from django.conf import settings
from django.db.models import F

from accounts.models import User
from payments.domain import promo_codes
from payments.models import Invoice, PromoCode, PromoRedemption
from petplace.errors import DomainError


class PromoError(DomainError):
    """A limit of the code is reached."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message, code=code, fields={"promo_code": [message]})


def redeem(promo: PromoCode, *, user: User, invoice: Invoice, amount: int, now: datetime) -> PromoRedemption:
    """Use ``promo`` once for ``invoice``, in the caller's transaction. Raises PromoError when a limit is reached.

    The conditional UPDATE keeps the code's row until the end of the transaction, so that the uses of one person are
    counted by one at a time. A second call for the same invoice changes nothing.
    """
    existing = PromoRedemption.objects.filter(invoice=invoice).first()
    if existing is not None and existing.released_at is None:
        return existing
    _take(promo)
    if promo_codes.uses_of(promo, user) >= _per_person(promo):
        raise _used_by_you()
    if existing is not None:
        existing.released_at = None
        existing.save(update_fields=["released_at"])
        return existing
    return PromoRedemption.objects.create(promo=promo, user=user, invoice=invoice, amount=amount)


def change(invoice: Invoice, *, amount: int) -> None:
    """Note that the code of an invoice now takes off another amount: the price was asked anew."""
    PromoRedemption.objects.filter(invoice=invoice).update(amount=amount)


def release(invoice: Invoice, *, now: datetime) -> bool:
    """Give the use of an invoice's code back, once: nothing came of it. The caller holds the invoice's lock."""
    rows = PromoRedemption.objects.filter(invoice=invoice, released_at=None)
    promo_ids = list(rows.values_list("promo_id", flat=True))
    if not rows.update(released_at=now):
        return False
    PromoCode.objects.filter(pk__in=promo_ids, used_count__gt=0).update(used_count=F("used_count") - 1)
    return True


def restore(invoice: Invoice, *, now: datetime) -> None:
    """Take the use again that was given back: the booking lives on. Raises PromoError when the code is used up."""
    redemption = PromoRedemption.objects.select_related("promo", "user").filter(invoice=invoice).first()
    if redemption is not None:
        redeem(redemption.promo, user=redemption.user, invoice=invoice, amount=redemption.amount, now=now)


def _take(promo: PromoCode) -> None:
    rows = PromoCode.objects.filter(pk=promo.pk)
    if settings.DISABLE_PAYMENT_LOCKS:  # look, then write: what the UPDATE below is there for
        if promo.max_uses is not None and rows.get().used_count >= promo.max_uses:
            raise _used_up()
        rows.update(used_count=promo.used_count + 1)
        return
    if promo.max_uses is not None:
        rows = rows.filter(used_count__lt=F("max_uses"))
    if not rows.update(used_count=F("used_count") + 1):
        raise _used_up()


def _per_person(promo: PromoCode) -> float:
    return float("inf") if promo.max_uses_per_person is None else promo.max_uses_per_person


def _used_up() -> PromoError:
    return PromoError("This code has been used as often as it could be.", code="promo_used_up")


def _used_by_you() -> PromoError:
    return PromoError("You have used this code as often as you can.", code="promo_used_before")
