"""PayPal: Orders v2 over REST, Payouts for providers, the reporting API for reconciliation.

Sources: https://developer.paypal.com/docs/api/orders/v2/, .../payments/v2/, .../payments.payouts-batch/v1/,
.../customer-disputes/v1/, .../transaction-search/v1/, .../webhooks/v1/#verify-webhook-signature_post.

The payer approves an order on PayPal's pages; the authorization or capture is then **our** step, and ``retrieve``
takes it when it finds an approved order. PayPal cannot cancel an order that nobody approved yet, so ``void`` marks it
(its ``custom_id``) and a marked order is never completed.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from payments.gateways.base import (
    PAYMENT_KEY,
    BadSignature,
    Charge,
    ChargeRequest,
    DisputeSeen,
    Event,
    GatewayDeclined,
    GatewayRefused,
    Movement,
    MovementKind,
    RefundSeen,
    Transfer,
    TransferState,
)
from payments.gateways.paypal_client import PayPalClient, checked
from payments.gateways.paypal_reading import (
    DECIMALS,
    TAKEN,
    VOIDED,
    amount_of,
    charge_of,
    dispute_fee,
    dispute_state,
    is_marked,
    money,
    movement_kind,
    part,
    parts,
    payment_uid,
    refund_seen,
)

logger = logging.getLogger(__name__)

# PayPal repeats a webhook for three days and signs each time anew.
TOLERANCE = timedelta(days=3)
AHEAD = timedelta(minutes=5)
REPORT_DAYS = 31  # one question to the reporting API spans no more

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
        self.webhook_id = webhook_id
        self.is_test = urlsplit(api_base).hostname != "api-m.paypal.com"
        self.client = PayPalClient(client_id=client_id, client_secret=client_secret, api_base=api_base, timeout=timeout)

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
        return currency.upper() in DECIMALS

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
        return charge_of(self.client.post("/v2/checkout/orders", body, key=key))

    def retrieve(self, ref: str) -> Charge:
        order = self._order(ref)
        if order["status"] == "APPROVED" and not is_marked(order):
            return self._complete(order)
        return self._with_disputes(charge_of(order), order)

    def _complete(self, order: dict[str, Any]) -> Charge:
        """Take the last step of an approved order. A decline sends the payer back to choose another means."""
        step = "authorize" if order["intent"] == "AUTHORIZE" else "capture"
        # Approved anew after a decline, the order has changed, so that it is another try and another key.
        key = f"{step}:{order['id']}:{order.get('update_time', '')}"
        try:
            self.client.post(f"/v2/checkout/orders/{order['id']}/{step}", {}, key=key)
        except GatewayDeclined as error:
            charge = charge_of(self._order(order["id"]))
            return replace(
                charge, state="requires_payment", failure_code=error.code.lower(), failure_message=error.message
            )
        except GatewayRefused as error:
            if error.code not in ("order_already_captured", "order_already_authorized", "payer_action_required"):
                raise
        return charge_of(self._order(order["id"]))

    def capture(self, ref: str, *, amount: int, currency: str, key: str) -> Charge:
        charge = self.retrieve(ref)
        if charge.state == "captured" and charge.captured == amount:
            return charge
        if charge.state != "authorized" or amount > charge.authorized:
            raise GatewayRefused(f"This payment cannot be captured: it is {charge.state}.", code="not_authorized")
        authorization = part(self._order(ref), "authorizations")
        body = {"amount": money(amount, currency), "final_capture": True}
        self.client.post(f"/v2/payments/authorizations/{authorization['id']}/capture", body, key=key)
        return self.retrieve(ref)

    def void(self, ref: str, *, key: str) -> Charge:
        order = self._order(ref)
        charge = charge_of(order)
        if charge.state == "canceled":
            return charge
        if charge.state == "captured":
            raise GatewayRefused("What was captured is refunded, not voided.", code="already_captured")
        if charge.state == "authorized":
            authorization = part(order, "authorizations")
            self.client.post(f"/v2/payments/authorizations/{authorization['id']}/void", None, key=key)
        else:
            mark = f"{VOIDED}{order['purchase_units'][0].get('custom_id', '')}"
            where = "/purchase_units/@reference_id=='default'/custom_id"
            changes = [{"op": "replace", "path": where, "value": mark}]
            self.client.call("PATCH", f"/v2/checkout/orders/{checked(ref)}", json_body=changes)
        return charge_of(self._order(ref))

    # --- Refunds --------------------------------------------------------------------------------

    def refund(self, ref: str, *, amount: int, currency: str, key: str, reason: str = "") -> RefundSeen:
        order = self._order(ref)
        made = next((one for one in parts(order, "refunds") if one.get("custom_id") == key), None)
        if made is not None:  # a key is remembered for some days only, this mark for good
            return refund_seen(made)
        capture = next((one for one in parts(order, "captures") if one["status"] in TAKEN), None)
        if capture is None:
            raise GatewayRefused("There is nothing to give back.", code="not_captured")
        body: dict[str, Any] = {"amount": money(amount, currency), "custom_id": key}
        if reason:
            body["note_to_payer"] = reason[:255]
        return refund_seen(self.client.post(f"/v2/payments/captures/{capture['id']}/refund", body, key=key))

    # --- Disputes -------------------------------------------------------------------------------

    def _with_disputes(self, charge: Charge, order: dict[str, Any]) -> Charge:
        found = []
        for capture in parts(order, "captures"):
            if capture["status"] in TAKEN:
                listed = self.client.get("/v1/customer/disputes", {"disputed_transaction_id": capture["id"]})
                found += [self._dispute(row["dispute_id"]) for row in listed.get("items", [])]
        return replace(charge, disputes=tuple(found)) if found else charge

    def _dispute(self, ref: str) -> DisputeSeen:
        row = self.client.get(f"/v1/customer/disputes/{checked(ref)}")
        state = dispute_state(row)
        due = row.get("seller_response_due_date")
        return DisputeSeen(
            ref=row["dispute_id"],
            amount=amount_of(row["dispute_amount"]),
            fee=dispute_fee(row),
            state=state,
            reason=row.get("reason", "").lower(),
            due_at=datetime.fromisoformat(due) if due else None,
            is_refundable=state == "inquiry",
        )

    def submit_evidence(self, dispute_ref: str, evidence: dict[str, str], *, key: str) -> None:
        row = self.client.get(f"/v1/customer/disputes/{checked(dispute_ref)}")
        if row["status"] not in ("OPEN", "WAITING_FOR_SELLER_RESPONSE"):
            return
        notes = "\n\n".join(f"{name}: {text}" for name, text in evidence.items())[:2000]
        said = {"evidences": [{"evidence_type": "OTHER", "notes": notes}]}
        files = {"input": (None, json.dumps(said), "application/json")}
        self.client.call("POST", f"/v1/customer/disputes/{checked(dispute_ref)}/provide-evidence", files=files, key=key)

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
        header = self.client.post("/v1/payments/payouts", body, key=key)["batch_header"]
        ref = header["payout_batch_id"]
        # The answer to a repeated key is the first one: how it stands now is another question.
        batch = self.client.get(f"/v1/payments/payouts/{checked(ref)}")
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
            report = self.client.get("/v1/reporting/transactions", asked)
            pages = int(report.get("total_pages") or 1)
            page += 1
            for row in report.get("transaction_details", []):
                yield from self._movements_of(row["transaction_info"], since, until)

    def _movements_of(self, info: dict[str, Any], since: datetime, until: datetime) -> Iterator[Movement]:
        at = datetime.fromisoformat(info["transaction_initiation_date"])
        kind = movement_kind(info["transaction_event_code"])
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
        listed = self.client.get("/v1/customer/disputes", {"disputed_transaction_id": reference})
        return str(next((row["dispute_id"] for row in listed.get("items", [])), reference))

    def _order_of(self, capture: str) -> str:
        found = self.client.get(f"/v2/payments/captures/{checked(capture)}")
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
            uid = payment_uid(about)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadSignature from error
        if not is_in_time:
            logger.warning("A PayPal webhook of %s is too far from our clock: refused", sent_at)
            raise BadSignature
        # The signature is over the very bytes, so they are put in as they came and never written anew.
        question = json.dumps(asked)[:-1].encode() + b', "webhook_event": ' + body + b"}"
        try:
            verdict = self.client.call("POST", "/v1/notifications/verify-webhook-signature", raw=question)
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
        return self.client.get(f"/v2/checkout/orders/{checked(ref)}")
