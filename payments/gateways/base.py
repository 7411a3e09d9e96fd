"""What every gateway can do, in our words. One contract test suite holds all adapters to it.

Amounts are minor units of ISO 4217, whatever the gateway counts in. ``key`` is an idempotency key made of our row and
the operation: the same key with the same arguments has one effect and gives the same object, however often it is
sent. After :class:`GatewayUnavailable` the outcome is unknown; the same key again settles it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from petplace.errors import DomainError

# The entry of ``ChargeRequest.metadata`` that holds our payment's uid; events give it back as ``payment_uid``.
PAYMENT_KEY = "payment"

CaptureMethod = Literal["manual", "automatic"]
ChargeState = Literal[
    "requires_payment", "requires_action", "processing", "authorized", "captured", "canceled", "failed"
]
RefundState = Literal["pending", "succeeded", "failed"]
DisputeState = Literal["inquiry", "open", "submitted", "won", "lost"]
TransferState = Literal["paid", "failed", "pending"]
MovementKind = Literal["charge", "refund", "dispute", "dispute_reversal", "fee", "transfer"]


class GatewayError(DomainError):
    """The base of all that a gateway call raises."""

    code = "gateway_error"
    message = "The payment service could not do this."


class GatewayDeclined(GatewayError):
    """Final: the payer's means were refused. ``code`` is the gateway's word for it, ``message`` is for the payer."""

    status = 402
    code = "payment_declined"
    message = "The payment was declined. Please try another card."

    def __init__(self, code: str = "payment_declined", message: str | None = None) -> None:
        super().__init__(message, code=code)


class GatewayUnavailable(GatewayError):
    """A timeout, a dropped line, 429 or 5xx: **the outcome is unknown**. Send the same key again later."""

    status = 503
    code = "gateway_unavailable"
    message = "The payment service does not answer at the moment. Nothing is lost; please look again in a minute."


class GatewayPaused(GatewayUnavailable):
    """The breaker is open: the gateway was not even asked."""

    code = "gateway_paused"
    message = "Paying is paused for a moment because the payment service has trouble. Nothing is lost."


class GatewayRefused(GatewayError):
    """Final: our request is wrong or no longer possible there (too much, unknown, disputed). A matter for staff."""

    code = "gateway_refused"
    message = "The payment service refused this."


class GatewayUnknown(GatewayRefused):
    """The gateway does not know this reference, or not any more (PayPal forgets orders that nobody approved)."""

    code = "gateway_reference_unknown"
    message = "The payment service does not know this."


class BadSignature(GatewayError):
    """A webhook that the gateway did not sign, or not now."""

    status = 400
    code = "bad_signature"
    message = "The signature is wrong, missing or too old."


@dataclass(frozen=True)
class ChargeRequest:
    """A payment that somebody is about to make. ``return_url`` is where the gateway sends them back to."""

    amount: int
    currency: str
    capture: CaptureMethod
    description: str
    metadata: dict[str, str]
    return_url: str
    payer_email: str = ""
    statement: str = ""


@dataclass(frozen=True)
class RefundSeen:
    ref: str
    amount: int
    state: RefundState


@dataclass(frozen=True)
class DisputeSeen:
    """``amount`` and ``fee`` are what was taken from us. While it is not ``is_refundable`` a refund is refused."""

    ref: str
    amount: int
    fee: int
    state: DisputeState
    reason: str
    due_at: datetime | None
    is_refundable: bool


@dataclass(frozen=True)
class Charge:
    """A payment as the gateway has it now.

    ``authorized`` is what may be or was captured, ``captured`` what was taken (before refunds). In
    ``requires_payment`` the payer may still try: ``failure_code`` tells of their last try.
    """

    ref: str
    state: ChargeState
    amount: int
    currency: str
    authorized: int
    captured: int
    client_secret: str = ""
    redirect_url: str = ""
    failure_code: str = ""
    failure_message: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    refunds: tuple[RefundSeen, ...] = ()
    disputes: tuple[DisputeSeen, ...] = ()


@dataclass(frozen=True)
class Transfer:
    """Money sent to a provider. ``failed`` is final for its key: a new try needs a new key."""

    ref: str
    amount: int
    currency: str
    state: TransferState
    failure: str = ""


@dataclass(frozen=True)
class Movement:
    """One change of our balance at the gateway.

    ``ref`` names the movement itself. ``source_ref`` is the ref of what we know: the payment's for a charge, the
    refund's, dispute's or transfer's for those, and for a fee that of what it was taken for. ``amount`` is signed:
    positive is money for us. Fees are movements of their own, so a charge has its gross amount.
    """

    kind: MovementKind
    ref: str
    amount: int
    currency: str
    at: datetime
    source_ref: str


@dataclass(frozen=True)
class Event:
    """Something happened at the gateway: look at ``object_ref`` (a payment's ref where it is about one).

    ``kind`` is the gateway's own word. Figures in ``payload`` are not to be trusted, only kept.
    """

    id: str
    kind: str
    object_ref: str
    payment_uid: str
    payload: dict[str, Any]
    is_test: bool


class PaymentGateway(Protocol):
    """A service that takes, gives back and passes on money. No method may be called inside a transaction."""

    name: str
    label: str  # for the payer
    methods: tuple[str, ...]  # "card", "paypal"

    def supports(self, currency: str) -> bool:
        """Tell whether amounts in ``currency`` can be paid here. Asks nobody."""

    def create(self, request: ChargeRequest, *, key: str) -> Charge:
        """Prepare a payment. The payer pays by ``client_secret`` in their browser or by ``redirect_url``."""

    def retrieve(self, ref: str) -> Charge:
        """Return the payment as it is now, with its refunds and disputes. Unknown there is GatewayUnknown.

        Where the gateway wants a last step of ours after the payer's consent (PayPal), this takes it, once.
        """

    def capture(self, ref: str, *, amount: int, currency: str, key: str) -> Charge:
        """Take ``amount`` of what is authorized and release the rest. Captured already for as much is fine."""

    def void(self, ref: str, *, key: str) -> Charge:
        """Release what is authorized, or close a payment that nobody made. Refused when captured."""

    def refund(self, ref: str, *, amount: int, currency: str, key: str, reason: str = "") -> RefundSeen:
        """Give back a part or all. More than what is left is GatewayRefused."""

    def transfer(self, account_ref: str, *, amount: int, currency: str, key: str, description: str) -> Transfer:
        """Send money to a provider. ``pending`` settles later: the same key again tells how it stands."""

    def create_account(self, *, email: str, country: str, key: str) -> str:
        """Open a provider's account and return its ref. It is of use when :meth:`account_ready`."""

    def onboarding_url(self, account_ref: str, *, return_url: str, refresh_url: str) -> str:
        """Return the address where the provider proves who they are; it comes back to ``return_url``."""

    def account_ready(self, account_ref: str) -> bool:
        """Tell whether money can be sent there."""

    def submit_evidence(self, dispute_ref: str, evidence: dict[str, str], *, key: str) -> None:
        """Answer a dispute. Nothing happens to one that is answered or decided."""

    def movements(self, *, since: datetime, until: datetime) -> Iterator[Movement]:
        """List the changes of our balance in ``[since, until)``."""

    def parse_event(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Event:
        """Check a webhook's signature on the raw body and read it. Raises BadSignature."""
