"""What payers and the platform's staff are told of money."""

from messaging.choices import Channel
from messaging.kinds import Kind, Urgency, register

BY_MAIL = (Channel.IN_APP, Channel.EMAIL)
STAFF = {
    "payout_failed": "A payout failed",
    "payout_to_approve": "A large payout waits for two people",
    "refund_failed": "A refund failed",
    "dispute_opened": "A payment is disputed",
    "reconciliation": "The ledger and a gateway differ",
    "call_failed": "A gateway refused a call",
    "call_waits": "A gateway call does not get through",
    "payment_flagged": "A payment is not what was asked for",
}


def declare() -> None:
    register(Kind("invoice_issued", "Invoices and receipts", "money", BY_MAIL, is_mutable=False, template="receipt"))
    register(*(Kind(name, label, "staff", BY_MAIL, urgency=Urgency.URGENT) for name, label in STAFF.items()))
