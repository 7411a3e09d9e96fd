"""The states of money. Each only moves forward: the rank tables say what is further."""

from django.db import models


class InvoiceState(models.TextChoices):
    DRAFT = "draft", "Not owed yet"
    OPEN = "open", "To be paid"
    PAID = "paid", "Paid"
    VOID = "void", "Void"


class PaymentState(models.TextChoices):
    NEW = "new", "Being prepared"
    REQUIRES_ACTION = "requires_action", "Waiting for the payer"
    PROCESSING = "processing", "Being processed"
    AUTHORIZED = "authorized", "Authorized"
    FAILED = "failed", "Failed"
    VOIDED = "voided", "Released"
    CAPTURED = "captured", "Paid"


class RefundState(models.TextChoices):
    WAITING = "waiting", "On its way to the gateway"
    SENT = "sent", "On its way to the payer"
    SUCCEEDED = "succeeded", "Refunded"
    FAILED = "failed", "Failed"


class DisputeState(models.TextChoices):
    INQUIRY = "inquiry", "Asked about"
    OPEN = "open", "Open"
    SUBMITTED = "submitted", "Evidence sent"
    WON = "won", "Won"
    LOST = "lost", "Lost"


class EventState(models.TextChoices):
    NEW = "new", "New"
    PROCESSED = "processed", "Processed"
    IGNORED = "ignored", "Ignored"
    FAILED = "failed", "To be tried again"


class CallState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class PayoutState(models.TextChoices):
    TO_APPROVE = "to_approve", "Being checked"
    WAITING = "waiting", "On its way"
    PAID = "paid", "Paid out"
    FAILED = "failed", "Failed"


# One attempt to pay an invoice can be in these at a time.
LIVE_PAYMENT_STATES = frozenset({PaymentState.NEW, PaymentState.REQUIRES_ACTION, PaymentState.PROCESSING})
OPEN_DISPUTE_STATES = frozenset({DisputeState.INQUIRY, DisputeState.OPEN, DisputeState.SUBMITTED})
# The bank has taken the money back, for the time being or for good.
FUNDS_TAKEN_STATES = frozenset({DisputeState.OPEN, DisputeState.SUBMITTED, DisputeState.WON, DisputeState.LOST})

# "Failed" and "voided" are ends, but money that comes all the same is always further.
PAYMENT_RANK: dict[str, int] = {
    PaymentState.NEW: 0,
    PaymentState.REQUIRES_ACTION: 1,
    PaymentState.PROCESSING: 2,
    PaymentState.AUTHORIZED: 3,
    PaymentState.FAILED: 4,
    PaymentState.VOIDED: 4,
    PaymentState.CAPTURED: 5,
}
# A refund can come back after the gateway called it done (the payer's account is closed).
REFUND_RANK: dict[str, int] = {
    RefundState.WAITING: 0,
    RefundState.SENT: 1,
    RefundState.SUCCEEDED: 2,
    RefundState.FAILED: 3,
}
DISPUTE_RANK: dict[str, int] = {
    DisputeState.INQUIRY: 0,
    DisputeState.OPEN: 1,
    DisputeState.SUBMITTED: 2,
    DisputeState.WON: 3,
    DisputeState.LOST: 3,
}


def is_further(rank: dict[str, int], old: str, new: str) -> bool:
    """Whether ``new`` lies beyond ``old``. Two ends of the same rank exclude each other: the first one stays."""
    return rank[new] > rank[old]
