"""Writing and reading reviews: pages, API, admin."""

import datetime as dt
import uuid

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from providers.domain import team
from reviews import domain
from reviews.models import Review
from tests.factories import StaffFactory, UserFactory, make_booking, make_provider, manager_of
from tests.queries import assert_constant

pytestmark = pytest.mark.django_db


@pytest.fixture
def booking(time_machine):
    booking = make_booking(state="completed")
    time_machine.move_to(booking.ends_at, tick=False)
    return booking


def write(booking, rating=4, text="Very good."):
    return domain.write(booking, by=booking.owner, rating=rating, text=text, now=booking.ends_at)


def more(booking, count=5):
    for number in range(1, count + 1):
        other = make_booking(
            booking.service, state="completed", starts_at=booking.starts_at + dt.timedelta(weeks=number)
        )
        write(other)


def page(booking):
    return reverse("reviews:write", args=[booking.reference])


def api(user=None):
    client = APIClient()
    client.force_authenticate(user)
    return client


def path(booking, name=None):
    return f"/api/v1/bookings/{name or booking.uid}/review/"


# --- The owner's page ---------------------------------------------------------------------------


def test_owner_writes_a_review(client, booking):
    client.force_login(booking.owner)
    form = client.get(page(booking)).context
    assert (form["is_open"], form["review"]) == (True, None)

    response = client.post(page(booking), {"rating": "5", "text": "Lovely"})

    assert response.url == booking.get_absolute_url()
    assert Review.objects.values_list("rating", "text").get() == (5, "Lovely")


@pytest.mark.parametrize(
    ("data", "field"), [({}, "rating"), ({"rating": "6"}, "rating"), ({"rating": "5", "text": "x" * 4001}, "text")]
)
def test_owner_sees_what_is_wrong(client, booking, data, field):
    client.force_login(booking.owner)

    response = client.post(page(booking), data)

    assert list(response.context["form"].errors) == [field]
    assert not Review.objects.exists()


def test_owner_sees_the_written_review_and_cannot_write_another(client, booking):
    write(booking)
    client.force_login(booking.owner)

    assert "Very good." in client.get(page(booking)).content.decode()
    response = client.post(page(booking), {"rating": "1"}, follow=True)
    assert "You have reviewed this visit already." in response.content.decode()
    assert Review.objects.get().rating == 4


def test_owner_is_told_when_it_is_too_early_or_too_late(client, booking, time_machine):
    client.force_login(booking.owner)
    time_machine.move_to(booking.ends_at + dt.timedelta(days=15))
    client.force_login(booking.owner)
    assert "The time to review this visit is over." in client.get(page(booking)).content.decode()

    early = make_booking()
    client.force_login(early.owner)
    assert "when it is completed" in client.get(page(early)).content.decode()


def test_page_is_the_owners(client, booking):
    assert client.get(page(booking)).url.split("?")[0] == reverse("account_login")
    for user in (UserFactory(), manager_of(booking), StaffFactory()):
        client.force_login(user)
        assert client.get(page(booking)).status_code == 404
        assert client.post(page(booking), {"rating": "1"}).status_code == 404


# --- The provider's page ------------------------------------------------------------------------


def dashboard(provider):
    return reverse("provider:reviews", args=[provider.slug])


def test_team_reads_the_reviews(client, booking):
    review = write(booking)
    colleague = UserFactory()
    team.add(booking.provider, email=colleague.email, role="staff", by=manager_of(booking))

    for user in (manager_of(booking), colleague):
        client.force_login(user)
        response = client.get(dashboard(booking.provider))
        assert list(response.context["page_obj"]) == [review]
        assert [row.count for row in response.context["spread"]] == [0, 1, 0, 0, 0]


def test_team_without_reviews_is_told_what_comes(client):
    provider = make_provider()
    client.force_login(provider.memberships.get().user)

    assert "No reviews yet" in client.get(dashboard(provider)).content.decode()


def test_provider_page_is_the_teams(client, booking):
    assert client.get(dashboard(booking.provider)).url.split("?")[0] == reverse("account_login")
    client.force_login(booking.owner)
    assert client.get(dashboard(booking.provider)).status_code == 404


def test_provider_page_asks_the_same_for_one_and_many(client, booking):
    write(booking)
    client.force_login(manager_of(booking))
    assert_constant(lambda: client.get(dashboard(booking.provider)), lambda: more(booking))


# --- The API ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["uid", "reference"])
def test_api_writes_and_reads(booking, name):
    client, address = api(booking.owner), path(booking, getattr(booking, name))
    assert client.get(address).status_code == 404

    created = client.post(address, {"rating": 5, "text": "Lovely"})

    review = Review.objects.get()
    assert created.status_code == 201
    assert created.json() == {
        "id": str(review.uid), "rating": 5, "text": "Lovely", "author": booking.owner.get_short_name(),
        "service": booking.service.name, "created_at": created.json()["created_at"],
    }  # fmt: skip
    assert client.get(address).json() == created.json()
    assert api(manager_of(booking)).get(address).json() == created.json()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "rating"),
        ({"rating": 0}, "rating"),
        ({"rating": 6}, "rating"),
        ({"rating": "5"}, "rating"),
        ({"rating": True}, "rating"),
        ({"rating": 4.5}, "rating"),
        ({"rating": 5, "text": "x" * 4001}, "text"),
        ({"rating": 5, "text": "a\0b"}, "text"),
        ({"rating": 5, "stars": 5}, "stars"),
    ],
)
def test_api_names_the_wrong_field(booking, body, field):
    response = api(booking.owner).post(path(booking), body)

    assert response.status_code == 400
    if "\0" not in body.get("text", ""):
        assert list(response.json()["errors"]) == [field]


def test_api_says_why_not(booking):
    client = api(booking.owner)
    early = make_booking(owner=booking.owner)
    write(booking)

    again, too_early = client.post(path(booking), {"rating": 5}), client.post(path(early), {"rating": 5})

    assert (again.status_code, again.json()["code"]) == (409, "already_reviewed")
    assert (too_early.status_code, too_early.json()["code"]) == (409, "invalid_transition")


def test_api_lets_only_the_owner_write(booking):
    assert api(manager_of(booking)).post(path(booking), {"rating": 5}).status_code == 403
    assert api(UserFactory()).post(path(booking), {"rating": 5}).status_code == 404
    assert api(booking.owner).post(path(booking, "nonsense"), {"rating": 5}).status_code == 404
    assert APIClient().post(path(booking), {"rating": 5}).status_code == 401
    assert not Review.objects.exists()


def public(provider):
    return f"/api/v1/providers/{provider.uid}/reviews/"


def test_api_shows_the_reviews_of_a_provider_to_everyone(booking):
    write(booking)
    more(booking, 1)

    response = APIClient().get(public(booking.provider))

    assert [row["text"] for row in response.json()["results"]] == ["Very good.", "Very good."]
    assert response["Cache-Control"] == "public, max-age=60"
    assert booking.owner.email not in response.content.decode()


def test_api_has_no_reviews_of_a_provider_that_is_not_public():
    assert APIClient().get(public(make_provider(state="suspended"))).status_code == 404
    assert APIClient().get(f"/api/v1/providers/{uuid.uuid4()}/reviews/").status_code == 404


def test_api_list_asks_the_same_for_one_and_many(booking):
    write(booking)
    client = APIClient()
    assert_constant(lambda: client.get(public(booking.provider)), lambda: more(booking))


# --- The admin ----------------------------------------------------------------------------------


def test_admin_only_reads(client, booking):
    review = write(booking)
    client.force_login(StaffFactory())

    assert booking.reference in client.get(reverse("admin:reviews_review_changelist")).content.decode()
    change = reverse("admin:reviews_review_change", args=[review.pk])
    assert client.get(change).status_code == 200
    client.post(change, {"rating": "1", "text": "Bad"})
    assert Review.objects.values_list("rating", "text").get() == (4, "Very good.")
    assert client.get(reverse("admin:reviews_review_add")).status_code == 403
    assert client.get(reverse("admin:reviews_review_delete", args=[review.pk])).status_code == 403
