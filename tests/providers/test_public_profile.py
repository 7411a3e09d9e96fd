"""The public profile: what it tells, what it never tells, and the way into a booking."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.urls import reverse

from providers.domain import papers
from providers.models import VerificationDocument
from tests import factories
from tests.factories import NOW, make_booking, make_branch, make_provider, make_resource, make_service
from tests.queries import assert_constant
from tests.reviews.world import published

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def profile(client: Any, provider: Any, **asked: Any) -> Any:
    return client.get(reverse("provider_detail", args=[provider.slug]), asked)


def test_profile_shows_services_with_prices_and_free_times(client: Any) -> None:
    service = make_service(price=2500, minimum_notice_minutes=0, slot_step_minutes=60)
    response = profile(client, service.provider)
    text = response.content.decode()
    assert service.name in text
    assert "€25" in text
    # NOW is 09:00 on the 17th in Berlin, the person works until 20:00: 10:00 to 19:00 are left
    labels = [slot["label"] for slot in response.context["slot_days"][0]["slots"]]
    assert labels == [f"{hour}:00" for hour in range(10, 20)]


def test_a_time_leads_into_its_booking(client: Any) -> None:
    service = make_service(minimum_notice_minutes=0)
    response = profile(client, service.provider, pets="2", species="cat")
    href = response.context["slot_days"][1]["slots"][0]["href"]
    assert href.startswith(reverse("bookings:book", args=[service.uid]))
    flow = client.get(href)
    assert flow.context["choice"].count == 2
    assert flow.context["choice"].starts_at == datetime(2026, 11, 18, 8, tzinfo=BERLIN)


def test_a_taken_time_is_not_offered(client: Any) -> None:
    service = make_service(is_instant=True, slot_step_minutes=60)
    make_booking(service, starts_at=datetime(2026, 11, 18, 12, tzinfo=BERLIN))
    response = profile(client, service.provider)
    labels = [slot["label"] for slot in response.context["slot_days"][1]["slots"]]
    assert "11:00" in labels
    assert "12:00" not in labels


def test_the_time_from_the_search_comes_along(client: Any) -> None:
    service = make_service()
    start, end = datetime(2026, 11, 24, 17, tzinfo=BERLIN), datetime(2026, 11, 24, 17, 30, tzinfo=BERLIN)
    response = profile(client, service.provider, service=service.uid, start=start.isoformat(), end=end.isoformat())
    assert response.context["first"] == date(2026, 11, 24)
    assert "start=2026-11-24T17%3A00" in response.context["wish_url"]
    assert "Book " in response.content.decode()


def test_nights_are_chosen_by_date(client: Any) -> None:
    branch = make_branch()
    make_resource(branch, kind="kennel")
    service = make_service(branch, kind="boarding", is_overnight=True)
    response = profile(client, service.provider)
    assert len(response.context["slot_days"]) == 14
    assert 'name="check_in"' in response.content.decode()


@pytest.mark.parametrize("state", ["draft", "submitted", "rejected", "suspended"])
def test_only_approved_ones_are_public_and_the_team_may_preview(client: Any, state: str) -> None:
    manager = factories.UserFactory()
    provider = make_provider(manager, state=state)
    assert profile(client, provider).status_code == 404
    client.force_login(factories.UserFactory())
    assert profile(client, provider).status_code == 404
    client.force_login(manager)
    response = profile(client, provider)
    assert response.status_code == 200
    assert "This is a preview" in response.content.decode()


def test_staff_may_look_at_any(client: Any) -> None:
    provider = make_provider(state="submitted")
    client.force_login(factories.StaffFactory())
    assert profile(client, provider).status_code == 200


def test_profile_tells_no_address_and_no_true_point(client: Any) -> None:
    branch = make_branch(latitude=52.521377, longitude=13.405177, address="Secret Lane 7")
    text = profile(client, make_service(branch).provider).content.decode()
    assert "Secret Lane" not in text
    assert "52.5213" not in text
    assert "13.4051" not in text


def test_badges_say_what_was_checked_and_until_when(client: Any) -> None:
    service = make_service()
    common = {"provider": service.provider, "is_accepted": True, "checked_at": NOW}
    VerificationDocument.objects.create(kind="insurance", valid_until=date(2027, 5, 1), **common)
    VerificationDocument.objects.create(kind="licence", valid_until=date(2026, 11, 1), **common)
    VerificationDocument.objects.create(kind="identity", **(common | {"is_accepted": None}))
    papers.retime(service.provider)
    response = profile(client, service.provider)
    [badge] = response.context["badges"]
    assert badge.label == "Insured"
    assert "valid until" in response.content.decode()


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("walking", {"cancellation_policy": "same_day"}, "cancel until 12:00 noon on the day it starts"),
        ("walking", {"cancellation_policy": "three_day"}, "cancel until 12:00 noon 3 days before it starts"),
        ("training", {}, "later it costs 10 %, and not coming costs 30 %"),
    ],
)
def test_the_policy_is_said_in_a_sentence(client: Any, kind: str, fields: dict[str, str], text: str) -> None:
    service = make_service(make_branch(make_provider(**fields)), kind=kind)
    [policy] = profile(client, service.provider).context["policies"]
    assert text in policy


def test_reviews_are_shown(client: Any) -> None:
    booking = make_booking(state="completed")
    published(booking, rating=5, text="Came back happy.")
    assert "Came back happy." in profile(client, booking.provider).content.decode()


def test_nonsense_in_the_address_counts_as_not_asked(client: Any) -> None:
    service = make_service()
    for name in ("service", "pets", "species", "start", "end", "day"):
        for value in ("\U0001f436", "0", "-1", "9999-99-99", "0001-01-01T00:00:00Z", "'", "10000", "2026-11-24"):
            assert profile(client, service.provider, **{name: value}).status_code == 200, (name, value)


def test_a_provider_without_services_says_so(client: Any) -> None:
    response = profile(client, make_provider())
    assert "Nothing to book yet" in response.content.decode()


def test_profile_asks_the_same_number_of_queries_for_few_and_for_many(client: Any) -> None:
    branch = make_branch()
    service = make_service(branch)

    def more() -> None:
        for number in range(4):
            make_service(branch, name=f"More {number}", addons=[("Photo", 300)])

    assert_constant(lambda: profile(client, service.provider), more)
