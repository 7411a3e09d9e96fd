"""Which commission rule counts."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.domain.rates import Rates, rates_for, rates_of
from payments.models import CommissionRule
from tests.factories import make_branch, make_provider, make_service

pytestmark = pytest.mark.django_db


@pytest.fixture
def service():
    return make_service(make_branch(make_provider(kind="groomer")))


def test_without_a_rule_nothing_is_taken(service):
    assert rates_of(service) == Rates(0, 0, None)
    assert (rates_of(service).of_owner(10_000), rates_of(service).of_provider(10_000)) == (0, 0)


def test_the_service_goes_before_the_kind_and_the_kind_before_all(service):
    CommissionRule.objects.create(provider_kind="sitter", owner_bp=900)
    for bp, whom in ((100, {}), (200, {"provider_kind": "groomer"}), (300, {"service": service})):
        CommissionRule.objects.create(owner_bp=bp, provider_bp=2 * bp, **whom)
        assert rates_of(service) == Rates(bp, 2 * bp)


def test_a_cap_counts_in_its_currency_alone(service):
    rule = CommissionRule.objects.create(owner_bp=1_000, provider_bp=1_000, cap_amount=150, cap_currency="EUR")
    assert (rates_of(service).of_owner(1_000), rates_of(service).of_owner(10_000)) == (100, 150)
    assert rates_of(service).of_provider(10_000) == 150
    rule.cap_currency = "USD"
    rule.save()
    assert rates_of(service).of_owner(10_000) == 1_000


def test_many_services_ask_once(service):
    others = [make_service(service.branch, name=f"Walk {number}") for number in range(3)]
    CommissionRule.objects.create(service=others[0], owner_bp=5)
    with CaptureQueriesContext(connection) as queries:
        found = rates_for([service, *others])
    assert len(queries) == 1
    assert [found[one.pk].owner_bp for one in (service, *others)] == [0, 5, 0, 0]
