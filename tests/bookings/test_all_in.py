"""10,000 random baskets, exact to the minor unit: in Python, in the search's SQL, in deposits and refunds."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.db import connection

from bookings.domain import cancellation, pricing
from bookings.domain.search import sql
from payments.domain.invoices import Line, total_of
from payments.domain.rates import Rates
from payments.models import LineKind, PromoCode
from providers.models import Branch, Provider, Service
from tests.bookings.price_oracle import Basket, rounded, sums

BASKETS = 10_000
CURRENCIES = ("EUR", "JPY", "KWD")
FIRST = date(2026, 12, 24)
STAYS = ("same_day", "one_day", "three_day", "seven_day")
FEES = {"flexible": (0, 10), "fair": (10, 30), "moderate": (30, 50), "strict": (50, 100)}


def baskets(count: int = BASKETS, seed: int = 3) -> Iterator[Basket]:
    dice = random.Random(seed)
    for _ in range(count):
        units = dice.choice([1, 1, 1, 2, 3, 7, 8, 14, 60])
        promo = dice.choice(["", "", "percent", "amount"])
        yield Basket(
            unit=dice.choice([0, 1, 99, dice.randint(2, 9_999), dice.randint(10_000, 100_000_000)]),
            extra_pet=dice.choice([0, 1, 333, dice.randint(2, 5_000)]),
            pets=dice.randint(1, 20),
            units=units,
            holiday_units=dice.randint(0, units),
            holiday_percent=dice.choice([0, 1, 15, 33, 50, 125, 300]),
            addons=tuple(dice.randint(0, 9_999) for _ in range(dice.choice([0, 0, 1, 3]))),
            promo_bp=dice.choice([1, 333, 1_000, 5_000, 9_999, 10_000]) if promo == "percent" else None,
            promo_amount=dice.choice([1, 500, 100_000_000_000]) if promo == "amount" else None,
            is_platforms_promo=bool(promo) and dice.random() < 0.5,
            tax_bp=dice.choice([0, 1, 700, 825, 1_900, 5_000]),
            is_tax_inclusive=dice.random() < 0.5,
            owner_bp=dice.choice([0, 1, 333, 500, 10_000]),
            provider_bp=dice.choice([0, 1, 1_500, 10_000]),
            cap=dice.choice([None, None, 0, 1, 350]),
        )


def objects_of(basket: Basket, currency: str, **terms: Any) -> tuple[Service, PromoCode | None]:
    """The rows that a basket stands for, unsaved."""
    provider = Provider(
        id=1, currency=currency, tax_rate_bp=basket.tax_bp, is_tax_inclusive=basket.is_tax_inclusive, **terms
    )
    service = Service(
        name="Care",
        kind="boarding",
        is_overnight=True,
        price=basket.unit,
        extra_pet_price=basket.extra_pet,
        holiday_percent=basket.holiday_percent,
        provider=provider,
        branch=Branch(time_zone="Europe/Berlin", country="DE", provider=provider),
    )
    promo = None
    if basket.promo_bp is not None or basket.promo_amount is not None:
        owner = None if basket.is_platforms_promo else 1
        promo = PromoCode(
            code="SPRING", provider_id=owner, percent_bp=basket.promo_bp, amount=basket.promo_amount, currency=currency
        )
    return service, promo


@pytest.fixture(autouse=True)
def _calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first nights of each stay are the holidays: see ``price``."""
    monkeypatch.setattr(pricing, "_holidays", lambda service, dates: dict.fromkeys(service.holidays, "Feast"))


def price(basket: Basket, service: Service, promo: PromoCode | None) -> pricing.Price:
    dates = [FIRST + timedelta(days=number) for number in range(basket.units)]
    service.holidays = dates[: basket.holiday_units]
    lines, units = pricing._care(service, dates, basket.pets)
    lines += [Line(LineKind.ADDON, "Extra", 1, amount) for amount in basket.addons]
    rates = Rates(basket.owner_bp, basket.provider_bp, basket.cap)
    return pricing.all_in(lines, units, provider=service.provider, rates=rates, promo=promo)


def test_random_baskets_cost_what_the_fractions_say() -> None:
    kinds = set()
    for number, basket in enumerate(baskets()):
        service, promo = objects_of(basket, CURRENCIES[number % 3])

        found = price(basket, service, promo)

        expected = sums(basket)
        assert (
            found.care, found.discount, found.owner_fee, found.tax_amount, found.commission, found.subsidy, found.total
        ) == (
            expected.care, expected.discount, expected.fee, expected.tax, expected.commission, expected.subsidy,
            expected.total,
        ), basket  # fmt: skip
        assert found.units == expected.unit_prices
        assert total_of(found.lines) == expected.total >= 0
        assert 0 <= found.discount <= found.care
        # What the columns of quotes and invoices insist on.
        assert found.tax_amount + found.owner_fee <= found.total
        assert 0 <= found.commission <= found.total - found.tax_amount - found.owner_fee + found.subsidy
        kinds |= {line.kind for line in found.lines}
    assert kinds == {"night", "extra_pet", "holiday", "addon", "discount", "service_fee", "tax"}


def test_lines_stand_in_their_order_and_explain_the_total() -> None:
    basket = Basket(
        unit=10_000, pets=2, extra_pet=1_000, units=2, holiday_units=1, holiday_percent=50, addons=(700,),
        promo_bp=1_000, tax_bp=1_900, owner_bp=500,
    )  # fmt: skip
    service, promo = objects_of(basket, "EUR")
    assert [(line.kind, line.description, line.amount) for line in price(basket, service, promo).lines] == [
        ("night", "Care, per night", 20_000),
        ("extra_pet", "1 more pet, per night", 2_000),
        ("holiday", "Feast, Thu 24 Dec 2026: +50 %", 5_500),
        ("addon", "Extra", 700),
        ("discount", "Promo code SPRING", -2_820),
        ("service_fee", "Service fee", 1_269),
        ("tax", "Tax, 19 %", 4_822),
    ]


def test_inclusive_tax_is_no_line_but_told() -> None:
    basket = Basket(unit=11_900, tax_bp=1_900, is_tax_inclusive=True)
    service, promo = objects_of(basket, "EUR")
    found = price(basket, service, promo)
    assert (found.total, found.tax_amount, len(found.lines)) == (11_900, 1_900, 1)


@pytest.mark.django_db
def test_the_search_computes_the_same_in_sql() -> None:
    asked = list(baskets())
    plain = [Basket(**{**vars(one), "promo_bp": None, "promo_amount": None, "addons": ()}) for one in asked]
    rows = [
        (sums(one).care, 0 if one.is_tax_inclusive else one.tax_bp, one.owner_bp, one.cap, number % 2)
        for number, one in enumerate(plain)
    ]
    # Half of the rules are the service's own, the others the usual one of the seller.
    statement = f"""
        SELECT {sql.TOTAL} FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::bigint[], %s::int[])
               WITH ORDINALITY given(care, tax_bp, owner_bp, cap, is_own, number)
         CROSS JOIN LATERAL (SELECT given.care) asked
         CROSS JOIN LATERAL (SELECT given.tax_bp, 'EUR' AS currency, given.cap,
                                    CASE WHEN given.is_own = 1 THEN 77 ELSE given.owner_bp END AS owner_bp) seller
          LEFT JOIN LATERAL (SELECT 1 AS id, given.owner_bp, given.cap AS cap_amount,
                                    'EUR' AS cap_currency WHERE given.is_own = 1) own ON true ORDER BY given.number"""
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])
        found = [row[0] for row in cursor.fetchall()]
    assert found == [sums(one).total for one in plain]
    assert len(found) == BASKETS


@pytest.mark.parametrize("percent", [1, 20, 33, 99])
def test_deposits_are_their_percent_of_the_whole(percent: int) -> None:
    for basket in baskets(1_000):
        total = sums(basket).total
        for policy, expected in (
            ("at_visit", 0), ("prepay", total), ("deposit", rounded(Fraction(total * percent, 100))),
        ):  # fmt: skip
            service = Service(payment_policy=policy, deposit_percent=percent)
            assert pricing.prepay_amount(service, total) == expected
            assert 0 <= expected <= total


def test_what_a_cancellation_keeps_is_the_same_share_of_the_total() -> None:
    """Over all policies: the fee is of the units, what is kept is that share of the total, the rest goes back."""
    start = datetime(2026, 12, 24, 14, tzinfo=UTC)
    kept_something = 0
    for number, basket in enumerate(baskets()):
        stay, appointment = STAYS[number % 4], list(FEES)[number % 4]
        service, promo = objects_of(
            basket, CURRENCIES[number % 3], cancellation_policy=stay, appointment_policy=appointment
        )
        expected, found = sums(basket), price(basket, service, promo)
        units = expected.unit_prices
        if number % 2:
            service.kind = "grooming"
            fees = [rounded(Fraction(sum(units) * percent, 100)) for percent in FEES[appointment]]
        else:
            fees = [rounded(Fraction(sum(units[:7]), 2))] * 2
        kept = [rounded(Fraction(fee * expected.total, expected.care)) if expected.care else 0 for fee in fees]

        terms = cancellation.terms(service, service.provider, start, found)

        late, missed = terms.rows[-1], terms.no_show
        assert [expected.total - row.refund_amount for row in (late, missed)] == kept, basket
        assert terms.rows[0].refund_amount == expected.total
        assert all(0 <= row.refund_amount <= expected.total for row in (*terms.rows, missed))
        assert len(terms.rows) == (2 if kept[0] else 1)
        kept_something += bool(kept[0])
    assert kept_something > BASKETS / 2
