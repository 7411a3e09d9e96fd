"""Stripe: PaymentIntents with a Payment Element in the browser, separate charges and transfers (Connect).

Sources: https://docs.stripe.com/api, https://docs.stripe.com/currencies#special-cases,
https://docs.stripe.com/api/idempotent_requests: a key keeps the first answer for a day, **also a 500**. So a refund or
a transfer is first looked for by our own mark, and a stored 500 is passed by with the next key after a look at what
became of the first.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import stripe
from django.conf import settings

from payments.gateways.base import (
    PAYMENT_KEY,
    BadSignature,
    Charge,
    ChargeRequest,
    ChargeState,
    DisputeSeen,
    DisputeState,
    Event,
    GatewayDeclined,
    GatewayError,
    GatewayRefused,
    GatewayUnavailable,
    GatewayUnknown,
    Movement,
    MovementKind,
    RefundSeen,
    RefundState,
    Transfer,
)

logger = logging.getLogger(__name__)
T = TypeVar("T")

TOLERANCE = 300  # seconds between the signing of a webhook and now, either way
CONNECT_SECONDS = 2.0
NEXT_KEYS = 4  # how many stored 500s in a row are passed by
MARK = "key"  # the entry of an object's metadata that holds our idempotency key
PAGE = 100

# Stripe takes these with two decimals although they have none.
_IN_HUNDREDTHS = {"ISK", "UGX"}
# Stripe wants the last of the three decimals to be 0.
_IN_STEPS_OF_TEN = {"BHD", "JOD", "KWD", "OMR", "TND"}
_NOT_TAKEN = {"IQD", "LYD", "IRR", "KPW", "SYP", "CUP", "SDG"}

_STATES: dict[str, ChargeState] = {
    "requires_payment_method": "requires_payment",
    "requires_confirmation": "requires_payment",
    "requires_action": "requires_action",
    "processing": "processing",
    "requires_capture": "authorized",
    "succeeded": "captured",
    "canceled": "canceled",
}
_REFUND_STATES: dict[str, RefundState] = {"succeeded": "succeeded", "failed": "failed", "canceled": "failed"}
_DISPUTE_STATES: dict[str, DisputeState] = {
    "warning_needs_response": "inquiry",
    "warning_under_review": "inquiry",
    "warning_closed": "won",
    "needs_response": "open",
    "under_review": "submitted",
    "prevented": "won",
    "won": "won",
    "lost": "lost",
}
_EVIDENCE_TEXTS = {
    "access_activity_log",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_name",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
}
# Our charge has failed for good, or the money is not there: another key may work later.
_TRANSFER_FAILURES = {"balance_insufficient", "insufficient_capabilities_for_transfer", "account_closed"}


class _StoredFailure(GatewayUnavailable):
    """Stripe has kept a 500 for this key and gives it back from now on."""


class StripeGateway:
    name = "stripe"
    label = "Card"
    methods: tuple[str, ...] = ("card",)

    def __init__(self, *, secret_key: str, webhook_secret: str, api_base: str, timeout: float) -> None:
        self.webhook_secret = webhook_secret
        self.is_live = not secret_key.startswith(("sk_test_", "rk_test_"))
        client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": api_base},
            http_client=stripe.RequestsClient(timeout=(min(CONNECT_SECONDS, timeout), timeout)),
            max_network_retries=0,  # the registry repeats
        )
        self.api = client.v1

    @classmethod
    def from_settings(cls) -> "StripeGateway":
        return cls(
            secret_key=settings.STRIPE_SECRET_KEY,
            webhook_secret=settings.STRIPE_WEBHOOK_SECRET,
            api_base=settings.STRIPE_API_BASE,
            timeout=settings.PAYMENT_TIMEOUT_SECONDS,
        )

    def supports(self, currency: str) -> bool:
        return currency not in _NOT_TAKEN

    # --- Charges --------------------------------------------------------------------------------

    def create(self, request: ChargeRequest, *, key: str) -> Charge:
        params: Any = {
            "amount": to_stripe(request.amount, request.currency),
            "currency": request.currency.lower(),
            "capture_method": request.capture,
            "automatic_payment_methods": {"enabled": True},
            "description": request.description[:1000],
            "metadata": {**request.metadata, MARK: key},
        }
        if request.payer_email:
            params["receipt_email"] = request.payer_email
        if suffix := _statement(request.statement):
            params["statement_descriptor_suffix"] = suffix
        # An intent whose answer was lost is known to nobody and cannot be paid: making another does no harm.
        intent = self._write(partial(self.api.payment_intents.create, params), key, look=lambda: None)
        return self._charge(intent, refunds=(), disputes=())

    def retrieve(self, ref: str) -> Charge:
        intent = _ask(lambda: self.api.payment_intents.retrieve(_id(ref, "pi"), {"expand": ["latest_charge.refunds"]}))
        if not intent.get("latest_charge"):
            return self._charge(intent, refunds=(), disputes=())
        return self._charge(intent, refunds=self._refunds(intent), disputes=self._disputes(ref))

    def capture(self, ref: str, *, amount: int, currency: str, key: str) -> Charge:
        params: Any = {"amount_to_capture": to_stripe(amount, currency)}
        call = partial(self.api.payment_intents.capture, _id(ref, "pi"), params)

        def captured() -> Charge | None:
            charge = self.retrieve(ref)
            return charge if charge.state == "captured" and charge.captured == amount else None

        return self._changed(ref, call, key, captured)

    def void(self, ref: str, *, key: str) -> Charge:
        call = partial(self.api.payment_intents.cancel, _id(ref, "pi"))

        def voided() -> Charge | None:
            charge = self.retrieve(ref)
            return charge if charge.state == "canceled" else None

        return self._changed(ref, call, key, voided)

    def _changed(self, ref: str, call: Callable[..., Any], key: str, done: Callable[[], Charge | None]) -> Charge:
        """Make a change that Stripe makes once at most; where it refuses a second time, see whether it is as wanted."""
        try:
            found = self._write(call, key, look=done)
        except GatewayRefused as error:
            charge = done() if error.code == "payment_intent_unexpected_state" else None
            if charge is None:
                raise
            return charge
        return found if isinstance(found, Charge) else self.retrieve(ref)

    # --- Refunds --------------------------------------------------------------------------------

    def refund(self, ref: str, *, amount: int, currency: str, key: str, reason: str = "") -> RefundSeen:
        params: Any = {
            "payment_intent": _id(ref, "pi"),
            "amount": to_stripe(amount, currency),
            "metadata": {MARK: key, "reason": reason[:500]},
        }

        def made() -> dict[str, Any] | None:
            listed = _ask(lambda: self.api.refunds.list({"payment_intent": ref, "limit": PAGE}))
            return next((one for one in _pages(listed) if (one.get("metadata") or {}).get(MARK) == key), None)

        found = made() or self._write(partial(self.api.refunds.create, params), key, look=made)
        return _refund_seen(found)

    def _refunds(self, intent: dict[str, Any]) -> tuple[RefundSeen, ...]:
        listed = intent["latest_charge"].get("refunds") or {"data": [], "has_more": False}
        rows = listed["data"]
        if listed["has_more"]:
            rows = list(_pages(_ask(lambda: self.api.refunds.list({"payment_intent": intent["id"], "limit": PAGE}))))
        return tuple(_refund_seen(row) for row in sorted(rows, key=lambda row: (row["created"], row["id"])))

    # --- Disputes -------------------------------------------------------------------------------

    def _disputes(self, ref: str) -> tuple[DisputeSeen, ...]:
        listed = _ask(lambda: self.api.disputes.list({"payment_intent": ref, "limit": PAGE}))
        rows = sorted(_pages(listed), key=lambda row: (row["created"], row["id"]))
        return tuple(_dispute_seen(row) for row in rows)

    def submit_evidence(self, dispute_ref: str, evidence: dict[str, str], *, key: str) -> None:
        texts = {name: text for name, text in evidence.items() if name in _EVIDENCE_TEXTS}
        others = [f"{name}: {text}" for name, text in evidence.items() if name not in _EVIDENCE_TEXTS]
        if others:
            texts["uncategorized_text"] = "\n\n".join(others)[:20_000]
        params: Any = {"evidence": texts, "submit": True, "metadata": {MARK: key}}

        def answered() -> dict[str, Any] | None:
            dispute = _ask(lambda: self.api.disputes.retrieve(_id(dispute_ref, "dp|du")))
            return None if dispute["status"] in ("warning_needs_response", "needs_response") else dispute

        if answered() is None:
            self._write(partial(self.api.disputes.update, dispute_ref, params), key, look=answered)

    # --- Providers ------------------------------------------------------------------------------

    def transfer(self, account_ref: str, *, amount: int, currency: str, key: str, description: str) -> Transfer:
        params: Any = {
            "amount": to_stripe(amount, currency),
            "currency": currency.lower(),
            "destination": _id(account_ref, "acct"),
            "description": description[:1000],
            "transfer_group": key,
        }

        def made() -> dict[str, Any] | None:
            return next(_pages(_ask(lambda: self.api.transfers.list({"transfer_group": key, "limit": 1}))), None)

        try:
            found = made() or self._write(partial(self.api.transfers.create, params), key, look=made)
        except GatewayRefused as error:
            if error.code not in _TRANSFER_FAILURES:
                raise
            return Transfer(ref="", amount=amount, currency=currency, state="failed", failure=error.message)
        reversed_ = bool(found["reversed"])
        return Transfer(
            ref=found["id"],
            amount=from_stripe(found["amount"], found["currency"]),
            currency=found["currency"].upper(),
            state="failed" if reversed_ else "paid",
            failure="It was reversed at Stripe." if reversed_ else "",
        )

    def create_account(self, *, email: str, country: str, key: str) -> str:
        params: Any = {
            "email": email,
            "country": country,
            "controller": {
                "stripe_dashboard": {"type": "express"},
                "fees": {"payer": "application"},
                "losses": {"payments": "application"},
            },
            "capabilities": {"transfers": {"requested": True}},
            "metadata": {MARK: key},
        }
        account = self._write(partial(self.api.accounts.create, params), key, look=lambda: None)
        return str(account["id"])

    def onboarding_url(self, account_ref: str, *, return_url: str, refresh_url: str) -> str:
        params: Any = {
            "account": _id(account_ref, "acct"),
            "return_url": return_url,
            "refresh_url": refresh_url,
            "type": "account_onboarding",
        }
        return str(_ask(lambda: self.api.account_links.create(params))["url"])

    def account_ready(self, account_ref: str) -> bool:
        account = _ask(lambda: self.api.accounts.retrieve(_id(account_ref, "acct")))
        capabilities = account.get("capabilities") or {}
        return bool(account["payouts_enabled"]) and capabilities.get("transfers") == "active"

    # --- Reconciliation -------------------------------------------------------------------------

    def movements(self, *, since: datetime, until: datetime) -> Iterator[Movement]:
        params: Any = {
            "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
            "limit": PAGE,
            "expand": ["data.source"],
        }
        for row in _pages(_ask(lambda: self.api.balance_transactions.list(params))):
            yield from _movements_of(row)

    # --- Webhooks -------------------------------------------------------------------------------

    def parse_event(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Event:
        header = next((value for name, value in headers.items() if name.lower() == "stripe-signature"), "")
        try:
            stripe.WebhookSignature.verify_header(body, header, self.webhook_secret, tolerance=None)
            # The first one: it is what the signature was checked with.
            signed_at = int(next(part[2:] for part in header.split(",") if part.startswith("t=")))
            payload = json.loads(body)
            kind, event_id, about = payload["type"], payload["id"], payload["data"]["object"]
        except (stripe.SignatureVerificationError, ValueError, KeyError, TypeError, StopIteration) as error:
            raise BadSignature from error
        if abs(now.timestamp() - signed_at) > TOLERANCE:
            logger.warning(
                "A Stripe webhook is %s seconds away from our clock: refused", int(now.timestamp()) - signed_at
            )
            raise BadSignature
        return Event(
            id=str(event_id),
            kind=str(kind),
            object_ref=str(about.get("payment_intent") or about.get("id") or ""),
            payment_uid=str((about.get("metadata") or {}).get(PAYMENT_KEY, "")),
            payload=payload,
            is_test=not payload.get("livemode", False),
        )

    # --- Asking ---------------------------------------------------------------------------------

    def _write(self, call: Callable[..., Any], key: str, *, look: Callable[[], T | None]) -> Any:
        """Call with ``key``; where Stripe stored a 500 for it, ``look`` for what was done, else use the next key."""
        for number in range(1 + NEXT_KEYS):
            options = {"idempotency_key": key if number == 0 else f"{key}:{number}"}
            try:
                return _ask(partial(call, options=options))
            except _StoredFailure:
                found = look()
                if found is not None:
                    return found
        raise GatewayUnavailable

    def _charge(
        self, intent: dict[str, Any], *, refunds: tuple[RefundSeen, ...], disputes: tuple[DisputeSeen, ...]
    ) -> Charge:
        state = _STATES[intent["status"]]
        currency = intent["currency"].upper()
        error = intent.get("last_payment_error") or {}
        amount = from_stripe(intent["amount"], currency)
        return Charge(
            ref=intent["id"],
            state=state,
            amount=amount,
            currency=currency,
            authorized=amount if state in ("authorized", "captured") else 0,
            captured=from_stripe(intent.get("amount_received") or 0, currency),
            client_secret=intent.get("client_secret") or "",
            failure_code=(error.get("decline_code") or error.get("code") or "") if state == "requires_payment" else "",
            failure_message=(error.get("message") or "") if state == "requires_payment" else "",
            metadata={name: value for name, value in (intent.get("metadata") or {}).items() if name != MARK},
            refunds=refunds,
            disputes=disputes,
        )


def to_stripe(amount: int, currency: str) -> int:
    """Turn our minor units into what Stripe counts in. Raises GatewayRefused where it cannot take the amount."""
    currency = currency.upper()
    if currency in _IN_HUNDREDTHS:
        return amount * 100
    if currency in _IN_STEPS_OF_TEN and amount % 10:
        raise GatewayRefused(f"Stripe takes {currency} in steps of 0.010 only.", code="amount_not_possible")
    return amount


def from_stripe(amount: int, currency: str) -> int:
    return amount // 100 if currency.upper() in _IN_HUNDREDTHS else amount


def _ask(call: Callable[[], Any]) -> Any:
    """Make one call; return its object as plain data, or raise in our words."""
    try:
        answer = call()
    except stripe.StripeError as error:
        raise _translated(error) from error
    # Objects of SDK 16 are no dicts; lists keep their object for paging.
    return answer if isinstance(answer, stripe.ListObject) else answer.to_dict()


def _pages(listed: Any) -> Iterator[dict[str, Any]]:
    pages = listed.auto_paging_iter()
    while True:
        try:
            row = next(pages)
        except StopIteration:
            return
        except stripe.StripeError as error:
            raise _translated(error) from error
        yield row.to_dict()


def _translated(error: stripe.StripeError) -> GatewayError:
    status = error.http_status
    message = error.user_message or "Stripe refused this."
    code = _code(error)
    if isinstance(error, stripe.CardError):
        return GatewayDeclined(_decline_code(error) or code, message)
    if isinstance(error, stripe.APIConnectionError | stripe.RateLimitError) or code == "lock_timeout":
        return GatewayUnavailable(f"Stripe: {type(error).__name__}")
    if status is None or status >= 500:
        is_stored = (error.headers or {}).get("idempotent-replayed") == "true"
        return (_StoredFailure if is_stored else GatewayUnavailable)(f"Stripe answered {status}")
    if status == 409:
        return GatewayUnavailable("Stripe is still busy with this key")
    if status in (401, 403):
        logger.error("Stripe does not accept our key: %s", status)
        return GatewayRefused("Stripe does not accept the site's key.", code="gateway_key")
    return (GatewayUnknown if status == 404 else GatewayRefused)(message, code=code)


def _code(error: stripe.StripeError) -> str:
    return str(error.code or (error.error.code if error.error else None) or "gateway_refused")


def _decline_code(error: stripe.CardError) -> str:
    found = error.error.to_dict() if error.error else {}
    return str(found.get("decline_code") or "")


def _id(ref: str, prefixes: str) -> str:
    """Return ``ref`` if it looks like one of Stripe's: it becomes part of an address."""
    if not re.fullmatch(rf"(?:{prefixes})_[A-Za-z0-9]{{1,200}}", ref):
        raise GatewayUnknown("This is no reference of Stripe's.", code="resource_missing")
    return ref


def _statement(text: str) -> str:
    """Keep what Stripe allows on a card statement behind the account's own name; '' when no letter is left."""
    allowed = re.sub(r"[^A-Za-z0-9 .,&-]", "", text)[:10].strip()
    return allowed if re.search(r"[A-Za-z]", allowed) else ""


def _refund_seen(row: dict[str, Any]) -> RefundSeen:
    return RefundSeen(
        ref=row["id"],
        amount=from_stripe(row["amount"], row["currency"]),
        state=_REFUND_STATES.get(row["status"], "pending"),
    )


def _dispute_seen(row: dict[str, Any]) -> DisputeSeen:
    due_by = (row.get("evidence_details") or {}).get("due_by")
    fees = sum(part["fee"] for part in row.get("balance_transactions") or [] if part["amount"] < 0)
    return DisputeSeen(
        ref=row["id"],
        amount=from_stripe(row["amount"], row["currency"]),
        fee=from_stripe(fees, row["currency"]),
        state=_DISPUTE_STATES.get(row["status"], "open"),
        reason=row.get("reason") or "",
        due_at=datetime.fromtimestamp(due_by, UTC) if due_by else None,
        is_refundable=bool(row["is_charge_refundable"]),
    )


def _movements_of(row: dict[str, Any]) -> Iterator[Movement]:
    kind = _movement_kind(row)
    source: Any = row.get("source") or {}
    source = source if isinstance(source, dict) else {"id": source}
    source_ref = str((source.get("payment_intent") if kind == "charge" else "") or source.get("id") or "")
    currency = row["currency"].upper()
    at = datetime.fromtimestamp(row["created"], UTC)
    if kind is not None:
        amount = from_stripe(row["amount"], currency)
        yield Movement(kind=kind, ref=row["id"], amount=amount, currency=currency, at=at, source_ref=source_ref)
    if row.get("fee"):
        fee = -from_stripe(row["fee"], currency)
        yield Movement(kind="fee", ref=f"{row['id']}:fee", amount=fee, currency=currency, at=at, source_ref=source_ref)


def _movement_kind(row: dict[str, Any]) -> MovementKind | None:
    """Return our word for a balance transaction; None for what is no business of ours (the platform's own payouts)."""
    kinds: dict[str, MovementKind] = {
        "charge": "charge",
        "payment": "charge",
        "refund": "refund",
        "payment_refund": "refund",
        "refund_failure": "refund",
        "payment_failure_refund": "refund",
        "transfer": "transfer",
        "transfer_refund": "transfer",
        "transfer_cancel": "transfer",
        "stripe_fee": "fee",
    }
    categories: dict[str, MovementKind] = {"dispute": "dispute", "dispute_reversal": "dispute_reversal"}
    return kinds.get(row["type"]) or categories.get(row.get("reporting_category", ""))
