"""What a provider earned, spent and is owed: as a table, a chart and a file."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from payments.domain import finance as domain
from payments.forms import PeriodForm
from payments.models import Expense, ExpenseCategory
from petplace.tables import Cell, csv_text, plain_amount
from providers.models import Provider
from providers.views.access import manager_page

Table = tuple[Sequence[str], Iterable[Sequence[Cell]]]
COLUMNS = ("revenue", "refunds", "fees", "tax", "tips", "expenses", "profit")


@manager_page
def finance(request: HttpRequest, provider: Provider) -> HttpResponse:
    """Show the figures of a year by month or quarter, or of five years; what is owed; what was spent on what."""
    now = timezone.now()
    by, year = PeriodForm(request.GET).chosen(provider)
    statement = domain.statement(provider, by=by, year=year)
    labels = dict(ExpenseCategory.choices)
    context = {
        "provider": provider,
        "statement": statement,
        "spent": [(labels[name], amount) for name, amount in statement.spent],
        "receivables": domain.receivables(provider, now=now),
        "ahead": domain.payouts_ahead(provider, now=now),
        "chart": json.dumps(_chart(statement)),
        "has_figures": any(getattr(statement.total, name) for name in COLUMNS),
        "chips": [
            {"label": f"By {one}", "href": f"?by={one}&year={year}", "active": by == one} for one in domain.GROUPINGS
        ],
    }
    return render(request, "payments/finance.html", context)


@manager_page
def csv(request: HttpRequest, provider: Provider) -> HttpResponse:
    """Download a table: the periods, what is owed, or the expenses."""
    by, year = PeriodForm(request.GET).chosen(provider)
    what = request.GET.get("what", "periods")
    if what not in TABLES:
        raise Http404
    head, rows = TABLES[what](provider, by, year)
    name = f"{provider.slug}-{what}-{'today' if what == 'receivables' else year}"
    response = HttpResponse(csv_text(head, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response["Cache-Control"] = "private, no-store"
    return response


@manager_page
def receivables(request: HttpRequest, provider: Provider) -> HttpResponse:
    """List who owes what since when, what is due longest first."""
    now = timezone.now()
    context = {
        "provider": provider,
        "page_obj": Paginator(domain.owed(provider), 20).get_page(request.GET.get("page")),
        "receivables": domain.receivables(provider, now=now),
        "now": now,
    }
    return render(request, "payments/receivables.html", context)


def _chart(statement: domain.Statement) -> dict[str, Any]:
    """Return what the chart draws, in whole units of the currency; the table beside it is exact."""

    def amounts(name: str) -> list[float]:
        return [float(plain_amount(getattr(one.figures, name), statement.currency)) for one in statement.periods]

    return {
        "labels": [one.title for one in statement.periods],
        "currency": statement.currency,
        "bars": [
            {"name": "Revenue", "values": amounts("revenue")},
            {"name": "Expenses", "values": amounts("expenses")},
        ],
        "line": {"name": "Profit", "values": amounts("profit")},
    }


def _periods(provider: Provider, by: str, year: int) -> Table:
    found = domain.statement(provider, by=by, year=year)
    head = ["Period", "From", "To (excluded)", "Currency", *(name.capitalize() for name in COLUMNS)]
    rows: list[list[Cell]] = [
        [
            one.label, one.start.isoformat(), one.end.isoformat(), found.currency,
            *(plain_amount(getattr(one.figures, name), found.currency) for name in COLUMNS),
        ]
        for one in found.periods
    ]  # fmt: skip
    return head, rows


def _receivables(provider: Provider, by: str, year: int) -> Table:
    zone = domain.zone_of(provider)
    head = ["Invoice", "Owner", "For", "Due on", "Currency", "Total", "Paid", "Open"]
    rows: list[list[Cell]] = [
        [
            one.label, one.payer.get_full_name(), one.subject, one.due_at.astimezone(zone).date().isoformat(),
            one.currency, plain_amount(one.claim, one.currency), plain_amount(one.paid_amount, one.currency),
            plain_amount(one.outstanding, one.currency),
        ]
        for one in domain.owed(provider)
    ]  # fmt: skip
    return head, rows


def _expenses(provider: Provider, by: str, year: int) -> Table:
    found = Expense.objects.filter(provider=provider, on__year=year).order_by("on", "pk")
    head = ["Date", "Category", "Note", "Currency", "Amount", "Receipt"]
    rows: list[list[Cell]] = [
        [
            one.on.isoformat(), one.get_category_display(), one.note, one.currency,
            plain_amount(one.amount, one.currency), "yes" if one.receipt else "no",
        ]
        for one in found
    ]  # fmt: skip
    return head, rows


TABLES = {"periods": _periods, "receivables": _receivables, "expenses": _expenses}
