"""PayPal: Orders v2 over REST, Payouts for providers, the reporting API for reconciliation.

Sources: https://developer.paypal.com/docs/api/orders/v2/, .../payments/v2/, .../payments.payouts-batch/v1/,
.../customer-disputes/v1/, .../transaction-search/v1/, .../webhooks/v1/#verify-webhook-signature_post.

The payer approves an order on PayPal's pages; the authorization or capture is then **our** step, and ``retrieve``
takes it when it finds an approved order. PayPal cannot cancel an order that nobody approved yet, so ``void`` marks it
(its ``custom_id``) and a marked order is never completed.
"""

import json
import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

import requests
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
    GatewayRefused,
    GatewayUnavailable,
    GatewayUnknown,
    Movement,
    MovementKind,
    RefundSeen,
    RefundState,
    Transfer,
    TransferState,
)
from petplace.money import exponent

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 2.0
# PayPal repeats a webhook for three days and signs each time anew.
TOLERANCE = timedelta(days=3)
AHEAD = timedelta(minutes=5)
VOIDED = "void:"  # before an order's custom_id: nobody shall complete it
REPORT_DAYS = 31  # one question to the reporting API spans no more

# https://developer.paypal.com/reference/currency-codes/ with the decimals that PayPal wants.
_DECIMALS = {
    **dict.fromkeys(
        (
            "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "ILS", "MXN", "MYR", "NOK", "NZD",
            "PHP", "PLN", "SEK", "SGD", "THB", "USD",
        ),
        2,
    ),
    # JPY has none; of HUF and TWD PayPal takes whole units only.
    **dict.fromkeys(("HUF", "JPY", "TWD"), 0),
}  # fmt: skip

_DECLINES = {
    "INSTRUMENT_DECLINED",
    "TRANSACTION_REFUSED",
    "PAYER_CANNOT_PAY",
    "PAYER_ACCOUNT_RESTRICTED",
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
    "COMPLIANCE_VIOLATION",
    "AUTH_CAPTURE_NOT_ENABLED",
    "CARD_EXPIRED",
}
_TAKEN = {"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"}
_REFUND_STATES: dict[str, RefundState] = {"COMPLETED": "succeeded", "FAILED": "failed", "CANCELLED": "failed"}
_PAYOUT_STATES: dict[str, TransferState] = {"SUCCESS": "paid", "DENIED": "failed", "CANCELED": "failed"}
_ITEM_STATES: dict[str, TransferState] = {
    "SUCCESS": "paid",
    "DENIED": "failed",
    "FAILED": "failed",
    "RETURNED": "failed",
    "BLOCKED": "failed",
    "REFUNDED": "failed",
    "REVERSED": "failed",
}


class PayPalGateway:
    name = "paypal"
    label = "PayPal"
    methods: tuple[str, ...] = ("paypal",)

    def __init__(self, *, client_id: str, client_secret: str, webhook_id: str, api_base: str, timeout: float) -> None:
        self.credentials = (client_id, client_secret)
        self.webhook_id = webhook_id
        self.api_base = api_base
        self.timeout = (min(CONNECT_SECONDS, timeout), timeout)
        self.is_test = urlsplit(api_base).hostname != "api-m.paypal.com"
        self._lock = threading.Lock()
        self._local = threading.local()
        self._token = ""
        self._token_ends = 0.0
        self._token_failed_at = 0.0

    @classmethod
    def from_settings(cls) -> "PayPalGateway":
        return cls(
            client_id=settings.PAYPAL_CLIENT_ID,
            client_secret=settings.PAYPAL_CLIENT_SECRET,
            webhook_id=settings.PAYPAL_WEBHOOK_ID,
            api_base=settings.PAYPAL_API_BASE,
            timeout=settings.PAYMENT_TIMEOUT_SECONDS,
        )

    def supports(self, currency: str) -> bool:
        return currency.upper() in _DECIMALS

    # --- Charges --------------------------------------------------------------------------------

    def create(self, request: ChargeRequest, *, key: str) -> Charge:
        body = {
            "intent": "AUTHORIZE" if request.capture == "manual" else "CAPTURE",
            "purchase_units": [
                {
                    "reference_id": "default",
                    "amount": money(request.amount, request.currency),
                    "custom_id": request.metadata.get(PAYMENT_KEY, ""),
                    "description": request.description[:127],
                    **({"soft_descriptor": request.statement[:22]} if request.statement else {}),
                }
            ],
            "payment_source": {
                "paypal": {
                    "experience_context": {
                        "return_url": request.return_url,
                        "cancel_url": request.return_url,
                        "user_action": "PAY_NOW",
                        "shipping_preference": "NO_SHIPPING",
                    },
                    **({"email_address": request.payer_email} if request.payer_email else {}),
                }
            },
        }
        return self._charge(self._post("/v2/checkout/orders", body, key=key))

    def retrieve(self, ref: str) -> Charge:
        order = self._order(ref)
        if order["status"] == "APPROVED" and not _is_marked(order):
            return self._complete(order)
        return self._with_disputes(self._charge(order), order)

    def _complete(self, order: dict[str, Any]) -> Charge:
        """Take the last step of an approved order. A decline sends the payer back to choose another means."""
        step = "authorize" if order["intent"] == "AUTHORIZE" else "capture"
        # Approved anew after a decline, the order has changed, so that it is another try and another key.
        key = f"{step}:{order['id']}:{order.get('update_time', '')}"
        try:
            self._post(f"/v2/checkout/orders/{order['id']}/{step}", {}, key=key)
        except GatewayDeclined as error:
            charge = self._charge(self._order(order["id"]))
            return replace(
                charge, state="requires_payment", failure_code=error.code.lower(), failure_message=error.message
            )
        except GatewayRefused as error:
            if error.code not in ("order_already_captured", "order_already_authorized", "payer_action_required"):
                raise
        return self._charge(self._order(order["id"]))

    def capture(self, ref: str, *, amount: int, currency: str, key: str) -> Charge:
        charge = self.retrieve(ref)
        if charge.state == "captured" and charge.captured == amount:
            return charge
        if charge.state != "authorized" or amount > charge.authorized:
            raise GatewayRefused(f"This payment cannot be captured: it is {charge.state}.", code="not_authorized")
        authorization = _part(self._order(ref), "authorizations")
        body = {"amount": money(amount, currency), "final_capture": True}
        self._post(f"/v2/payments/authorizations/{authorization['id']}/capture", body, key=key)
        return self.retrieve(ref)

    def void(self, ref: str, *, key: str) -> Charge:
        order = self._order(ref)
        charge = self._charge(order)
        if charge.state == "canceled":
            return charge
        if charge.state == "captured":
            raise GatewayRefused("What was captured is refunded, not voided.", code="already_captured")
        if charge.state == "authorized":
            authorization = _part(order, "authorizations")
            self._post(f"/v2/payments/authorizations/{authorization['id']}/void", None, key=key)
        else:
            mark = f"{VOIDED}{order['purchase_units'][0].get('custom_id', '')}"
            where = "/purchase_units/@reference_id=='default'/custom_id"
            changes = [{"op": "replace", "path": where, "value": mark}]
            self._call("PATCH", f"/v2/checkout/orders/{_id(ref)}", json_body=changes)
        return self._charge(self._order(ref))

    # --- Refunds --------------------------------------------------------------------------------

    def refund(self, ref: str, *, amount: int, currency: str, key: str, reason: str = "") -> RefundSeen:
        order = self._order(ref)
        made = next((one for one in _parts(order, "refunds") if one.get("custom_id") == key), None)
        if made is not None:  # a key is remembered for some days only, this mark for good
            return _refund_seen(made)
        capture = next((one for one in _parts(order, "captures") if one["status"] in _TAKEN), None)
        if capture is None:
            raise GatewayRefused("There is nothing to give back.", code="not_captured")
        body: dict[str, Any] = {"amount": money(amount, currency), "custom_id": key}
        if reason:
            body["note_to_payer"] = reason[:255]
        return _refund_seen(self._post(f"/v2/payments/captures/{capture['id']}/refund", body, key=key))

    # --- Disputes -------------------------------------------------------------------------------

    def _with_disputes(self, charge: Charge, order: dict[str, Any]) -> Charge:
        found = []
        for capture in _parts(order, "captures"):
            if capture["status"] in _TAKEN:
                listed = self._get("/v1/customer/disputes", {"disputed_transaction_id": capture["id"]})
                found += [self._dispute(row["dispute_id"]) for row in listed.get("items", [])]
        return replace(charge, disputes=tuple(found)) if found else charge

    def _dispute(self, ref: str) -> DisputeSeen:
        row = self._get(f"/v1/customer/disputes/{_id(ref)}")
        state = _dispute_state(row)
        due = row.get("seller_response_due_date")
        return DisputeSeen(
            ref=row["dispute_id"],
            amount=amount_of(row["dispute_amount"]),
            fee=_dispute_fee(row),
            state=state,
            reason=row.get("reason", "").lower(),
            due_at=datetime.fromisoformat(due) if due else None,
            is_refundable=state == "inquiry",
        )

    def submit_evidence(self, dispute_ref: str, evidence: dict[str, str], *, key: str) -> None:
        row = self._get(f"/v1/customer/disputes/{_id(dispute_ref)}")
        if row["status"] not in ("OPEN", "WAITING_FOR_SELLER_RESPONSE"):
            return
        notes = "\n\n".join(f"{name}: {text}" for name, text in evidence.items())[:2000]
        said = {"evidences": [{"evidence_type": "OTHER", "notes": notes}]}
        files = {"input": (None, json.dumps(said), "application/json")}
        self._call("POST", f"/v1/customer/disputes/{_id(dispute_ref)}/provide-evidence", files=files, key=key)

    # --- Providers ------------------------------------------------------------------------------

    def transfer(self, account_ref: str, *, amount: int, currency: str, key: str, description: str) -> Transfer:
        body = {
            "sender_batch_header": {"sender_batch_id": key[:256], "email_subject": description[:255]},
            "items": [
                {
                    "recipient_type": "EMAIL",
                    "receiver": account_ref,
                    "amount": {"value": money(amount, currency)["value"], "currency": currency.upper()},
                    "note": description[:1000],
                    "sender_item_id": key[:63],
                }
            ],
        }
        header = self._post("/v1/payments/payouts", body, key=key)["batch_header"]
        ref = header["payout_batch_id"]
        # The answer to a repeated key is the first one: how it stands now is another question.
        batch = self._get(f"/v1/payments/payouts/{_id(ref)}")
        item: dict[str, Any] = next(iter(batch.get("items", [])), {})
        state = _PAYOUT_STATES.get(batch["batch_header"]["batch_status"], "pending")
        if item:
            state = _ITEM_STATES.get(item["transaction_status"], "pending")
        failure = item.get("errors", {}).get("message", "") or ("PayPal did not pay." if state == "failed" else "")
        return Transfer(
            ref=ref, amount=amount, currency=currency, state=state, failure=failure if state == "failed" else ""
        )

    def create_account(self, *, email: str, country: str, key: str) -> str:
        """PayPal pays to an address: nothing is opened, nobody is asked."""
        return email

    def onboarding_url(self, account_ref: str, *, return_url: str, refresh_url: str) -> str:
        """There is nothing to prove to us; PayPal asks the receiver itself."""
        return return_url

    def account_ready(self, account_ref: str) -> bool:
        return "@" in account_ref

    # --- Reconciliation -------------------------------------------------------------------------

    def movements(self, *, since: datetime, until: datetime) -> Iterator[Movement]:
        start = since
        while start < until:
            end = min(start + timedelta(days=REPORT_DAYS), until)
            yield from self._movements(start, end)
            start = end

    def _movements(self, since: datetime, until: datetime) -> Iterator[Movement]:
        page, pages = 1, 1
        while page <= pages:
            asked = {
                "start_date": since.isoformat(),
                "end_date": until.isoformat(),
                "fields": "transaction_info",
                "page_size": "500",
                "page": str(page),
            }
            report = self._get("/v1/reporting/transactions", asked)
            pages = int(report.get("total_pages") or 1)
            page += 1
            for row in report.get("transaction_details", []):
                yield from self._movements_of(row["transaction_info"], since, until)

    def _movements_of(self, info: dict[str, Any], since: datetime, until: datetime) -> Iterator[Movement]:
        at = datetime.fromisoformat(info["transaction_initiation_date"])
        kind = _movement_kind(info["transaction_event_code"])
        if kind is None or not since <= at < until or info.get("transaction_status") not in ("S", None):
            return
        ref = info["transaction_id"]
        currency = info["transaction_amount"]["currency_code"]
        amount = amount_of(info["transaction_amount"])
        reference = str(info.get("paypal_reference_id") or ref)
        # A refund's id is its transaction's; one that comes back is a transaction of its own.
        source = (ref if amount < 0 else reference) if kind == "refund" else self._source_of(kind, ref, reference)
        yield Movement(kind=kind, ref=ref, amount=amount, currency=currency, at=at, source_ref=source)
        if "fee_amount" in info and (fee := amount_of(info["fee_amount"])):
            yield Movement(kind="fee", ref=f"{ref}:fee", amount=fee, currency=currency, at=at, source_ref=source)

    def _source_of(self, kind: MovementKind, ref: str, reference: str) -> str:
        """Return the ref by which we know it. Reports name a dispute, and its fee, by the disputed transaction."""
        if kind == "charge":
            return self._order_of(ref)
        if kind == "transfer":
            return reference
        listed = self._get("/v1/customer/disputes", {"disputed_transaction_id": reference})
        return str(next((row["dispute_id"] for row in listed.get("items", [])), reference))

    def _order_of(self, capture: str) -> str:
        found = self._get(f"/v2/payments/captures/{_id(capture)}")
        return str(found.get("supplementary_data", {}).get("related_ids", {}).get("order_id") or capture)

    # --- Webhooks -------------------------------------------------------------------------------

    def parse_event(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Event:
        given = {name.lower(): value for name, value in headers.items()}
        try:
            payload = json.loads(body)
            sent_at = datetime.fromisoformat(given["paypal-transmission-time"])
            asked = {
                "auth_algo": given["paypal-auth-algo"],
                "cert_url": given["paypal-cert-url"],
                "transmission_id": given["paypal-transmission-id"],
                "transmission_sig": given["paypal-transmission-sig"],
                "transmission_time": given["paypal-transmission-time"],
                "webhook_id": self.webhook_id,
            }
            is_in_time = -AHEAD <= now - sent_at <= TOLERANCE
            kind, event_id, about = payload["event_type"], payload["id"], payload["resource"]
            uid = _payment_uid(about)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadSignature from error
        if not is_in_time:
            logger.warning("A PayPal webhook of %s is too far from our clock: refused", sent_at)
            raise BadSignature
        # The signature is over the very bytes, so they are put in as they came and never written anew.
        question = json.dumps(asked)[:-1].encode() + b', "webhook_event": ' + body + b"}"
        try:
            verdict = self._call("POST", "/v1/notifications/verify-webhook-signature", raw=question)
        except GatewayRefused as error:
            raise BadSignature from error
        if verdict.get("verification_status") != "SUCCESS":
            raise BadSignature
        return Event(
            id=str(event_id),
            kind=str(kind),
            object_ref=self._object_of(about),
            payment_uid=uid,
            payload=payload,
            is_test=self.is_test,
        )

    def _object_of(self, about: dict[str, Any]) -> str:
        """Return the order that an event is about, else its object. Refunds and disputes name their capture only."""
        if order := about.get("supplementary_data", {}).get("related_ids", {}).get("order_id"):
            return str(order)
        disputed: dict[str, Any] = next(iter(about.get("disputed_transactions") or []), {})
        above = next((link["href"] for link in about.get("links", []) if link.get("rel") == "up"), "")
        kind, _, ref = above.rpartition("/v2/")[2].rpartition("/")
        if kind == "checkout/orders":
            return str(ref)
        capture = disputed.get("seller_transaction_id") or (ref if kind == "payments/captures" else "")
        try:
            return self._order_of(str(capture)) if capture else str(about.get("id") or "")
        except GatewayRefused:  # not ours
            return str(about.get("id") or about.get("dispute_id") or "")

    # --- Asking ---------------------------------------------------------------------------------

    def _order(self, ref: str) -> dict[str, Any]:
        return self._get(f"/v2/checkout/orders/{_id(ref)}")

    def _get(self, path: str, params: dict[str, str] | None = None) -> dict[str, Any]:
        return self._call("GET", path, params=params)

    def _post(self, path: str, body: Any, *, key: str) -> dict[str, Any]:
        return self._call("POST", path, json_body=body, key=key)

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        json_body: Any = None,
        raw: bytes | None = None,
        files: Any = None,
        key: str = "",
    ) -> dict[str, Any]:
        headers = {"Prefer": "return=representation"}
        if key:
            headers["PayPal-Request-Id"] = str(uuid5(NAMESPACE_URL, key))  # some doors take 38 characters only
        if files is None:
            headers["Content-Type"] = "application/json"
            raw = json.dumps(json_body).encode() if raw is None and json_body is not None else raw
        for is_last in (False, True):
            headers["Authorization"] = f"Bearer {self._bearer(is_fresh=is_last)}"
            answer = self._send(method, path, params=params, data=raw, files=files, headers=headers)
            if answer.status_code != 401:
                break
        return _read(answer)

    def _bearer(self, *, is_fresh: bool) -> str:
        """Return the access token. Who waited for somebody else's try takes its failure for an answer: a dozen in a
        row would each wait for a silent PayPal in turn.
        """
        came = time.monotonic()
        with self._lock:
            if not is_fresh and time.monotonic() < self._token_ends:
                return self._token
            if self._token_failed_at >= came:
                raise GatewayUnavailable("PayPal gives no access token at the moment.")
            try:
                asked = self._send(
                    "POST", "/v1/oauth2/token", data={"grant_type": "client_credentials"}, auth=self.credentials
                )
                found = _read(asked)
            except GatewayUnavailable:
                self._token_failed_at = time.monotonic()
                raise
            self._token = str(found["access_token"])
            self._token_ends = time.monotonic() + float(found["expires_in"]) - 60
            return self._token

    def _send(self, method: str, path: str, **what: Any) -> requests.Response:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
        try:
            return session.request(
                method, f"{self.api_base}{path}", timeout=self.timeout, allow_redirects=False, **what
            )
        except requests.RequestException as error:
            raise GatewayUnavailable(f"PayPal: {type(error).__name__}") from error

    def _charge(self, order: dict[str, Any]) -> Charge:
        unit = order["purchase_units"][0]
        captures, authorizations = _parts(order, "captures"), _parts(order, "authorizations")
        taken = sum(amount_of(one["amount"]) for one in captures if one["status"] in _TAKEN)
        state = _state(order, captures, authorizations)
        amount = amount_of(unit["amount"])
        custom_id = str(unit.get("custom_id") or "")
        links = {link["rel"]: link["href"] for link in order.get("links", [])}
        return Charge(
            ref=order["id"],
            state=state,
            amount=amount,
            currency=unit["amount"]["currency_code"],
            authorized=amount if state in ("authorized", "captured") else 0,
            captured=taken,
            redirect_url=(links.get("payer-action") or links.get("approve") or "")
            if state in ("requires_payment", "requires_action")
            else "",
            metadata={PAYMENT_KEY: custom_id.removeprefix(VOIDED)} if custom_id else {},
            refunds=tuple(_refund_seen(one) for one in _parts(order, "refunds")),
        )


def money(amount: int, currency: str) -> dict[str, str]:
    """Write minor units as PayPal wants them. Raises GatewayRefused for what it cannot take."""
    currency = currency.upper()
    if currency not in _DECIMALS:
        raise GatewayRefused(f"PayPal does not take {currency}.", code="currency_not_supported")
    value = Decimal(amount).scaleb(-exponent(currency))
    wanted = Decimal(1).scaleb(-_DECIMALS[currency])
    if value != value.quantize(wanted):
        raise GatewayRefused(f"PayPal takes whole {currency} only.", code="amount_not_possible")
    return {"currency_code": currency, "value": str(value.quantize(wanted))}


def amount_of(found: Mapping[str, str]) -> int:
    """Read an amount of PayPal's into minor units, exactly."""
    return int(Decimal(found["value"]).scaleb(exponent(found["currency_code"])))


def _read(answer: requests.Response) -> dict[str, Any]:
    """Return an answer's object, or raise what it means."""
    status = answer.status_code
    if status == 429 or status >= 500:
        raise GatewayUnavailable(f"PayPal answered {status}")
    try:
        found = answer.json() if answer.content else {}
    except ValueError as error:
        raise GatewayUnavailable(f"PayPal answered {status} with what is no JSON") from error
    if 200 <= status < 300:
        return dict(found)
    details: dict[str, Any] = next(iter(found.get("details") or []), {})
    issue = str(details.get("issue") or found.get("name") or found.get("error") or "gateway_refused")
    message = str(details.get("description") or found.get("message") or "PayPal refused this.")
    if status in (401, 403):
        logger.error("PayPal does not accept our keys: %s", issue)
        raise GatewayRefused(message, code="gateway_key")
    if issue in _DECLINES:
        raise GatewayDeclined(issue.lower(), message)
    if status == 409 or issue in ("PREVIOUS_REQUEST_IN_PROGRESS", "DUPLICATE_INVOICE_ID_IN_PROGRESS"):
        raise GatewayUnavailable("PayPal is still busy with this key")
    raise (GatewayUnknown if status == 404 else GatewayRefused)(message, code=issue.lower())


def _id(ref: str) -> str:
    """Return ``ref`` if it can be one of PayPal's: it becomes part of an address."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", ref):
        raise GatewayUnknown("This is no reference of PayPal's.", code="resource_not_found")
    return ref


def _parts(order: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return list(order["purchase_units"][0].get("payments", {}).get(kind, []))


def _part(order: dict[str, Any], kind: str) -> dict[str, Any]:
    return _parts(order, kind)[-1]


def _is_marked(order: dict[str, Any]) -> bool:
    return str(order["purchase_units"][0].get("custom_id") or "").startswith(VOIDED)


def _state(order: dict[str, Any], captures: list[dict[str, Any]], authorizations: list[dict[str, Any]]) -> ChargeState:
    if any(one["status"] in _TAKEN for one in captures):
        return "captured"
    if captures:
        return "processing" if captures[-1]["status"] == "PENDING" else "failed"
    if authorizations:
        states: dict[str, ChargeState] = {
            "CREATED": "authorized",
            "PENDING": "processing",
            "VOIDED": "canceled",
            "EXPIRED": "canceled",
        }
        return states.get(authorizations[-1]["status"], "failed")
    if order["status"] == "VOIDED" or _is_marked(order):
        return "canceled"
    return "requires_payment"


def _refund_seen(row: dict[str, Any]) -> RefundSeen:
    return RefundSeen(
        ref=row["id"], amount=amount_of(row["amount"]), state=_REFUND_STATES.get(row["status"], "pending")
    )


def _dispute_state(row: dict[str, Any]) -> DisputeState:
    if row["status"] == "RESOLVED":
        outcome = row.get("dispute_outcome", {}).get("outcome_code", "")
        return "lost" if outcome in ("RESOLVED_BUYER_FAVOUR", "ACCEPTED") else "won"
    if row.get("dispute_life_cycle_stage") == "INQUIRY":
        return "inquiry"
    return "open" if row["status"] in ("OPEN", "WAITING_FOR_SELLER_RESPONSE") else "submitted"


def _dispute_fee(row: dict[str, Any]) -> int:
    """Add up what the dispute itself cost us, in the dispute's currency."""
    currency = row["dispute_amount"]["currency_code"]
    moves = row.get("fund_movements") or row.get("money_movements") or []
    return sum(
        abs(amount_of(move["amount"]))
        for move in moves
        if (move.get("party") or move.get("affected_party")) == "SELLER"
        and move.get("reason") in ("DISPUTE_FEE", "CHARGEBACK_FEE")
        and move["amount"]["currency_code"] == currency
    )


def _movement_kind(code: str) -> MovementKind | None:
    """Source: https://developer.paypal.com/docs/transaction-search/transaction-event-codes/"""
    exact: dict[str, MovementKind] = {
        "T0001": "transfer",
        "T1107": "refund",
        "T1106": "dispute",
        "T1201": "dispute",
        "T1202": "dispute_reversal",
        "T1207": "dispute_reversal",
        "T0106": "fee",
    }
    return exact.get(code) or ("charge" if code.startswith("T00") else None)


def _payment_uid(about: dict[str, Any]) -> str:
    """Return our payment's uid from an order, a capture or an authorization; '' where PayPal does not carry it."""
    unit = next(iter(about.get("purchase_units") or []), about)
    disputed: dict[str, Any] = next(iter(about.get("disputed_transactions") or []), {})
    found = str(unit.get("custom_id") or disputed.get("custom") or "").removeprefix(VOIDED)
    return found if re.fullmatch(r"[0-9a-f-]{32,36}", found) else ""  # a refund's mark is a key of ours
