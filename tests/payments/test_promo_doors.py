"""A provider's own promo codes: the dashboard's page, the API and the staff's screens."""

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from bookings.domain import reservation
from payments.domain import promo_codes
from payments.models import CommissionRule, PromoCode
from providers.domain import team
from tests.bookings.doors import api_of, client_of, queries_of
from tests.factories import (
    NOW,
    StaffFactory,
    UserFactory,
    make_branch,
    make_promo,
    make_provider,
    make_quote,
    make_service,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def manager():
    return UserFactory()


@pytest.fixture
def provider(manager):
    return make_branch(make_provider(manager)).provider


@pytest.fixture
def staff(provider):
    user = UserFactory()
    team.add(provider, email=user.email, by=None)
    return user


def page(provider):
    return reverse("provider:promo_codes", args=[provider.slug])


def end_page(provider, promo):
    return reverse("provider:promo_code_end", args=[provider.slug, promo.uid])


def path(provider, promo=None):
    return f"/api/v1/providers/{provider.uid}/promo-codes/" + (f"{promo.uid}/" if promo else "")


# --- the dashboard ------------------------------------------------------------------------------


def test_a_manager_makes_a_code_in_percent(manager, provider):
    answer = client_of(manager).post(
        page(provider),
        {
            "code": "welcome-10", "takes": "percent", "percent_bp": "12.5", "starts_at": "2026-11-18T09:00",
            "ends_at": "2026-12-01T00:00", "minimum_total": "20", "max_uses": "50", "max_uses_per_person": "1",
        },
        follow=True,
    )  # fmt: skip
    promo = PromoCode.objects.get()
    assert (promo.code, promo.provider, promo.percent_bp, promo.amount) == ("WELCOME-10", provider, 1_250, None)
    assert (promo.minimum_total, promo.currency, promo.max_uses, promo.max_uses_per_person) == (2_000, "EUR", 50, 1)
    assert promo.starts_at.isoformat() == "2026-11-18T08:00:00+00:00"  # 09:00 in Berlin
    text = answer.content.decode()
    for words in ("WELCOME-10 can be used.", "12.5 %", "0 of 50", "from €20.00"):
        assert words in text


def test_a_manager_makes_a_code_of_an_amount(manager):
    provider = make_provider(manager, currency="JPY")  # without a branch yet
    client_of(manager).post(page(provider), {"code": "YEN-500", "takes": "amount", "amount": "500"})
    promo = PromoCode.objects.get()
    assert (promo.amount, promo.currency, promo.percent_bp, promo.max_uses) == (500, "JPY", None, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"code": "x"}, "Use 4 to 40 letters, digits and hyphens."),
        ({"percent_bp": ""}, "Say how many percent."),
        ({"percent_bp": "101"}, "less than or equal to 100"),
        ({"takes": "amount"}, "Say how much."),
        ({"starts_at": "2026-11-18T09:00", "ends_at": "2026-11-18T09:00"}, "The end must be after the start."),
        ({"code": "TAKEN"}, "This code is taken. Think of another one."),
    ],
)
def test_a_wrong_code_is_explained(manager, provider, changes, message):
    make_promo(code="TAKEN")
    answer = client_of(manager).post(
        page(provider), {"code": "WELCOME", "takes": "percent", "percent_bp": "10"} | changes
    )
    assert answer.status_code == 400
    assert message in answer.content.decode()
    assert PromoCode.objects.count() == 1


def test_a_manager_ends_a_code_once(manager, provider):
    promo = make_promo(provider=provider)
    client = client_of(manager)
    text = client.post(end_page(provider, promo), follow=True).content.decode()
    assert "SPRING cannot be used any more." in text
    assert "Ended" in text
    promo.refresh_from_db()
    assert not promo.is_active
    assert "ended already" in client.post(end_page(provider, promo), follow=True).content.decode()


def test_uses_are_shown(manager, provider):
    make_promo(provider=provider, max_uses=3)
    quote = make_quote(make_service(provider.branches.get(), is_instant=True), promo_code="SPRING")
    reservation.book(quote, by=quote.owner, now=NOW)
    assert "1 of 3" in client_of(manager).get(page(provider)).content.decode()


def test_codes_of_others_are_not_there(manager, provider, staff):
    foreign, ours = make_promo(provider=make_provider()), make_promo(code="OURS", provider=provider)
    assert "SPRING" not in client_of(manager).get(page(provider)).content.decode()
    assert client_of(manager).post(end_page(provider, foreign)).status_code == 404
    assert client_of(UserFactory()).get(page(provider)).status_code == 404
    assert client_of(staff).get(page(provider)).status_code == 403
    assert client_of(staff).post(end_page(provider, ours)).status_code == 403
    assert client_of(manager).get(end_page(provider, ours)).status_code == 405
    assert Client().get(page(provider)).status_code == 302


def test_the_list_asks_as_often_for_many(manager, provider):
    client = client_of(manager)
    make_promo(provider=provider)
    few = queries_of(client, page(provider))
    for number in range(5):
        make_promo(code=f"MORE-{number}", provider=provider)
    assert queries_of(client, page(provider)) == few


# --- the API ------------------------------------------------------------------------------------


def test_the_api_makes_reads_and_ends_a_code(manager, provider):
    client = api_of(manager)
    sent = {
        "code": "spring-26", "amount": {"amount": 500, "currency": "EUR"},
        "minimum_total": {"amount": 2_000, "currency": "EUR"}, "ends_at": "2026-12-01T00:00:00Z", "max_uses": 10,
    }  # fmt: skip
    answer = client.post(path(provider), sent)
    body = answer.json()
    assert answer.status_code == 201, body
    promo = PromoCode.objects.get()
    assert body == {
        "id": str(promo.uid), "code": "SPRING-26", "percent_bp": None, "amount": {"amount": 500, "currency": "EUR"},
        "minimum_total": {"amount": 2_000, "currency": "EUR"}, "starts_at": None, "ends_at": "2026-12-01T00:00:00Z",
        "max_uses": 10, "max_uses_per_person": None, "used_count": 0, "is_active": True,
    }  # fmt: skip
    assert client.get(path(provider)).json()["results"] == [body]
    assert client.get(path(provider, promo)).json() == body
    ended = client.delete(path(provider, promo))
    assert (ended.status_code, ended.json()["is_active"]) == (200, False)
    assert client.delete(path(provider, promo)).json()["code"] == "invalid_transition"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"code": "AB"}, "code"),
        ({"percent_bp": 0}, "percent_bp"),
        ({"percent_bp": None}, "percent_bp"),
        ({"percent_bp": 10_001}, "percent_bp"),
        ({"amount": {"amount": 5, "currency": "EUR"}}, "percent_bp"),
        ({"percent_bp": None, "amount": {"amount": 5, "currency": "USD"}}, "amount"),
        ({"minimum_total": {"amount": 5, "currency": "USD"}}, "minimum_total"),
        ({"max_uses": 0}, "max_uses"),
        ({"max_uses_per_person": 10**9}, "max_uses_per_person"),
        ({"starts_at": "2026-12-01T00:00:00Z", "ends_at": "2026-12-01T00:00:00Z"}, "ends_at"),
    ],
)
def test_the_api_names_what_is_wrong(manager, provider, changes, field):
    answer = api_of(manager).post(path(provider), {"code": "WELCOME", "percent_bp": 1_000} | changes)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert not PromoCode.objects.exists()


def test_the_api_is_for_managers(manager, provider, staff):
    promo = make_promo(provider=provider)
    assert api_of(manager).get(path(provider)).json()["count"] == 1
    assert api_of(staff).get(path(provider)).status_code == 403
    assert api_of(staff).post(path(provider), {}).status_code == 403
    assert api_of(staff).delete(path(provider, promo)).status_code == 403
    for client, status in ((api_of(UserFactory()), 404), (APIClient(), 401)):
        assert client.get(path(provider)).status_code == status
        assert client.get(path(provider, promo)).status_code == status
        assert client.delete(path(provider, promo)).status_code == status
    assert api_of(manager).delete(path(provider, make_promo(code="PLATFORM"))).status_code == 404


# --- staff --------------------------------------------------------------------------------------


@pytest.fixture
def admin():
    return client_of(StaffFactory())


def test_staff_make_a_code_of_the_platform(admin):
    add = reverse("admin:payments_promocode_add")
    form = {"code": "hello-26", "percent_bp": "500", "minimum_total": "0"}
    inline = {f"redemptions-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL", "MIN_NUM", "MAX_NUM")}
    answer = admin.post(add, form | inline)
    assert answer.status_code == 302, answer.context["errors"]
    promo = PromoCode.objects.get()
    assert (promo.code, promo.provider, promo.percent_bp, promo.is_active) == ("HELLO-26", None, 500, True)
    wrong = admin.post(add, form | inline | {"code": "??"})
    assert "Use 4 to 40 letters, digits and hyphens." in wrong.content.decode()


def test_staff_look_at_a_code_and_change_nothing(admin):
    promo = make_promo()
    url = reverse("admin:payments_promocode_change", args=[promo.pk])
    assert admin.get(url).status_code == 200
    assert admin.post(url, {"code": "OTHER"}).status_code == 403
    assert admin.post(reverse("admin:payments_promocode_delete", args=[promo.pk])).status_code == 403


def test_staff_end_codes_and_one_that_is_ended_stops_nothing(admin):
    make_promo(code="FIRST", provider=make_provider())
    make_promo(code="SECOND", percent_bp=None, amount=500, currency="EUR", max_uses=5)
    promo_codes.end(PromoCode.objects.get(code="FIRST"))
    url = reverse("admin:payments_promocode_changelist")
    chosen = list(PromoCode.objects.values_list("pk", flat=True))
    text = admin.post(url, {"action": "end", "_selected_action": chosen}, follow=True).content.decode()
    assert "SECOND is ended." in text
    assert "FIRST: This code has been ended already." in text
    assert not PromoCode.objects.filter(is_active=True).exists()
    for words in ("€5.00", "0 of 5", "the platform", "Happy Paws", "10 %"):
        assert words in text


def test_staff_set_what_the_platform_takes(admin):
    service = make_service()
    add = reverse("admin:payments_commissionrule_add")
    form = {"provider_bp": "1500", "owner_bp": "500", "cap_amount": "2000", "cap_currency": "EUR"}
    assert admin.post(add, form).status_code == 302
    assert admin.post(add, {"service": service.pk, "provider_bp": "0", "owner_bp": "0"}).status_code == 302
    assert CommissionRule.objects.count() == 2
    text = admin.get(reverse("admin:payments_commissionrule_changelist")).content.decode()
    for words in ("Everybody", "€20.00", f"{service.name}, {service.provider.name}"):
        assert words in text
    wrong = admin.post(add, {"provider_kind": "clinic", "provider_bp": "10001", "owner_bp": "0"})
    assert wrong.status_code == 200
    assert CommissionRule.objects.count() == 2


def test_the_clock_of_the_first_branch_counts(manager, provider):
    make_branch(provider, time_zone="America/New_York")
    text = client_of(manager).get(page(provider)).content.decode()
    assert "Clock of Europe/Berlin." in text
