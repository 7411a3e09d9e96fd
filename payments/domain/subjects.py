"""What stands above an invoice. ``payments`` knows no bookings: whoever writes invoices registers here what to ask.

The order of locks is booking -> owner -> resources -> invoice (the sale, then its children by id) -> payment -> promo
code -> number series -> ledger and notifications. ``lock`` is therefore called before any row of ours is locked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from payments.models import Invoice, Payment

Lock = Callable[[Invoice], None]
Paid = Callable[[Invoice, Payment, datetime], None]
Describe = Callable[[Invoice], dict[str, Any]]


@dataclass(frozen=True)
class Subject:
    """The hooks of one kind of thing that is paid for. Each finds out by itself whether the invoice is its own.

    ``lock`` locks what the sale belongs to. ``paid`` hears that a payment was authorized or captured, in the same
    transaction, at least once: it must be safe to repeat. ``failed`` hears that one that was authorized is lost.
    ``describe`` returns what speaks for us in a dispute.
    """

    lock: Lock
    paid: Paid
    describe: Describe
    failed: Paid


_subjects: list[Subject] = []


def register(*, lock: Lock, paid: Paid, describe: Describe, failed: Paid | None = None) -> Subject:
    """Add the hooks of an app; called once, when it is ready. ``lock`` gets the sale of the family."""
    subject = Subject(lock, paid, describe, failed or _nothing)
    _subjects.append(subject)
    return subject


def unregister(subject: Subject) -> None:
    """Take hooks back (tests)."""
    _subjects.remove(subject)


def lock(sale: Invoice) -> None:
    for subject in _subjects:
        subject.lock(sale)


def paid(invoice: Invoice, payment: Payment, now: datetime) -> None:
    for subject in _subjects:
        subject.paid(invoice, payment, now)


def failed(invoice: Invoice, payment: Payment, now: datetime) -> None:
    for subject in _subjects:
        subject.failed(invoice, payment, now)


def describe(sale: Invoice) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for subject in _subjects:
        found |= subject.describe(sale)
    return found


def _nothing(invoice: Invoice, payment: Payment, now: datetime) -> None:
    pass
