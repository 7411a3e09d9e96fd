"""Money that is handed over at the visit."""

from datetime import datetime

from accounts.models import User
from payments.domain import ledger
from payments.models import AccountKind, EntryKind, Invoice, Payment, PaymentMethod
from payments.models.charge import CASH
from payments.states import PaymentState


def take(invoice: Invoice, *, amount: int, by: User | None, now: datetime) -> Payment:
    """Record that the provider took ``amount`` in cash. The caller holds the family's locks, and converges."""
    payment = Payment.objects.create(
        invoice=invoice, gateway=CASH, method=PaymentMethod.CASH, amount=amount, currency=invoice.currency, by=by,
        state=PaymentState.CAPTURED, captured_amount=amount, captured_at=now, checked_at=now,
    )  # fmt: skip
    ledger.transfer(
        EntryKind.CASH, debit=ledger.of_provider(AccountKind.CASH, invoice.provider_id), credit=ledger.CUSTOMER_FUNDS,
        amount=amount, key=f"cash:{payment.uid}", currency=invoice.currency, at=now, invoice=invoice, payment=payment,
    )  # fmt: skip
    return payment
