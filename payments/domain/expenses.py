"""What a provider spends. Receipts arrive here already checked and re-made (petplace.uploads)."""

from __future__ import annotations

from datetime import date, datetime

from django.core.files.base import ContentFile
from django.db import transaction

from accounts.models import User
from payments.models import Expense
from payments.models.expense import ExpenseCategory
from petplace.errors import DomainError, InvalidInput
from providers.models import Provider

MAX_AMOUNT = 1_000_000_000_00  # minor units; a guard against slips of the finger
MAX_EXPENSES = 20_000
EARLIEST = date(2000, 1, 1)


@transaction.atomic
def add(
    provider: Provider,
    *,
    category: str,
    amount: int,
    on: date,
    note: str = "",
    receipt: ContentFile[bytes] | None = None,
    by: User,
    now: datetime,
) -> Expense:
    """Write an expense of ``amount`` minor units of the provider's currency."""
    if Expense.objects.filter(provider=provider).count() >= MAX_EXPENSES:
        raise DomainError("There is no room for more expenses. Please remove old ones.", code="too_many")
    expense = Expense(provider=provider, currency=provider.currency)
    _fill(expense, category=category, amount=amount, on=on, note=note, now=now)
    if receipt is not None:
        expense.receipt.save(receipt.name or "receipt", receipt, save=False)
    expense.save()
    return expense


@transaction.atomic
def change(
    expense: Expense,
    *,
    now: datetime,
    category: str | None = None,
    amount: int | None = None,
    on: date | None = None,
    note: str | None = None,
    receipt: ContentFile[bytes] | None = None,
) -> Expense:
    """Change what is given. A new receipt takes the place of the old one, which is deleted after the commit."""
    expense = Expense.objects.select_for_update().get(pk=expense.pk)
    _fill(
        expense,
        category=expense.category if category is None else category,
        amount=expense.amount if amount is None else amount,
        on=on or expense.on,
        note=expense.note if note is None else note,
        now=now,
    )
    if receipt is not None:
        _delete_later(expense)
        expense.receipt.save(receipt.name or "receipt", receipt, save=False)
    expense.save()
    return expense


@transaction.atomic
def drop_receipt(expense: Expense) -> Expense:
    expense = Expense.objects.select_for_update().get(pk=expense.pk)
    _delete_later(expense)
    expense.receipt = ""
    expense.save(update_fields=["receipt"])
    return expense


@transaction.atomic
def remove(expense: Expense) -> None:
    expense = Expense.objects.select_for_update().get(pk=expense.pk)
    _delete_later(expense)
    expense.delete()


def _fill(expense: Expense, *, category: str, amount: int, on: date, note: str, now: datetime) -> None:
    wrong: dict[str, list[str]] = {}
    if category not in ExpenseCategory.values:
        wrong["category"] = ["Choose a category."]
    if not 0 < amount <= MAX_AMOUNT:
        wrong["amount"] = ["Must be more than nothing."]
    if on < EARLIEST or (on - now.date()).days > 366:
        wrong["on"] = ["Take a date between 2000 and a year from now."]
    if len(note) > 300:
        wrong["note"] = ["At most 300 characters."]
    if wrong:
        raise InvalidInput(fields=wrong)
    expense.category, expense.amount, expense.on, expense.note = category, amount, on, note.strip()


def _delete_later(expense: Expense) -> None:
    if expense.receipt:
        name, storage = str(expense.receipt.name), expense.receipt.storage
        transaction.on_commit(lambda: storage.delete(name))
