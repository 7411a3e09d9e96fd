"""Reading notifications: pages, API, admin."""

import datetime as dt
import uuid

import pytest
from django.test import RequestFactory
from django.urls import reverse
from rest_framework.test import APIClient

from messaging import context_processors
from messaging.domain import cancel, notify
from messaging.models import Delivery, DeliveryState, Notification
from tests.factories import NOW, StaffFactory, UserFactory
from tests.queries import assert_constant

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
API = "/api/v1/notifications/"


@pytest.fixture(autouse=True)
def _now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def user(client):
    user = UserFactory(time_zone="Asia/Tokyo")
    client.force_login(user)
    return user


def tell(user, key="k", ago=HOUR, **options):
    options = {"title": f"About {key}", "body": "Body", "now": NOW - ago} | options
    return notify(user, options.pop("kind", "test"), key=key, **options)


def url(name, *rows):
    return reverse(f"messaging:{name}", args=[row.uid for row in rows])


def api(user=None):
    client = APIClient()
    client.force_authenticate(user)
    return client


# --- Pages --------------------------------------------------------------------------------------


def test_list_groups_by_the_readers_days(client, user):
    today = tell(user, "today")  # 16:00 of Nov 17 in Tokyo
    night = tell(user, "night", ago=16 * HOUR)  # 01:00 of Nov 17 in Tokyo, Nov 16 in Berlin
    before = tell(user, "before", ago=18 * HOUR)
    tell(UserFactory(), "foreign")
    tell(user, "later", due_at=NOW + HOUR)

    context = client.get(url("list")).context

    assert context["days"] == [(dt.date(2026, 11, 17), [today, night]), (dt.date(2026, 11, 16), [before])]
    assert context["has_unread"] is True


def test_list_shows_text_as_text(client, user):
    tell(user, title="<script>alert(1)</script>", body="{{ 7*7 }}")

    text = client.get(url("list")).content.decode()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "{{ 7*7 }}" in text


def test_list_without_any_says_what_comes(client, user):
    response = client.get(url("list"))

    assert response.context["has_unread"] is False
    assert "All quiet" in response.content.decode()


def test_list_asks_the_same_for_one_and_many(client, user):
    tell(user, url="/x/")
    assert_constant(lambda: client.get(url("list")), lambda: [tell(user, f"k{n}", url="/x/") for n in range(8)])


def test_reading_one_marks_it(client, user):
    first, second = tell(user, "a"), tell(user, "b")

    assert client.post(url("read", first)).url == url("list")

    assert list(Notification.objects.unread()) == [second]
    assert client.get(url("list")).context["unread_count"] == 1


def test_opening_one_marks_it_and_goes_there(client, user):
    notification = tell(user, url="/bookings/BK-1/")

    assert client.post(url("open", notification)).url == "/bookings/BK-1/"
    assert Notification.objects.get().read_at == NOW


@pytest.mark.parametrize("address", ["", "//evil.test/", "https://evil.test/", "javascript:alert(1)"])
def test_opening_one_never_leaves_the_site(client, user, address):
    assert client.post(url("open", tell(user, url=address))).url == url("list")


def test_reading_all(client, user):
    tell(user, "a")
    tell(user, "b")
    foreign = tell(UserFactory(), "c")

    assert client.post(url("read_all")).url == url("list")
    assert list(Notification.objects.unread()) == [foreign]


def test_looking_marks_nothing(client, user):
    notification = tell(user)
    client.get(url("list"))

    for name in ("read", "open"):
        assert client.get(url(name, notification)).status_code == 405
    assert client.get(url("read_all")).status_code == 405
    assert Notification.objects.unread().count() == 1


def test_those_of_others_and_taken_back_ones_are_not_there(client, user):
    foreign = tell(UserFactory())
    gone = tell(user, "gone", kind="x", topic="t", due_at=NOW + HOUR)
    cancel(topic="t", kind="x", now=NOW)

    for notification in (foreign, gone):
        for name in ("read", "open"):
            assert client.post(url(name, notification)).status_code == 404


def test_pages_need_signing_in(client):
    for address in (url("list"), url("read_all"), url("read", tell(UserFactory()))):
        assert client.post(address).url.split("?")[0] == reverse("account_login")


# --- The API ------------------------------------------------------------------------------------


def test_api_lists_newest_first_by_cursor():
    user = UserFactory()
    rows = [tell(user, f"k{n}", ago=n * HOUR) for n in range(5)]
    client = api(user)

    seen, address = [], f"{API}?page_size=2"
    while address:
        body = client.get(address).json()
        seen += [row["id"] for row in body["results"]]
        address = body["next"]

    assert seen == [str(row.uid) for row in rows]


def test_api_shows_what_was_said():
    user = UserFactory()
    row = tell(user, topic="booking:1", url="/bookings/BK-1/")

    assert api(user).get(f"{API}{row.uid}/").json() == {
        "id": str(row.uid), "kind": "test", "topic": "booking:1", "title": "About k", "body": "Body",
        "url": "/bookings/BK-1/", "count": 1, "at": "2026-11-17T07:00:00Z", "read_at": None,
    }  # fmt: skip


def test_api_filters_unread():
    user = UserFactory()
    tell(user, "a")
    client = api(user)
    read = client.post(f"{API}{tell(user, 'b').uid}/read/").json()

    def titles(query):
        return [row["title"] for row in client.get(f"{API}?{query}").json()["results"]]

    assert read["read_at"] == "2026-11-17T08:00:00Z"
    assert (titles("unread=true"), titles("unread=false")) == (["About a"], ["About b"])
    assert client.get(f"{API}?unread=maybe").status_code == 400
    assert client.get(f"{API}?cursor=nonsense").status_code == 400


def test_api_reads_all():
    user = UserFactory()
    tell(user, "a")
    tell(user, "b")
    client = api(user)

    assert [client.post(f"{API}read-all/").json() for _ in range(2)] == [{"read": 2}, {"read": 0}]


def test_api_gives_nothing_of_others():
    row, client = tell(UserFactory()), api(UserFactory())

    assert client.get(API).json()["results"] == []
    assert client.get(f"{API}{row.uid}/").status_code == 404
    assert client.post(f"{API}{row.uid}/read/").status_code == 404
    assert client.get(f"{API}{uuid.uuid4()}/").status_code == 404
    assert APIClient().get(API).status_code == 401


def test_api_asks_the_same_for_one_and_many():
    user = UserFactory()
    tell(user)
    client = api(user)
    assert_constant(lambda: client.get(API), lambda: [tell(user, f"k{n}") for n in range(8)])


# --- The admin ----------------------------------------------------------------------------------


@pytest.fixture
def staff(client):
    client.force_login(StaffFactory())
    return client


def test_admin_shows_what_failed_and_sends_it_again(staff):
    dead = tell(UserFactory()).deliveries.get(channel="email")
    waiting = tell(UserFactory()).deliveries.get(channel="email")
    Delivery.objects.filter(pk=dead.pk).update(state=DeliveryState.DEAD, attempts=12, last_error="550 no such user")
    address = reverse("admin:messaging_delivery_changelist")
    assert "550 no such user" in staff.get(address).content.decode()

    response = staff.post(address, {"action": "send_again", "_selected_action": [dead.pk, waiting.pk]}, follow=True)

    dead.refresh_from_db()
    assert (dead.state, dead.attempts, dead.due_at) == (DeliveryState.WAITING, 0, NOW)
    text = response.content.decode()
    assert "1 will be sent again." in text
    assert f"Delivery {waiting.uid}: Only a delivery that was given up can be sent again." in text


def test_admin_says_nothing_of_success_when_nothing_was_sent(staff):
    waiting = tell(UserFactory()).deliveries.get(channel="email")

    response = staff.post(
        reverse("admin:messaging_delivery_changelist"),
        {"action": "send_again", "_selected_action": [waiting.pk]},
        follow=True,
    )

    assert "will be sent again" not in response.content.decode()


@pytest.mark.parametrize("model", ["notification", "delivery"])
def test_admin_only_reads(staff, model):
    notification = tell(UserFactory())
    row = notification if model == "notification" else notification.deliveries.first()

    assert staff.get(reverse(f"admin:messaging_{model}_changelist")).status_code == 200
    change = reverse(f"admin:messaging_{model}_change", args=[row.pk])
    assert staff.get(change).status_code == 200
    assert staff.post(change, {}).status_code == 403
    assert staff.get(reverse(f"admin:messaging_{model}_add")).status_code == 403
    assert staff.get(reverse(f"admin:messaging_{model}_delete", args=[row.pk])).status_code == 403


def test_people_read_names():
    delivery = tell(UserFactory(), title="Hello").deliveries.get(channel="email")

    assert (str(delivery.notification), str(delivery)) == ("Hello", "email waiting")


def test_pages_without_a_person_count_nothing():
    assert context_processors.unread(RequestFactory().get("/")) == {"unread_count": 0}
