"""Promo codes before they are used: what is refused, and why."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from payments.domain import promo_codes
from payments.models import CommissionRule, PromoCode
from petplace.errors import DomainError, InvalidInput, InvalidTransition
from tests.factories import NOW, UserFactory, make_branch, make_promo, make_provider, make_service

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def provider():
    return make_provider()


def refusal(provider, code="SPRING", *, by=None, care=10_000):
    with pytest.raises(DomainError) as error:
        promo_codes.find(code, provider, by=by, care=care, now=NOW)
    return error.value.status, error.value.code


def test_a_code_is_found_in_any_case_and_with_spaces(provider):
    promo = make_promo(code="spring-26")
    assert promo.code == "SPRING-26"
    assert promo_codes.find(" Spring-26 ", provider, by=None, care=1, now=NOW) == promo


def test_one_that_does_not_exist_is_unknown(provider):
    make_promo(code="SPRING")
    assert refusal(provider, "SPRIN") == (400, "promo_unknown")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"starts_at": NOW + DAY}, "promo_not_yet"),
        ({"ends_at": NOW}, "promo_expired"),
        ({"minimum_total": 10_001, "currency": "EUR"}, "promo_minimum"),
        ({"percent_bp": None, "amount": 500, "currency": "USD"}, "promo_not_here"),
    ],
)
def test_what_stands_in_the_way_has_a_code(provider, fields, code):
    make_promo(**fields)
    assert refusal(provider) == (409, code)


def test_limits_of_time_and_money_are_inclusive(provider):
    promo = make_promo(starts_at=NOW, ends_at=NOW + timedelta(seconds=1), minimum_total=10_000, currency="EUR")
    assert promo_codes.find("SPRING", provider, by=UserFactory(), care=10_000, now=NOW) == promo


def test_an_ended_code_has_run_out(provider):
    promo = promo_codes.end(make_promo())
    assert refusal(provider) == (409, "promo_expired")
    with pytest.raises(InvalidTransition):
        promo_codes.end(promo)


def test_one_that_was_used_often_enough_is_used_up(provider):
    PromoCode.objects.filter(pk=make_promo(max_uses=2).pk).update(used_count=2)
    assert refusal(provider) == (409, "promo_used_up")


def test_a_providers_code_is_for_that_provider(provider):
    promo = make_promo(provider=provider)
    assert promo_codes.find("SPRING", provider, by=None, care=1, now=NOW) == promo
    assert refusal(make_provider()) == (409, "promo_not_here")


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"code": "AB"}, {"code"}),
        ({"code": "NO SPACE"}, {"code"}),
        ({"code": "ÄÖÜ-2026"}, {"code"}),
        ({"percent_bp": None}, {"percent_bp"}),
        ({"amount": 5, "currency": "EUR"}, {"percent_bp"}),
        ({"percent_bp": 0}, {"percent_bp"}),
        ({"percent_bp": 10_001}, {"percent_bp"}),
        ({"percent_bp": None, "amount": 0, "currency": "EUR"}, {"amount"}),
        ({"percent_bp": None, "amount": 5}, {"currency"}),
        ({"minimum_total": 5}, {"currency"}),
        ({"starts_at": NOW, "ends_at": NOW}, {"ends_at"}),
        ({"max_uses": 0}, {"max_uses"}),
        ({"max_uses_per_person": 0}, {"max_uses_per_person"}),
    ],
)
def test_a_wrong_code_is_not_made(fields, wrong):
    with pytest.raises(InvalidInput) as error:
        make_promo(**fields)
    assert set(error.value.fields) == wrong
    assert not PromoCode.objects.exists()


def test_a_code_exists_once_whatever_its_case():
    make_promo(code="SPRING")
    with pytest.raises(InvalidInput) as error:
        make_promo(code="spring")
    assert error.value.fields == {"code": ["This code is taken. Think of another one."]}


def test_a_providers_amounts_are_in_its_currency():
    promo = make_promo(provider=make_provider(currency="JPY"), percent_bp=None, amount=500, currency="EUR")
    assert (promo.amount, promo.currency) == (500, "JPY")


def test_a_provider_has_so_many_codes_at_most(provider, monkeypatch):
    monkeypatch.setattr(promo_codes, "MAX_PER_PROVIDER", 1)
    make_promo(provider=provider)
    with pytest.raises(DomainError, match="at most 1"):
        make_promo(code="SUMMER", provider=provider)
    make_promo(code="AUTUMN")  # the platform's are not counted


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("commission_is_a_share", {"owner_bp": 10_001}),
        ("commission_cap_has_currency", {"cap_amount": 5}),
    ],
)
def test_the_database_refuses_a_wrong_rule(name, rule):
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        CommissionRule.objects.create(**rule)


def test_a_rule_is_of_a_service_or_a_kind():
    service = make_service(make_branch())
    with pytest.raises(IntegrityError, match="commission_service_or_kind"), transaction.atomic():
        CommissionRule.objects.create(service=service, provider_kind="sitter")
