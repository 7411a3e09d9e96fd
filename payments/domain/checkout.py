"""What the pay page says: how much is to be paid now, until when, how the last attempt ended, and where it stands."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from payments.domain import charges, subjects
from payments.gateways import breaker, registry
from payments.gateways.base import PaymentGateway
from payments.models import Invoice, Payment
from payments.models.charge import Wanted
from payments.states import LIVE_PAYMENT_STATES, PaymentState

# What the payer can do about it. The words on the left are those of the gateways.
ADVICE = {
    "insufficient_funds": "Your bank can tell you whether this one has a limit.",
    "authentication_failed": "Try once more and approve it in your bank's app, or take another card.",
    "payment_intent_authentication_failure": "Try once more and approve it in your bank's app, or take another card.",
    "expired_card": "This card has run out. Please take another one.",
    "incorrect_cvc": "Look at the three or four digits on the card again.",
    "incorrect_number": "Look at the number of the card again.",
    "processing_error": "That was not your card's fault. Please try once more in a minute.",
}
OTHER_ADVICE = "If it happens again, your bank can tell you why."


class Stage(StrEnum):
    """Where paying stands, for the payer."""

    DUE = "due"
    PROCESSING = "processing"
    AUTHORIZED = "authorized"
    PAID = "paid"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    UNRETURNED = "unreturned"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Failure:
    """Why the last attempt did not work, and what to do."""

    message: str
    advice: str


@dataclass(frozen=True)
class Way:
    """A gateway that takes the currency; ``is_paused`` while it does not answer."""

    gateway: PaymentGateway
    is_paused: bool


@dataclass(frozen=True)
class Checkout:
    """All amounts in minor units of the invoice's currency. ``payment`` is the attempt that can be gone on with."""

    invoice: Invoice
    stage: Stage
    due: int
    paid: int
    authorized: int
    refunded: int
    rest: int
    until: datetime | None
    payment: Payment | None
    failure: Failure | None
    ways: list[Way]
    url: str

    @property
    def is_paused(self) -> bool:
        """Whether no way of paying works at the moment."""
        return bool(self.ways) and all(way.is_paused for way in self.ways)

    @property
    def is_part(self) -> bool:
        """Whether something is left to be paid after this."""
        return self.rest > 0


def look(invoice: Invoice, *, now: datetime) -> Checkout:
    """Return how paying ``invoice`` stands by our own rows; no gateway is asked."""
    sale = invoice.parent or invoice
    attempts = [one for one in invoice.payments.order_by("-pk") if not one.is_cash]
    live = next((one for one in attempts if one.state in LIVE_PAYMENT_STATES and not one.wanted), None)
    held = [one for one in attempts if one.is_authorized and not one.flagged and one.wanted != Wanted.VOID]
    authorized = sum(one.amount for one in held)
    refunded = sum(one.refunded_amount for one in attempts)
    due = charges.due_now(invoice)
    until = subjects.deadline(sale)
    return Checkout(
        invoice=invoice,
        stage=_stage(invoice, due=due, authorized=authorized, refunded=refunded, live=live, until=until, now=now),
        due=due,
        paid=invoice.paid_amount,
        authorized=authorized,
        refunded=refunded,
        rest=max(invoice.claim - charges.secured(invoice) - due, 0),
        until=until,
        payment=live if live is not None and live.ref is not None and live.amount == due else None,
        failure=_failure(attempts),
        ways=[Way(one, breaker.is_open(one.name)) for one in registry.offered(invoice.currency)],
        url=subjects.url(sale),
    )


def unsettled(invoice: Invoice) -> list[Payment]:
    """Return the attempts of which the gateway may know more than we do."""
    return list(Payment.objects.unsettled().filter(invoice=invoice).order_by("pk"))


def _stage(
    invoice: Invoice,
    *,
    due: int,
    authorized: int,
    refunded: int,
    live: Payment | None,
    until: datetime | None,
    now: datetime,
) -> Stage:
    if invoice.is_credit_note:
        return Stage.NOTHING
    if invoice.is_void and invoice.paid_amount:  # what goes back by itself is not counted as paid any more
        return Stage.UNRETURNED
    if invoice.is_void:
        return Stage.REFUNDED if refunded else Stage.EXPIRED
    if live is not None and (live.flagged or live.state == PaymentState.PROCESSING):
        return Stage.PROCESSING
    if due:
        return Stage.EXPIRED if invoice.is_draft and until is not None and until <= now else Stage.DUE
    if authorized:
        return Stage.AUTHORIZED
    if invoice.paid_amount:
        return Stage.PAID
    return Stage.REFUNDED if refunded else Stage.NOTHING


def _failure(attempts: list[Payment]) -> Failure | None:
    """Tell of the newest attempt, unless it is under way or worked. What was never sent is nobody's fault."""
    last = next((one for one in attempts if one.state != PaymentState.VOIDED), None)
    if last is None or not last.failure_message or last.state in (PaymentState.AUTHORIZED, PaymentState.CAPTURED):
        return None
    if last.failure_code == "never_sent":
        return None
    return Failure(last.failure_message, ADVICE.get(last.failure_code, OTHER_ADVICE))
