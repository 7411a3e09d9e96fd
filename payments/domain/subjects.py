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
Deadline = Callable[[Invoice], datetime | None]
Address = Callable[[Invoice], str]


@dataclass(frozen=True)
class Subject:
    """The hooks of one kind of thing that is paid for. Each finds out by itself whether the invoice is its own.

    ``lock`` locks what the sale belongs to. ``paid`` hears that a payment was authorized or captured, in the same
    transaction, at least once: it must be safe to repeat. ``failed`` hears that one that was authorized is lost.
    ``describe`` returns what speaks for us in a dispute. For pages: ``deadline`` returns until when the sale must be
    paid (a hold's end), ``url`` the path of the payer's page about it; None and '' where there is no such thing.
    """

    lock: Lock
    paid: Paid
    describe: Describe
    failed: Paid
    deadline: Deadline
    url: Address


_subjects: list[Subject] = []


def register(
    *,
    lock: Lock,
    paid: Paid,
    describe: Describe,
    failed: Paid | None = None,
    deadline: Deadline | None = None,
    url: Address | None = None,
) -> Subject:
    """Add the hooks of an app; called once, when it is ready. All but ``paid`` and ``failed`` get the family's sale."""
    subject = Subject(lock, paid, describe, failed or _nothing, deadline or _never, url or _nowhere)
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


def deadline(sale: Invoice) -> datetime | None:
    """Return until when ``sale`` must be paid, the earliest instant that anyone names."""
    return min((at for subject in _subjects if (at := subject.deadline(sale)) is not None), default=None)


def url(sale: Invoice) -> str:
    """Return the path of the page about what is paid for, or ''."""
    return next((path for subject in _subjects if (path := subject.url(sale))), "")


def _nothing(invoice: Invoice, payment: Payment, now: datetime) -> None:
    pass


def _never(sale: Invoice) -> None:
    return None


def _nowhere(sale: Invoice) -> str:
    return ""
