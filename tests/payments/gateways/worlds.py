"""One way to play payer, bank and dashboard at each gateway, so that one suite can hold them all to the contract."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from payments.gateways import Charge, ChargeRequest, PaymentGateway, registry, sandbox, sandbox_webhooks
from payments.models import SandboxCharge, SandboxRefund, SandboxTransfer
from tests.payments.gateways import fake_paypal, fake_stripe
from tests.payments.gateways.fake_paypal import FakePayPal
from tests.payments.gateways.fake_server import FakeServer
from tests.payments.gateways.fake_stripe import FakeStripe

RETURN_URL = "http://testserver/invoices/pay/back/"


class World:
    """``fake`` is None for the sandbox, which has no line that could drop."""

    name = ""
    has_challenge = True
    has_onboarding = True
    fake: FakeServer | None = None

    @property
    def gateway(self) -> PaymentGateway:
        return registry.get(self.name)

    def request(
        self, amount: int = 10_000, currency: str = "EUR", capture: Any = "manual", **more: Any
    ) -> ChargeRequest:
        return ChargeRequest(
            amount=amount,
            currency=currency,
            capture=capture,
            description=more.pop("description", "A walk with Rex"),
            metadata=more.pop("metadata", {"payment": str(uuid4())}),
            return_url=RETURN_URL,
            **more,
        )

    def create(self, **request: Any) -> Charge:
        return self.gateway.create(self.request(**request), key=f"pay:{uuid4()}")

    def authorized(self, **request: Any) -> Charge:
        charge = self.create(**request)
        self.pay(charge.ref)
        return self.gateway.retrieve(charge.ref)

    def captured(self, **request: Any) -> Charge:
        return self.authorized(**{"capture": "automatic", **request})

    def ready_account(self) -> str:
        ref = self.gateway.create_account(email="sitter@demo.petplace.test", country="DE", key=f"account:{uuid4()}")
        self.finish_onboarding(ref)
        return ref

    # What the subclasses play.

    def pay(self, ref: str, means: str = "good") -> None:
        raise NotImplementedError

    def answer_challenge(self, ref: str, *, is_approved: bool) -> None:
        raise NotImplementedError

    def refund_in_dashboard(self, ref: str, amount: int) -> None:
        raise NotImplementedError

    def fail_refund(self, refund_ref: str) -> None:
        raise NotImplementedError

    def open_dispute(self, ref: str, *, is_inquiry: bool = False) -> str:
        raise NotImplementedError

    def close_dispute(self, dispute_ref: str, *, is_won: bool) -> None:
        raise NotImplementedError

    def finish_onboarding(self, account_ref: str) -> None:
        raise NotImplementedError

    def settle_transfer(self, ref: str) -> None:
        """Let a transfer arrive, where it does not at once."""

    def made(self) -> dict[str, int]:
        """Count what really exists at the gateway: charges with money taken, refunds, transfers."""
        raise NotImplementedError

    def event(self, ref: str) -> bytes:
        raise NotImplementedError

    def headers(
        self, body: bytes, *, at: dt.datetime, is_good: bool = True, is_old_scheme: bool = False
    ) -> dict[str, str]:
        raise NotImplementedError

    def other_body(self, body: bytes) -> bytes:
        """The same event, written a little differently."""
        return json.dumps(json.loads(body), indent=1).encode()

    def too_old(self) -> dt.timedelta:
        return dt.timedelta(seconds=301)


class SandboxWorld(World):
    name = "sandbox"
    TOKENS: Mapping[str, str] = {
        "good": "tok_visa",
        "declined": "tok_declined",
        "insufficient": "tok_insufficient_funds",
        "3ds": "tok_3ds",
        "disputed": "tok_disputed",
    }

    def pay(self, ref: str, means: str = "good") -> None:
        sandbox.pay(ref, token=self.TOKENS[means])

    def answer_challenge(self, ref: str, *, is_approved: bool) -> None:
        sandbox.answer_challenge(ref, is_approved=is_approved)

    def refund_in_dashboard(self, ref: str, amount: int) -> None:
        sandbox.refund_in_dashboard(ref, amount=amount)

    def fail_refund(self, refund_ref: str) -> None:
        sandbox.fail_refund(refund_ref)

    def open_dispute(self, ref: str, *, is_inquiry: bool = False) -> str:
        return sandbox.open_dispute(ref, is_inquiry=is_inquiry)

    def close_dispute(self, dispute_ref: str, *, is_won: bool) -> None:
        sandbox.close_dispute(dispute_ref, is_won=is_won)

    def finish_onboarding(self, account_ref: str) -> None:
        sandbox.finish_onboarding(account_ref)

    def made(self) -> dict[str, int]:
        return {
            "charges": SandboxCharge.objects.filter(captured_amount__gt=0).count(),
            "refunds": SandboxRefund.objects.count(),
            "transfers": SandboxTransfer.objects.filter(state="paid").count(),
        }

    def event(self, ref: str) -> bytes:
        row = SandboxCharge.objects.get(ref=ref)
        about = {"id": ref, "metadata": row.metadata}
        return json.dumps({"id": f"evt-{uuid4()}", "type": "charge.captured", "data": {"object": about}}).encode()

    def headers(
        self, body: bytes, *, at: dt.datetime, is_good: bool = True, is_old_scheme: bool = False
    ) -> dict[str, str]:
        secret = None if is_good else "not-the-secret"
        scheme = "v0" if is_old_scheme else "v1"
        return {sandbox_webhooks.SIGNATURE_HEADER: sandbox_webhooks.sign(body, at=at, secret=secret, scheme=scheme)}


class StripeWorld(World):
    name = "stripe"

    def __init__(self, fake: FakeStripe) -> None:
        self.fake: FakeStripe = fake

    def pay(self, ref: str, means: str = "good") -> None:
        self.fake.pay(ref, means)

    def answer_challenge(self, ref: str, *, is_approved: bool) -> None:
        self.fake.answer_challenge(ref, is_approved=is_approved)

    def refund_in_dashboard(self, ref: str, amount: int) -> None:
        self.fake.refund(ref, amount)

    def fail_refund(self, refund_ref: str) -> None:
        self.fake.fail_refund(refund_ref)

    def open_dispute(self, ref: str, *, is_inquiry: bool = False) -> str:
        return self.fake.open_dispute(ref, is_inquiry=is_inquiry)

    def close_dispute(self, dispute_ref: str, *, is_won: bool) -> None:
        self.fake.close_dispute(dispute_ref, is_won=is_won)

    def finish_onboarding(self, account_ref: str) -> None:
        self.fake.finish_onboarding(account_ref)

    def made(self) -> dict[str, int]:
        return {
            "charges": sum(row["type"] == "charge" for row in self.fake.balance),
            "refunds": len(self.fake.refunds),
            "transfers": len(self.fake.transfers),
        }

    def event(self, ref: str) -> bytes:
        return self.fake.event(ref)

    def headers(
        self, body: bytes, *, at: dt.datetime, is_good: bool = True, is_old_scheme: bool = False
    ) -> dict[str, str]:
        secret = fake_stripe.WEBHOOK_SECRET if is_good else "whsec_other"
        return fake_stripe.sign(body, at=at.timestamp(), secret=secret, scheme="v0" if is_old_scheme else "v1")


class PayPalWorld(World):
    """PayPal asks for a second factor on its own pages, so no challenge is seen from here; payouts go to an address."""

    name = "paypal"
    has_challenge = False
    has_onboarding = False

    def __init__(self, fake: FakePayPal) -> None:
        self.fake: FakePayPal = fake

    def pay(self, ref: str, means: str = "good") -> None:
        self.fake.approve(ref, means)

    def refund_in_dashboard(self, ref: str, amount: int) -> None:
        self.fake.refund_in_dashboard(ref, {"currency_code": "EUR", "value": f"{amount / 100:.2f}"})

    def fail_refund(self, refund_ref: str) -> None:
        self.fake.fail_refund(refund_ref)

    def open_dispute(self, ref: str, *, is_inquiry: bool = False) -> str:
        return self.fake.open_dispute(ref, is_inquiry=is_inquiry)

    def close_dispute(self, dispute_ref: str, *, is_won: bool) -> None:
        self.fake.close_dispute(dispute_ref, is_won=is_won)

    def finish_onboarding(self, account_ref: str) -> None:
        pass

    def settle_transfer(self, ref: str) -> None:
        self.fake.settle_payout(ref)

    def made(self) -> dict[str, int]:
        payments = [order["purchase_units"][0].get("payments", {}) for order in self.fake.orders.values()]
        return {
            "charges": sum(len(one.get("captures", [])) for one in payments),
            "refunds": sum(len(one.get("refunds", [])) for one in payments),
            "transfers": len(self.fake.payouts),
        }

    def event(self, ref: str) -> bytes:
        return self.fake.event(ref)

    def headers(
        self, body: bytes, *, at: dt.datetime, is_good: bool = True, is_old_scheme: bool = False
    ) -> dict[str, str]:
        secret = fake_paypal.SIGNING_SECRET if is_good else "another"
        algorithm = "SHA1withRSA" if is_old_scheme else "SHA256withRSA"
        return fake_paypal.sign(body, at=at, secret=secret, algorithm=algorithm)

    def too_old(self) -> dt.timedelta:
        return dt.timedelta(days=3, minutes=1)
