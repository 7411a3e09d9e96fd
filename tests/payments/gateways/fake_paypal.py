"""A PayPal that remembers: orders, authorizations, captures, refunds, disputes, payouts, reports, request ids.

Shapes and rules after https://developer.paypal.com/docs/api/: what our adapter uses of it, and what may go wrong.
"""

import base64
import hashlib
import hmac
import itertools
import json
import zlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.payments.gateways.fake_server import Answer, FakeServer, Refusal, Request

CLIENT_ID, CLIENT_SECRET, WEBHOOK_ID = "client", "secret", "WH-1"
SIGNING_SECRET = "paypal-signs-with-this"


class FakePayPal(FakeServer):
    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.numbers = itertools.count(1)
        self.tokens: set[str] = set()
        self.orders: dict[str, dict[str, Any]] = {}
        self.disputes: dict[str, dict[str, Any]] = {}
        self.payouts: dict[str, dict[str, Any]] = {}
        self.report: list[dict[str, Any]] = []
        self.stored: dict[str, Answer] = {}
        self.cards: dict[str, str] = {}

    # --- answering ------------------------------------------------------------------------------

    def unavailable(self, status: int) -> Answer:
        return Answer(status, {"name": "INTERNAL_SERVER_ERROR", "message": "An internal server error has occurred."})

    def execute(self, request: Request) -> Answer:
        with self.lock:
            if request.path == "/v1/oauth2/token":
                return self._token(request)
            if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
                return Answer(401, {"error": "invalid_token", "error_description": "Token signature failed"})
            key = f"{request.path} {request.headers.get('paypal-request-id', '')}"
            if "paypal-request-id" in request.headers and key in self.stored:
                return self.stored[key]
            try:
                answer = self._routed(request, request.path.strip("/").split("/"))
            except Refusal as refusal:
                answer = refusal.answer
            if "paypal-request-id" in request.headers and answer.status < 300:
                self.stored[key] = answer
            return answer

    def _token(self, request: Request) -> Answer:
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return Answer(401, {"error": "invalid_client", "error_description": "Client Authentication failed"})
        token = f"A21{next(self.numbers)}"
        self.tokens.add(token)
        return Answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": 32_400})

    def _routed(self, request: Request, parts: list[str]) -> Answer:
        is_json = request.headers.get("content-type", "").startswith("application/json")
        body = json.loads(request.body) if request.body and is_json else {}
        match (request.method, *parts[1:]):
            case ("POST", "checkout", "orders"):
                return Answer(200, self._create(body))
            case ("GET", "checkout", "orders", ref):
                return Answer(200, self._order(ref))
            case ("PATCH", "checkout", "orders", ref):
                return self._patch(self._order(ref), body)
            case ("POST", "checkout", "orders", ref, "authorize" | "capture" as step):
                return self._complete(self._order(ref), step)
            case ("POST", "payments", "authorizations", ref, "capture"):
                return Answer(201, self._capture(*self._payment("authorizations", ref), body["amount"]))
            case ("POST", "payments", "authorizations", ref, "void"):
                _, authorization = self._payment("authorizations", ref)
                if authorization["status"] != "CREATED":
                    raise Refusal(_error(422, "AUTHORIZATION_ALREADY_CAPTURED", "Authorization has been captured."))
                authorization["status"] = "VOIDED"
                return Answer(204, None)
            case ("GET", "payments", "captures", ref):
                order, capture = self._payment("captures", ref)
                return Answer(200, {**capture, "supplementary_data": {"related_ids": {"order_id": order["id"]}}})
            case ("POST", "payments", "captures", ref, "refund"):
                order, capture = self._payment("captures", ref)
                return Answer(201, self._refund(order, capture, body["amount"], body.get("custom_id", "")))
            case ("GET", "customer", "disputes"):
                asked = request.query["disputed_transaction_id"]
                found = [row for row in self.disputes.values() if _disputed(row) == asked]
                return Answer(200, {"items": [{"dispute_id": row["dispute_id"]} for row in found]})
            case ("GET", "customer", "disputes", ref):
                return Answer(200, _get(self.disputes, ref))
            case ("POST", "customer", "disputes", ref, "provide-evidence"):
                assert b'"evidence_type": "OTHER"' in request.body
                _get(self.disputes, ref).update(status="UNDER_REVIEW", evidence=request.body.decode())
                return Answer(200, {"links": []})
            case ("POST", "payments", "payouts"):
                return Answer(201, self._payout(body))
            case ("GET", "payments", "payouts", ref):
                return Answer(200, _get(self.payouts, ref))
            case ("GET", "reporting", "transactions"):
                return Answer(200, self._reported(request.query))
            case ("POST", "notifications", "verify-webhook-signature"):
                return Answer(200, {"verification_status": _verdict(request.body)})
        raise Refusal(_error(404, "RESOURCE_NOT_FOUND", f"{request.method} {request.path}"))

    # --- orders ---------------------------------------------------------------------------------

    def _id(self) -> str:
        return f"{next(self.numbers):017d}"

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        unit = body["purchase_units"][0]
        if Decimal(unit["amount"]["value"]) <= 0:
            raise Refusal(_error(422, "CANNOT_BE_ZERO_OR_NEGATIVE", "Must be greater than zero."))
        ref = self._id()
        link = {"rel": "payer-action", "href": f"https://paypal.test/checkoutnow?token={ref}", "method": "GET"}
        self.orders[ref] = {
            "id": ref,
            "intent": body["intent"],
            "status": "PAYER_ACTION_REQUIRED",
            "purchase_units": [dict(unit)],
            "links": [link],
            "update_time": _now(),
        }
        return self.orders[ref]

    def _order(self, ref: str) -> dict[str, Any]:
        return _get(self.orders, ref)

    def _patch(self, order: dict[str, Any], changes: list[dict[str, str]]) -> Answer:
        if order["status"] == "COMPLETED":
            raise Refusal(_error(422, "ORDER_ALREADY_COMPLETED", "The order cannot be patched."))
        for change in changes:
            assert change["path"] == "/purchase_units/@reference_id=='default'/custom_id"
            order["purchase_units"][0]["custom_id"] = change["value"]
        return Answer(204, None)

    def _complete(self, order: dict[str, Any], step: str) -> Answer:
        if order["status"] == "COMPLETED":
            raise Refusal(_error(422, f"ORDER_ALREADY_{step.upper()}D".replace("ED", "ED"), "Already done."))
        if order["status"] != "APPROVED":
            raise Refusal(_error(422, "ORDER_NOT_APPROVED", "Payer has not yet approved the Order for payment."))
        card = self.cards[order["id"]]
        if card in ("declined", "insufficient"):
            raise Refusal(_error(422, "INSTRUMENT_DECLINED", "The instrument presented was declined."))
        order["status"] = "COMPLETED"
        unit = order["purchase_units"][0]
        if step == "authorize":
            authorization = {"id": self._id(), "status": "CREATED", "amount": unit["amount"]}
            unit["payments"] = {"authorizations": [authorization]}
        else:
            unit["payments"] = {}
            self._take(order, unit["amount"])
        return Answer(201, order)

    def _payment(self, kind: str, ref: str) -> tuple[dict[str, Any], dict[str, Any]]:
        for order in self.orders.values():
            for one in order["purchase_units"][0].get("payments", {}).get(kind, []):
                if one["id"] == ref:
                    return order, one
        raise Refusal(_error(404, "INVALID_RESOURCE_ID", "Specified resource ID does not exist."))

    def _capture(self, order: dict[str, Any], authorization: dict[str, Any], amount: dict[str, str]) -> dict[str, Any]:
        if authorization["status"] != "CREATED":
            raise Refusal(_error(422, "AUTHORIZATION_ALREADY_CAPTURED", "Authorization has already been captured."))
        if Decimal(amount["value"]) > Decimal(authorization["amount"]["value"]):
            raise Refusal(_error(422, "MAX_CAPTURE_AMOUNT_EXCEEDED", "Capture amount exceeds the limit."))
        authorization["status"] = "CAPTURED"
        return self._take(order, amount)

    def _take(self, order: dict[str, Any], amount: dict[str, str]) -> dict[str, Any]:
        capture = {"id": self._id(), "status": "COMPLETED", "amount": amount}
        order["purchase_units"][0]["payments"].setdefault("captures", []).append(capture)
        fee = f"-{(Decimal(amount['value']) * Decimal('0.03')).quantize(Decimal('0.01'))}"
        self._book("T0006", capture["id"], amount, fee=fee)
        if self.cards.get(order["id"]) == "disputed":
            self.open_dispute(order["id"])
        return capture

    # --- what payers do -------------------------------------------------------------------------

    def approve(self, ref: str, card: str) -> None:
        """Approve on PayPal's page with this means: good, declined, insufficient, disputed."""
        with self.lock:
            self.cards[ref] = card
            self.orders[ref].update(status="APPROVED", update_time=_now())

    # --- refunds, disputes ----------------------------------------------------------------------

    def _refund(
        self, order: dict[str, Any], capture: dict[str, Any], amount: dict[str, str], custom_id: str
    ) -> dict[str, Any]:
        disputes = [row for row in self.disputes.values() if _disputed(row) == capture["id"]]
        if any(row["dispute_life_cycle_stage"] != "INQUIRY" for row in disputes):
            raise Refusal(_error(422, "CAPTURE_DISPUTED", "The capture is disputed."))
        refunds = order["purchase_units"][0]["payments"].setdefault("refunds", [])
        given = sum((Decimal(one["amount"]["value"]) for one in refunds if one["status"] != "FAILED"), Decimal(0))
        left = Decimal(capture["amount"]["value"]) - given
        if Decimal(amount["value"]) > left:
            issue = "CAPTURE_FULLY_REFUNDED" if not left else "REFUND_AMOUNT_EXCEEDED"
            raise Refusal(_error(422, issue, "The refund amount must be less than or equal to what is left."))
        refund = {"id": self._id(), "status": "COMPLETED", "amount": amount, "custom_id": custom_id}
        refunds.append(refund)
        capture["status"] = "REFUNDED" if Decimal(amount["value"]) == left else "PARTIALLY_REFUNDED"
        self._book("T1107", refund["id"], _negative(amount), reference=capture["id"])
        return refund

    def refund_in_dashboard(self, ref: str, amount: dict[str, str]) -> dict[str, Any]:
        with self.lock:
            order = self.orders[ref]
            return self._refund(order, order["purchase_units"][0]["payments"]["captures"][0], amount, "")

    def fail_refund(self, ref: str) -> None:
        with self.lock:
            _, refund = self._payment("refunds", ref)
            refund["status"] = "FAILED"
            self._book("T1107", f"{ref}R", refund["amount"], reference=ref)

    def open_dispute(self, ref: str, *, is_inquiry: bool = False) -> str:
        with self.lock:
            capture = self.orders[ref]["purchase_units"][0]["payments"]["captures"][0]
            currency = capture["amount"]["currency_code"]
            fee = {"party": "SELLER", "reason": "DISPUTE_FEE", "amount": {"currency_code": currency, "value": "15.00"}}
            custom = self.orders[ref]["purchase_units"][0].get("custom_id", "")
            dispute = {
                "dispute_id": f"PP-D-{next(self.numbers)}",
                "disputed_transactions": [{"seller_transaction_id": capture["id"], "custom": custom}],
                "reason": "UNAUTHORISED",
                "status": "WAITING_FOR_SELLER_RESPONSE",
                "dispute_life_cycle_stage": "INQUIRY" if is_inquiry else "CHARGEBACK",
                "dispute_amount": capture["amount"],
                "fund_movements": [] if is_inquiry else [fee],
                "seller_response_due_date": (datetime.now(UTC) + timedelta(days=7)).isoformat(),
            }
            self.disputes[dispute["dispute_id"]] = dispute
            if not is_inquiry:
                self._book("T1201", self._id(), _negative(capture["amount"]), reference=capture["id"], fee="-15.00")
            return str(dispute["dispute_id"])

    def close_dispute(self, ref: str, *, is_won: bool) -> None:
        with self.lock:
            dispute = self.disputes[ref]
            code = "RESOLVED_SELLER_FAVOUR" if is_won else "RESOLVED_BUYER_FAVOUR"
            dispute.update(status="RESOLVED", dispute_outcome={"outcome_code": code})
            if is_won:
                self._book("T1202", self._id(), dispute["dispute_amount"], reference=_disputed(dispute))

    # --- payouts --------------------------------------------------------------------------------

    def _payout(self, body: dict[str, Any]) -> dict[str, Any]:
        batch = body["sender_batch_header"]["sender_batch_id"]
        if any(row["batch_header"]["sender_batch_id"] == batch for row in self.payouts.values()):
            raise Refusal(_error(400, "USER_BUSINESS_ERROR", "Batch with given sender_batch_id already exists."))
        ref = self._id()
        item = body["items"][0]
        header = {"payout_batch_id": ref, "batch_status": "PENDING", "sender_batch_id": batch}
        self.payouts[ref] = {"batch_header": header, "items": [{"transaction_status": "PENDING", "payout_item": item}]}
        return {"batch_header": dict(header)}

    def settle_payout(self, ref: str, status: str = "SUCCESS") -> None:
        with self.lock:
            row = self.payouts[ref]
            row["batch_header"]["batch_status"] = "SUCCESS"
            row["items"][0]["transaction_status"] = status
            if status == "SUCCESS":
                amount = row["items"][0]["payout_item"]["amount"]
                money = {"currency_code": amount["currency"], "value": f"-{amount['value']}"}
                self._book("T0001", self._id(), money, reference=ref)

    # --- reports --------------------------------------------------------------------------------

    def _book(self, code: str, ref: str, amount: dict[str, str], *, fee: str = "", reference: str = "") -> None:
        info = {
            "transaction_id": ref,
            "transaction_event_code": code,
            "transaction_initiation_date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000"),
            "transaction_amount": amount,
            "transaction_status": "S",
        }
        if fee:
            info["fee_amount"] = {"currency_code": amount["currency_code"], "value": fee}
        if reference:
            info["paypal_reference_id"] = reference
        self.report.append({"transaction_info": info})

    def _reported(self, query: dict[str, str]) -> dict[str, Any]:
        first, last = (datetime.fromisoformat(query[name]) for name in ("start_date", "end_date"))
        if last - first > timedelta(days=31):
            raise Refusal(_error(400, "INVALID_REQUEST", "Date range is greater than 31 days"))
        rows = [
            row
            for row in self.report
            if first <= datetime.fromisoformat(row["transaction_info"]["transaction_initiation_date"]) <= last
        ]
        page, size = int(query["page"]), 2  # small, so that a test turns pages
        return {"transaction_details": rows[(page - 1) * size : page * size], "total_pages": -(-len(rows) // size)}

    # --- webhooks -------------------------------------------------------------------------------

    def event(self, ref: str, kind: str = "CHECKOUT.ORDER.APPROVED") -> bytes:
        order = self.orders[ref]
        resource = {"id": ref, "status": order["status"], "purchase_units": order["purchase_units"]}
        event = {"id": f"WH-{next(self.numbers)}", "event_type": kind, "resource": resource, "create_time": _now()}
        return json.dumps(event).encode()


def sign(
    body: bytes, *, at: datetime, secret: str = SIGNING_SECRET, algorithm: str = "SHA256withRSA"
) -> dict[str, str]:
    """Return the headers of a webhook. A shared secret stands for PayPal's certificate: only the fake checks it."""
    moment = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "PAYPAL-AUTH-ALGO": algorithm,
        "PAYPAL-CERT-URL": "https://api.paypal.com/v1/notifications/certs/CERT-1",
        "PAYPAL-TRANSMISSION-ID": "transmission-1",
        "PAYPAL-TRANSMISSION-SIG": _signature("transmission-1", moment, body, secret),
        "PAYPAL-TRANSMISSION-TIME": moment,
    }


def _signature(transmission: str, moment: str, body: bytes, secret: str) -> str:
    # https://developer.paypal.com/api/rest/webhooks/rest/#link-messagesignature
    said = f"{transmission}|{moment}|{WEBHOOK_ID}|{zlib.crc32(body)}"
    return base64.b64encode(hmac.new(secret.encode(), said.encode(), hashlib.sha256).digest()).decode()


def _verdict(raw: bytes) -> str:
    asked = json.loads(raw)
    event = raw.partition(b'"webhook_event": ')[2][:-1]
    expected = _signature(asked["transmission_id"], asked["transmission_time"], event, SIGNING_SECRET)
    is_good = (
        asked["webhook_id"] == WEBHOOK_ID
        and asked["auth_algo"] == "SHA256withRSA"
        and hmac.compare_digest(expected, asked["transmission_sig"])
    )
    return "SUCCESS" if is_good else "FAILURE"


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _negative(amount: dict[str, str]) -> dict[str, str]:
    return {**amount, "value": f"-{amount['value']}"}


def _disputed(row: dict[str, Any]) -> str:
    return str(row["disputed_transactions"][0]["seller_transaction_id"])


def _get(rows: dict[str, dict[str, Any]], ref: str) -> dict[str, Any]:
    if ref not in rows:
        raise Refusal(_error(404, "INVALID_RESOURCE_ID", "Specified resource ID does not exist."))
    return rows[ref]


def _error(status: int, issue: str, description: str) -> Answer:
    names = {400: "INVALID_REQUEST", 404: "RESOURCE_NOT_FOUND", 422: "UNPROCESSABLE_ENTITY"}
    details = [{"issue": issue, "description": description}]
    return Answer(status, {"name": names[status], "message": description, "details": details})
