"""A Stripe that remembers: payment intents, refunds, disputes, transfers, accounts, balance, idempotency keys.

Shapes and rules after https://docs.stripe.com/api: what our adapter uses of it, and what may go wrong there.
"""

import hashlib
import hmac
import itertools
import json
import time
from typing import Any
from urllib.parse import parse_qsl

from tests.payments.gateways.fake_server import Answer, FakeServer, Refusal, Request

SECRET_KEY = "sk_test_fake"
WEBHOOK_SECRET = "whsec_fake"
DISPUTE_FEE = 1500
DECLINES = {
    "declined": ("card_declined", "generic_decline", "Your card was declined."),
    "insufficient": ("card_declined", "insufficient_funds", "Your card has insufficient funds."),
}


class FakeStripe(FakeServer):
    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.numbers = itertools.count(1)
        self.intents: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.disputes: dict[str, dict[str, Any]] = {}
        self.transfers: dict[str, dict[str, Any]] = {}
        self.accounts: dict[str, dict[str, Any]] = {}
        self.balance: list[dict[str, Any]] = []
        self.stored: dict[str, tuple[str, Answer]] = {}
        self.busy: set[str] = set()

    # --- answering ------------------------------------------------------------------------------

    def execute(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {SECRET_KEY}":
            return _error(401, "invalid_request_error", "Invalid API Key provided")
        key = request.headers.get("idempotency-key", "") if request.method == "POST" else ""
        fingerprint = f"{request.path} {request.body!r}"
        with self.lock:
            if key in self.stored:
                said, answer = self.stored[key]
                if said != fingerprint:
                    return _error(400, "idempotency_error", "Keys can only be used with the same parameters.")
                return Answer(answer.status, answer.body, {"Idempotent-Replayed": "true"})
            if key and key in self.busy:
                return _error(409, "idempotency_error", "Another request uses this key.", code="idempotency_key_in_use")
            self.busy.add(key)
        try:
            with self.lock:
                answer = self._endpoint(request)
                if key and answer.status not in (401, 404, 429):
                    self.stored[key] = (fingerprint, answer)
                return answer
        finally:
            self.busy.discard(key)

    def stored_failure(self, request: Request) -> Answer:
        """Begin the work, fail, and remember it under the key, as Stripe does."""
        answer = self.unavailable(500)
        if key := request.headers.get("idempotency-key", ""):
            self.stored[key] = (f"{request.path} {request.body!r}", answer)
        return answer

    def _endpoint(self, request: Request) -> Answer:
        params = dict(parse_qsl(request.body.decode(), keep_blank_values=True)) | request.query
        parts = request.path.strip("/").split("/")[1:]
        try:
            return Answer(200, self._routed(request.method, parts, params))
        except Refusal as refusal:
            return refusal.answer

    def _routed(self, method: str, parts: list[str], params: dict[str, str]) -> Any:
        match (method, *parts):
            case ("POST", "payment_intents"):
                return self._create(params)
            case ("GET", "payment_intents", ref):
                return self._shown(_get(self.intents, ref))
            case ("POST", "payment_intents", ref, "capture"):
                return self._capture(_get(self.intents, ref), int(params["amount_to_capture"]))
            case ("POST", "payment_intents", ref, "cancel"):
                return self._cancel(_get(self.intents, ref))
            case ("POST", "refunds"):
                intent = _get(self.intents, params["payment_intent"])
                return self.refund(intent["id"], int(params["amount"]), _nested(params, "metadata"))
            case ("GET", "refunds"):
                return _list(
                    [one for one in self.refunds.values() if one["payment_intent"] == params["payment_intent"]]
                )
            case ("GET", "disputes"):
                return _list(
                    [one for one in self.disputes.values() if one["payment_intent"] == params["payment_intent"]]
                )
            case ("GET", "disputes", ref):
                return _get(self.disputes, ref)
            case ("POST", "disputes", ref):
                dispute = _get(self.disputes, ref)
                dispute["evidence"] = _nested(params, "evidence")
                dispute["status"] = "warning_under_review" if "warning" in dispute["status"] else "under_review"
                return dispute
            case ("POST", "transfers"):
                return self._transfer(params)
            case ("GET", "transfers"):
                return _list(
                    [one for one in self.transfers.values() if one["transfer_group"] == params["transfer_group"]]
                )
            case ("POST", "accounts"):
                return self._account(params)
            case ("GET", "accounts", ref):
                return _get(self.accounts, ref)
            case ("POST", "account_links"):
                account = _get(self.accounts, params["account"])
                account["return_url"] = params["return_url"]
                return {"object": "account_link", "url": f"https://connect.stripe.test/setup/{account['id']}"}
            case ("GET", "balance_transactions"):
                return self._movements(params)
        raise Refusal(_error(404, "invalid_request_error", f"Unrecognized request URL ({method} {parts})"))

    # --- payment intents ------------------------------------------------------------------------

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{next(self.numbers):024d}"

    def _create(self, params: dict[str, str]) -> dict[str, Any]:
        amount = int(params["amount"])
        if amount <= 0:
            raise Refusal(_error(400, "invalid_request_error", "Amount must be above zero", code="amount_too_small"))
        if params["currency"] in ("kwd", "bhd") and amount % 10:
            raise Refusal(_error(400, "invalid_request_error", "Invalid amount", code="invalid_charge_amount"))
        ref = self._id("pi")
        self.intents[ref] = {
            "id": ref,
            "object": "payment_intent",
            "amount": amount,
            "amount_capturable": 0,
            "amount_received": 0,
            "capture_method": params["capture_method"],
            "client_secret": f"{ref}_secret_{self.chance.getrandbits(64):x}",
            "created": int(time.time()),
            "currency": params["currency"],
            "description": params.get("description", ""),
            "last_payment_error": None,
            "latest_charge": None,
            "livemode": False,
            "metadata": _nested(params, "metadata"),
            "status": "requires_payment_method",
            "card": "",
        }
        return self._shown(self.intents[ref])

    def _shown(self, intent: dict[str, Any]) -> dict[str, Any]:
        charge = intent["latest_charge"]
        if charge is None:
            return intent
        refunds = [one for one in self.refunds.values() if one["payment_intent"] == intent["id"]]
        newest = list(reversed(refunds))[:10]
        listed = {"object": "list", "data": newest, "has_more": len(refunds) > 10, "url": "/v1/refunds"}
        return {**intent, "latest_charge": {**charge, "refunds": listed}}

    def _capture(self, intent: dict[str, Any], amount: int) -> dict[str, Any]:
        if intent["status"] != "requires_capture":
            raise Refusal(_unexpected_state(intent, "captured"))
        if amount > intent["amount_capturable"]:
            raise Refusal(_error(400, "invalid_request_error", "Too much", code="amount_too_large"))
        self._take(intent, amount)
        return self._shown(intent)

    def _take(self, intent: dict[str, Any], amount: int) -> None:
        intent.update(status="succeeded", amount_received=amount, amount_capturable=0)
        fee = amount * 29 // 1000 + 30
        self._book("charge", amount, intent["currency"], source=intent["latest_charge"], fee=fee)
        if intent["card"] == "disputed":
            self.open_dispute(intent["id"])

    def _cancel(self, intent: dict[str, Any]) -> dict[str, Any]:
        if intent["status"] in ("succeeded", "canceled"):
            raise Refusal(_unexpected_state(intent, "canceled"))
        intent.update(status="canceled", amount_capturable=0)
        return self._shown(intent)

    # --- what payers do -------------------------------------------------------------------------

    def pay(self, ref: str, card: str) -> None:
        """Confirm in the payer's browser with this card: good, declined, insufficient, 3ds, disputed."""
        with self.lock:
            intent = self.intents[ref]
            intent["last_payment_error"] = None
            intent["card"] = card
            if card in DECLINES:
                code, decline_code, message = DECLINES[card]
                intent["last_payment_error"] = {"code": code, "decline_code": decline_code, "message": message}
            elif card == "3ds":
                intent["status"] = "requires_action"
            else:
                self._approve(intent)

    def answer_challenge(self, ref: str, *, is_approved: bool) -> None:
        with self.lock:
            intent = self.intents[ref]
            if is_approved:
                self._approve(intent)
            else:
                message = "We are unable to authenticate your payment method."
                error = {"code": "payment_intent_authentication_failure", "message": message}
                intent.update(status="requires_payment_method", last_payment_error=error)

    def _approve(self, intent: dict[str, Any]) -> None:
        intent["latest_charge"] = {"id": self._id("ch"), "object": "charge", "payment_intent": intent["id"]}
        if intent["capture_method"] == "manual":
            intent.update(status="requires_capture", amount_capturable=intent["amount"])
        else:
            self._take(intent, intent["amount"])

    # --- refunds, disputes ----------------------------------------------------------------------

    def refund(self, ref: str, amount: int, metadata: dict[str, str] | None = None) -> dict[str, Any]:
        with self.lock:
            intent = self.intents[ref]
            given = sum(
                one["amount"]
                for one in self.refunds.values()
                if one["payment_intent"] == ref and one["status"] != "failed"
            )
            disputes = [one for one in self.disputes.values() if one["payment_intent"] == ref]
            if any(not one["is_charge_refundable"] for one in disputes):
                raise Refusal(_error(400, "invalid_request_error", "Charged back", code="charge_disputed"))
            if not 0 < amount <= intent["amount_received"] - given:
                code = "charge_already_refunded" if given and given == intent["amount_received"] else "amount_too_large"
                raise Refusal(
                    _error(400, "invalid_request_error", "Refund amount is greater than what is left", code=code)
                )
            found = {
                "id": self._id("re"),
                "object": "refund",
                "amount": amount,
                "created": int(time.time()),
                "currency": intent["currency"],
                "metadata": metadata or {},
                "payment_intent": ref,
                "status": "succeeded",
            }
            self.refunds[found["id"]] = found
            self._book("refund", -amount, intent["currency"], source=found)
            return found

    def fail_refund(self, ref: str) -> None:
        with self.lock:
            refund = self.refunds[ref]
            refund["status"] = "failed"
            self._book("refund_failure", refund["amount"], refund["currency"], source=refund)

    def open_dispute(self, ref: str, *, is_inquiry: bool = False) -> str:
        with self.lock:
            intent = self.intents[ref]
            dispute = {
                "id": self._id("dp"),
                "object": "dispute",
                "amount": intent["amount_received"],
                "balance_transactions": [],
                "created": int(time.time()),
                "currency": intent["currency"],
                "evidence_details": {"due_by": int(time.time()) + 7 * 86_400},
                "is_charge_refundable": is_inquiry,
                "payment_intent": ref,
                "reason": "fraudulent",
                "status": "warning_needs_response" if is_inquiry else "needs_response",
            }
            self.disputes[dispute["id"]] = dispute
            if not is_inquiry:
                dispute["balance_transactions"].append(
                    self._book(
                        "adjustment", -dispute["amount"], intent["currency"], source=dispute, fee=DISPUTE_FEE,
                        category="dispute",
                    )
                )  # fmt: skip
            return str(dispute["id"])

    def close_dispute(self, ref: str, *, is_won: bool) -> None:
        with self.lock:
            dispute = self.disputes[ref]
            dispute["status"] = "won" if is_won else "lost"
            if is_won:
                dispute["balance_transactions"].append(
                    self._book(
                        "adjustment", dispute["amount"], dispute["currency"], source=dispute,
                        category="dispute_reversal",
                    )
                )  # fmt: skip

    # --- providers ------------------------------------------------------------------------------

    def _transfer(self, params: dict[str, str]) -> dict[str, Any]:
        account = _get(self.accounts, params["destination"])
        if account["capabilities"]["transfers"] != "active":
            raise Refusal(
                _error(400, "invalid_request_error", "Not enabled", code="insufficient_capabilities_for_transfer")
            )
        found = {
            "id": self._id("tr"),
            "object": "transfer",
            "amount": int(params["amount"]),
            "created": int(time.time()),
            "currency": params["currency"],
            "destination": account["id"],
            "reversed": False,
            "transfer_group": params["transfer_group"],
        }
        self.transfers[found["id"]] = found
        self._book("transfer", -found["amount"], found["currency"], source=found)
        return found

    def _account(self, params: dict[str, str]) -> dict[str, Any]:
        ref = self._id("acct")
        self.accounts[ref] = {
            "id": ref,
            "object": "account",
            "email": params["email"],
            "country": params["country"],
            "payouts_enabled": False,
            "capabilities": {"transfers": "inactive"},
        }
        return self.accounts[ref]

    def finish_onboarding(self, ref: str) -> None:
        self.accounts[ref].update(payouts_enabled=True, capabilities={"transfers": "active"})

    # --- balance --------------------------------------------------------------------------------

    def _book(
        self, kind: str, amount: int, currency: str, *, source: Any, fee: int = 0, category: str = ""
    ) -> dict[str, Any]:
        row = {
            "id": self._id("txn"),
            "object": "balance_transaction",
            "type": kind,
            "reporting_category": category or kind,
            "amount": amount,
            "fee": fee,
            "net": amount - fee,
            "currency": currency,
            "created": int(time.time()),
            "source": source,
        }
        self.balance.append(row)
        return {name: value for name, value in row.items() if name != "source"}

    def _movements(self, params: dict[str, str]) -> dict[str, Any]:
        first, last = int(params["created[gte]"]), int(params["created[lt]"])
        rows = [row for row in reversed(self.balance) if first <= row["created"] < last]
        if "starting_after" in params:
            rows = rows[[row["id"] for row in rows].index(params["starting_after"]) + 1 :]
        size = int(params["limit"])
        return {**_list(rows[:size]), "has_more": len(rows) > size, "url": "/v1/balance_transactions"}

    # --- webhooks -------------------------------------------------------------------------------

    def event(self, ref: str, kind: str = "payment_intent.succeeded") -> bytes:
        about = {name: self.intents[ref][name] for name in ("id", "object", "metadata", "status", "amount")}
        event = {
            "id": self._id("evt"),
            "object": "event",
            "type": kind,
            "created": int(time.time()),
            "livemode": False,
            "data": {"object": about},
        }
        return json.dumps(event).encode()


def sign(body: bytes, *, at: float, secret: str = WEBHOOK_SECRET, scheme: str = "v1") -> dict[str, str]:
    """Return the header that Stripe would send; https://docs.stripe.com/webhooks#verify-manually."""
    digest = hmac.new(secret.encode(), f"{int(at)}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={int(at)},{scheme}={digest}"}


def _get(rows: dict[str, dict[str, Any]], ref: str) -> dict[str, Any]:
    if ref not in rows:
        raise Refusal(_error(404, "invalid_request_error", f"No such object: {ref}", code="resource_missing"))
    return rows[ref]


def _list(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "data": rows, "has_more": False, "url": "/v1/list"}


def _nested(params: dict[str, str], name: str) -> dict[str, str]:
    return {
        key.removeprefix(f"{name}[").removesuffix("]"): value
        for key, value in params.items()
        if key.startswith(f"{name}[")
    }


def _unexpected_state(intent: dict[str, Any], verb: str) -> Answer:
    message = f"This PaymentIntent could not be {verb} because it has a status of {intent['status']}."
    return _error(400, "invalid_request_error", message, code="payment_intent_unexpected_state")


def _error(status: int, kind: str, message: str, **more: str) -> Answer:
    return Answer(status, {"error": {"type": kind, "message": message, **more}})
