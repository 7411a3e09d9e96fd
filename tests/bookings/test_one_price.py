"""One price from the first list to the invoice, over all combinations of the rules that make it.

kinds x overnight x pets x holiday x extras x promo code x tax x service fee x currency: 25,920 of them. The search
answers those that it can be asked for (it knows neither extras nor codes), the quote all, and a sample that meets every
code with every tax, fee and currency, and those with each other, goes on to the invoice and to what is charged.
"""

import itertools
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.postgres.fields.ranges import DateTimeTZRange

from bookings.domain import pricing, quotes, reservation, search
from bookings.models import Booking
from payments.domain import charges, rates
from payments.domain.invoices import Line
from payments.gateways import sandbox
from payments.models import CommissionRule, Invoice, LineKind, PromoCode
from providers.choices import ServiceKind, offer_mask
from providers.models import AddOn, Branch, OpenHours, Provider, PublicHoliday, Resource, Service
from tests.bookings.money import pay
from tests.bookings.price_oracle import Basket, sums
from tests.factories import PetFactory, UserFactory

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 12, 1, 9, tzinfo=BERLIN)
FEAST, PLAIN = date(2026, 12, 25), date(2026, 12, 16)
KINDS = tuple(ServiceKind.values)
PETS = (1, 2, 3)
CURRENCIES = ("EUR", "JPY", "KWD")
TAXES: tuple[dict[str, Any], ...] = (
    {"tax_rate_bp": 0},
    {"tax_rate_bp": 1_900, "is_tax_inclusive": True},
    {"tax_rate_bp": 825, "is_tax_inclusive": False},
)
FEES: tuple[dict[str, Any], ...] = (
    {"owner_bp": 0, "provider_bp": 0},
    {"owner_bp": 725, "provider_bp": 1_250},
    {"owner_bp": 725, "provider_bp": 1_250, "cap_amount": 111},
)
PROMOS: tuple[dict[str, Any], ...] = (
    {},
    {"percent_bp": 1_750, "platform": True},
    {"percent_bp": 1_750, "platform": False},
    {"amount": 1_234, "platform": True},
    {"amount": 1_234, "platform": False},
)
PRICE, EXTRA_PET, HOLIDAY_PERCENT, ADDON = 2_345, 333, 33, 777


@dataclass(frozen=True)
class Case:
    is_overnight: bool
    currency: str
    tax: int
    fee: int


CASES = tuple(Case(*one) for one in itertools.product((False, True), CURRENCIES, range(len(TAXES)), range(len(FEES))))


@pytest.fixture
def town() -> dict[Case, dict[str, Service]]:
    """Return a provider for each case, at one place, with a service of each kind."""
    PublicHoliday.objects.create(country="DE", on=FEAST, name="Feast")
    opened = DateTimeTZRange(NOW - timedelta(days=1), NOW + timedelta(days=60))
    return {case: _services(number, case, opened) for number, case in enumerate(CASES)}


def _services(number: int, case: Case, opened: DateTimeTZRange) -> dict[str, Service]:
    provider = Provider.objects.create(
        name=f"Provider {number}", slug=f"provider-{number}", kind="sitter", state="approved", approved_at=NOW,
        currency=case.currency, **TAXES[case.tax],
    )  # fmt: skip
    branch = Branch.objects.create(
        provider=provider, name="Branch", address="Somewhere 1", country="DE", latitude=52.52, longitude=13.4,
        approximate_latitude=52.52, approximate_longitude=13.4, time_zone=BERLIN.key, is_listed=True,
        offer_mask=offer_mask(None, ["dog"]),
    )  # fmt: skip
    for _ in range(6):
        person = Resource.objects.create(branch=branch, kind="person", name="Person")
        OpenHours.objects.create(resource=person, open=[opened], expanded_until=date(2027, 1, 31))
    services = Service.objects.bulk_create(
        Service(
            provider=provider, branch=branch, kind=kind, name=kind, is_overnight=case.is_overnight,
            duration_minutes=None if case.is_overnight else 60, check_in=time(14), check_out=time(11), price=PRICE,
            extra_pet_price=EXTRA_PET, holiday_percent=HOLIDAY_PERCENT, species=["dog"], max_pets=3, needs=["person"],
            slot_step_minutes=5, is_instant=True,
        )
        for kind in KINDS
    )  # fmt: skip
    AddOn.objects.bulk_create(AddOn(service=service, name="Bath", price=ADDON) for service in services)
    fee = FEES[case.fee]
    if fee["owner_bp"]:
        cap = {"cap_currency": case.currency} if "cap_amount" in fee else {}
        CommissionRule.objects.bulk_create(CommissionRule(service=service, **fee, **cap) for service in services)
    return {service.kind: service for service in services}


def promo_of(case: Case, index: int, provider: Provider) -> PromoCode | None:
    """Return the code of a combination, unsaved."""
    if not PROMOS[index]:
        return None
    promo = dict(PROMOS[index])
    owner = None if promo.pop("platform") else provider
    code = f"CODE-{index}-{provider.pk}"
    return PromoCode(code=code, provider=owner, currency=case.currency if "amount" in promo else "", **promo)


def basket_of(case: Case, pets: int, *, is_feast: bool, has_addon: bool, promo: int) -> Basket:
    tax, fee, code = TAXES[case.tax], FEES[case.fee], PROMOS[promo]
    return Basket(
        unit=PRICE, extra_pet=EXTRA_PET, pets=pets, holiday_units=int(is_feast), holiday_percent=HOLIDAY_PERCENT,
        addons=(ADDON,) if has_addon else (), promo_bp=code.get("percent_bp"), promo_amount=code.get("amount"),
        is_platforms_promo=code.get("platform", False), tax_bp=tax["tax_rate_bp"],
        is_tax_inclusive=tax.get("is_tax_inclusive", True), owner_bp=fee["owner_bp"], provider_bp=fee["provider_bp"],
        cap=fee.get("cap_amount"),
    )  # fmt: skip


def start_of(day: date) -> datetime:
    return datetime.combine(day, time(14), tzinfo=BERLIN)


def test_search_quote_and_rules_agree_in_every_combination(town: dict[Case, dict[str, Service]]) -> None:
    searched = quoted = 0
    by_key = {service.pk: case for case, services in town.items() for service in services.values()}
    shares = rates.rates_for([service for services in town.values() for service in services.values()])

    for kind, pets, day in itertools.product(KINDS, PETS, (FEAST, PLAIN)):
        query = search.Query(
            latitude=52.52, longitude=13.4, service_kind=kind, pet_count=pets, start=start_of(day), page_size=100
        )
        page = search.find(query, now=NOW)
        assert {by_key[result.service_id] for result in page.results} == set(CASES)

        for result in page.results:
            case, is_feast = by_key[result.service_id], day == FEAST
            service = town[case][kind]
            preview = quotes.preview(service, result.starts_at, result.ends_at, pets, now=NOW)
            expected = sums(basket_of(case, pets, is_feast=is_feast, has_addon=False, promo=0)).total
            assert (result.price, result.currency) == (preview.price.total, case.currency) == (expected, case.currency)
            searched += 1

            care = [line for line in preview.price.lines if line.kind not in pricing.AFTER_CARE]
            for has_addon, promo in itertools.product((False, True), range(len(PROMOS))):
                lines = [*care, Line(LineKind.ADDON, "Bath", 1, ADDON)] if has_addon else care
                code = promo_of(case, promo, service.provider)
                found = pricing.all_in(
                    lines, preview.price.units, provider=service.provider, rates=shares[service.pk], promo=code
                )
                wanted = sums(basket_of(case, pets, is_feast=is_feast, has_addon=has_addon, promo=promo))
                assert (found.total, found.tax_amount, found.owner_fee, found.commission, found.subsidy) == (
                    wanted.total, wanted.tax, wanted.fee, wanted.commission, wanted.subsidy,
                ), (case, kind, pets, day, has_addon, promo)  # fmt: skip
                quoted += 1
    assert (searched, quoted) == (2_592, 25_920)


def test_the_quoted_total_is_invoiced_and_charged(town: dict[Case, dict[str, Service]]) -> None:
    """Every pair of code, tax, fee and currency; the other rules take turns."""
    combinations = list(itertools.product(CASES, range(len(PROMOS))))
    sample = combinations[::2]
    pairs = set()
    for number, (case, promo) in enumerate(sample):
        kind, pets = KINDS[number % len(KINDS)], PETS[number % len(PETS)]
        is_feast, has_addon, is_prepaid = number % 2 == 0, number % 3 == 0, number % 5 < 2
        service = town[case][kind]
        if is_prepaid:
            service.payment_policy = "prepay"
            service.save(update_fields=["payment_policy"])
        code = promo_of(case, promo, service.provider)
        if code is not None:
            code, _ = PromoCode.objects.get_or_create(code=code.code, defaults=_columns(code))
        owner = UserFactory()
        quote = quotes.create(
            owner=owner,
            service=service,
            starts_at=start_of(FEAST if is_feast else PLAIN),
            ends_at=datetime.combine((FEAST if is_feast else PLAIN) + timedelta(days=1), time(11), tzinfo=BERLIN)
            if case.is_overnight
            else None,
            pets=PetFactory.create_batch(pets, owner=owner),
            addons=list(service.addons.all()) if has_addon else [],
            promo_code=code.code if code else "",
            now=NOW,
        )
        booking = Booking.objects.get(pk=reservation.book(quote, by=owner, now=NOW).pk)
        invoice = Invoice.objects.get(pk=booking.invoice_id)
        wanted = sums(basket_of(case, pets, is_feast=is_feast, has_addon=has_addon, promo=promo))

        assert (quote.total, booking.total, invoice.total) == (wanted.total,) * 3, (case, promo)
        assert sum(line.amount for line in invoice.lines.all()) == wanted.total
        assert (invoice.tax_amount, invoice.owner_fee, invoice.commission, invoice.subsidy) == (
            wanted.tax, wanted.fee, wanted.commission, wanted.subsidy,
        )  # fmt: skip
        assert charges.due_now(invoice) == wanted.total  # at once, or at the visit
        assert invoice.prepay_amount == (wanted.total if is_prepaid else 0)
        assert booking.state == ("held" if is_prepaid else "confirmed")
        if is_prepaid:
            assert charged(booking) == wanted.total
        pairs |= {("tax", promo, case.tax), ("fee", promo, case.fee), ("currency", promo, case.currency)}
        pairs |= {(case.tax, case.fee, case.currency)}
        _free(booking, service)
    assert (len(sample), len(pairs)) == (135, 3 * 3 * len(PROMOS) + 27)


def charged(booking: Booking) -> int:
    """Pay a booking at the sandbox; return what that has taken, which is what we have heard of."""
    assert booking.invoice is not None
    payment = pay(booking.invoice, now=NOW)
    taken = sandbox.charge_of(payment.ref or "")
    assert (payment.captured_amount, payment.currency) == (taken.captured_amount, taken.currency)
    return taken.captured_amount


def _columns(promo: PromoCode) -> dict[str, Any]:
    return {name: getattr(promo, name) for name in ("provider", "percent_bp", "amount", "currency")}


def _free(booking: Booking, service: Service) -> None:
    """Make room for the next combination."""
    booking.allocations.update(is_live=False)
    if service.payment_policy != "at_visit":
        service.payment_policy = "at_visit"
        service.save(update_fields=["payment_policy"])
