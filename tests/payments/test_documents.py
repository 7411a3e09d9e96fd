"""Invoices on paper: what the PDF says, that it is the same each time, and that it is mailed."""

import datetime as dt
import io
import re
from typing import Any

import pytest
from django.core import mail
from pypdf import PdfReader

from messaging.domain import outbox
from messaging.models import Delivery, Notification
from payments import documents
from payments.domain import invoices
from payments.domain.invoices import InvoiceTerms, Line
from payments.models import Invoice, InvoiceState, LineKind
from providers.models import Provider
from tests.factories import UserFactory, make_branch, make_provider
from tests.payments.steps import DEC, NOV, earn, make_business, make_sale, pay

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _gateways(settings: Any) -> None:
    settings.PAYMENT_GATEWAYS = ["sandbox"]


def almaty() -> Provider:
    provider = make_provider(name="Лапки & Хвосты", currency="KZT")
    make_branch(provider, time_zone="Asia/Almaty", city="Алматы", country="KZ", latitude=43.2, longitude=76.9)
    Provider.objects.filter(pk=provider.pk).update(tax_id="БИН 120340005678")
    return Provider.objects.get(pk=provider.pk)


def paper(invoice: Invoice) -> PdfReader:
    return PdfReader(io.BytesIO(documents.invoice_pdf(Invoice.objects.for_paper().get(pk=invoice.pk))))


def text_of(invoice: Invoice) -> str:
    """Return the words of all pages, no-break spaces and line ends as spaces."""
    return re.sub(r"\s+", " ", "\n".join(page.extract_text() for page in paper(invoice).pages))


def test_pdf_says_who_what_and_how_much() -> None:
    sale = make_sale(make_business(name="Happy Paws"), payer=UserFactory(full_name="Ann Example"))
    pay(sale)

    text = text_of(sale)

    for part in (
        "Invoice", "2026-000001", "Happy Paws", "Berlin, DE", "Ann Example", "10 November 2026", "Walk with Rex",
        "Total €100.00", "Tax 19 % included €15.97", "Without tax €84.03", "Paid \u2212€100.00",
        "Still to be paid €0.00", "Paid on 10 November 2026. Thank you.", "1 / 1",
    ):  # fmt: skip
        assert part in text, text


def test_pdf_writes_cyrillic_and_the_tenge_with_fonts_of_its_own() -> None:
    lines = [Line(LineKind.BASE, "Прогулка в парке", 3, 250_000)]
    sale = make_sale(
        almaty(), currency="KZT", subject="Выгул: Барсик", lines=lines, prepay_amount=0, terms=InvoiceTerms(),
        payer=UserFactory(full_name="Айгуль Ёлкина"),
    )  # fmt: skip

    text = text_of(sale)

    for part in ("Лапки & Хвосты", "Алматы, KZ", "БИН 120340005678", "Айгуль Ёлкина", "Прогулка в парке", "₸7,500.00"):
        assert part in text, text
    fonts = paper(sale).pages[0]["/Resources"]["/Font"]  # type: ignore[index]
    embedded = {
        str(font.get_object()["/BaseFont"])
        for font in fonts.values()
        if "/FontFile2" in font.get_object().get("/FontDescriptor", {})
    }
    assert {name.rpartition("+")[2] for name in embedded} == {"DejaVuSans", "DejaVuSans-Bold"}


def test_pdf_is_the_same_bytes_for_the_same_rows() -> None:
    sale = make_sale()
    pay(sale)

    first, second = (documents.invoice_pdf(Invoice.objects.for_paper().get(pk=sale.pk)) for _ in range(2))

    assert first == second


def test_pdf_is_a4_with_a_title_and_an_author() -> None:
    sale = make_sale(make_business(name="Happy Paws"))
    pay(sale)
    found = paper(sale)

    assert [round(float(side)) for side in found.pages[0].mediabox[2:]] == [595, 842]
    assert found.metadata is not None
    assert (found.metadata.title, found.metadata.author) == ("Invoice 2026-000001", "Happy Paws")


def test_pdf_of_many_lines_numbers_its_pages_and_repeats_the_head() -> None:
    lines = [Line(LineKind.NIGHT, f"Night {number}", 1, 100) for number in range(80)]
    found = paper(make_sale(lines=lines, prepay_amount=0, terms=InvoiceTerms()))

    count = len(found.pages)
    assert count > 2
    for number, page in enumerate(found.pages, start=1):
        assert f"{number} / {count}" in page.extract_text()
    assert all("What" in page.extract_text() for page in found.pages[:-1])


def test_pdf_of_a_text_that_looks_like_markup_shows_it() -> None:
    lines = [Line(LineKind.BASE, "<b>Walk</b> & <font size=99>bath", 1, 100)]

    assert "<b>Walk</b> & <font size=99>bath" in text_of(make_sale(lines=lines, prepay_amount=0, terms=InvoiceTerms()))


def test_pdf_of_a_credit_note_names_what_it_credits() -> None:
    sale = make_sale()
    pay(sale)
    invoices.keep_only(sale, keep=4000, reason="Cancelled late", now=DEC)
    note = sale.children.get()

    text = text_of(note)

    for part in ("Credit note", "2026-000002", "Credits 2026-000001", "Cancelled late", "Credited €60.00"):
        assert part in text, text
    assert "Credited since \u2212€60.00" in text_of(sale)


def test_pdf_of_a_price_is_no_invoice_yet() -> None:
    text = text_of(make_sale())

    assert "Price, no invoice yet" in text
    assert "comes with the payment or after the visit" in text


def test_tax_on_top_is_a_line_and_not_said_twice() -> None:
    lines = [Line(LineKind.BASE, "Walk", 1, 10_000), Line(LineKind.TAX, "Tax 19 %", 1, 1900)]
    terms = InvoiceTerms(tax_rate_bp=1900, is_tax_inclusive=False, tax_amount=1900)

    text = text_of(make_sale(lines=lines, prepay_amount=0, terms=terms))

    assert "included" not in text
    assert "Without tax €100.00" in text
    assert "Total €119.00" in text


def test_a_part_of_a_tax_on_top_is_what_is_said() -> None:
    lines = [Line(LineKind.BASE, "Walk", 1, 10_000), Line(LineKind.TAX, "Tax 19 %", 1, 1900)]
    terms = InvoiceTerms(tax_rate_bp=1900, is_tax_inclusive=False, tax_amount=1900)
    sale = make_sale(lines=lines, prepay_amount=0, terms=terms, state=InvoiceState.OPEN)
    invoices.keep_only(sale, keep=5950, reason="Cancelled late", now=DEC)

    text = text_of(Invoice.objects.get(pk=sale.pk))

    assert "Without tax €50.00" in text
    assert "Tax, 19 % 1 \u2212€9.50 \u2212€9.50" in text
    assert "Total €59.50" in text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1250, "EUR", "€12.50"),
        (1250, "GEL", "GEL\u00a012.50"),
        (1250, "JPY", "¥1,250"),
        (1250, "KWD", "KWD\u00a01.250"),
    ],
)
def test_a_sign_that_the_font_has_not_becomes_the_code(amount: int, currency: str, text: str) -> None:
    documents._register_fonts()

    assert documents.money(amount, currency) == text


# --- Mail ---------------------------------------------------------------------------------------


def test_an_issued_invoice_is_mailed_with_its_pdf_once() -> None:
    sale = make_sale(payer=UserFactory(email="ann@example.test"))
    pay(sale)
    earn(sale, now=NOV + dt.timedelta(hours=1))
    Delivery.objects.exclude(notification__kind="invoice_issued").delete()

    outbox.deliver_due(now=NOV + dt.timedelta(hours=2))
    outbox.deliver_due(now=NOV + dt.timedelta(hours=3))

    [sent] = mail.outbox
    assert (sent.to, sent.subject) == (["ann@example.test"], "Your invoice 2026-000001")
    assert "€100.00" in sent.body
    [(name, content, kind)] = sent.attachments
    assert (name, kind) == ("invoice-2026-000001.pdf", "application/pdf")
    assert "2026-000001" in PdfReader(io.BytesIO(content)).pages[0].extract_text()


def test_a_credit_note_is_mailed_too() -> None:
    sale = make_sale()
    pay(sale)
    invoices.keep_only(sale, keep=4000, reason="Cancelled late", now=DEC)

    titles = Notification.objects.filter(user=sale.payer, kind="invoice_issued").values_list("title", flat=True)

    assert sorted(titles) == ["Your credit note 2026-000002", "Your invoice 2026-000001"]


def test_nothing_is_mailed_without_a_number() -> None:
    make_sale()

    assert not Notification.objects.filter(kind="invoice_issued").exists()
