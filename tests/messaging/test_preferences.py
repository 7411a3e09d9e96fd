"""Who hears what where: defaults, switches, quiet hours, text messages."""

import datetime as dt
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.core import mail
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from messaging import kinds
from messaging.choices import Channel, DeliveryState, PhoneState
from messaging.domain import Notice, notify, notify_all, outbox, preferences
from messaging.domain.preferences import Switch, quiet_end
from messaging.kinds import PEOPLE, Kind, UnknownKindError, Urgency
from messaging.models import ContactSettings, Delivery, Device, Preference
from petplace.errors import InvalidInput
from tests.factories import StaffFactory, UserFactory

NOW = dt.datetime(2026, 11, 24, 16, 0, tzinfo=dt.UTC)
NIGHT = dt.datetime(2026, 11, 24, 22, 30, tzinfo=dt.UTC)
MORNING = dt.datetime(2026, 11, 25, 8, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
API = "/api/v1/notification-preferences/"
TEXTED = (*PEOPLE, Channel.SMS)
PAGE = "/notifications/settings/"


@pytest.fixture(autouse=True)
def _more_kinds(_kinds, monkeypatch):
    more = (
        Kind("calm", "Calm", "bookings", PEOPLE, (Channel.SMS,)),
        Kind("texted", "Texted", "bookings", TEXTED, urgency=Urgency.URGENT),
        Kind("safety", "Safety", "account", PEOPLE, is_mutable=False),
        Kind("for_staff", "For staff", "staff", PEOPLE),
    )
    monkeypatch.setattr(kinds, "_kinds", {**kinds._kinds, **{kind.name: kind for kind in more}})


def tell(user, kind="calm", now=NOW, **options):
    options = {"key": "k", "title": "Hello", "body": "There"} | options
    return notify(user, kind, now=now, **options)


def ways(notification):
    return sorted(notification.deliveries.values_list("channel", flat=True))


def reachable(**fields):
    user = UserFactory(phone="+4930123456", **fields)
    ContactSettings.objects.create(user=user, texts_are_on=True)
    Device.objects.create(user=user, kind="fcm", address=f"token-{user.pk}", last_seen_at=NOW)
    return user


# --- Which channels -----------------------------------------------------------------------------


@pytest.mark.django_db
def test_without_phone_and_browser_it_goes_by_mail_and_in_the_app():
    assert ways(tell(UserFactory(), "texted")) == ["email", "in_app"]


@pytest.mark.django_db
def test_with_both_it_goes_everywhere_that_is_on_by_default():
    user = reachable()

    assert ways(tell(user, "texted", key="a")) == ["email", "in_app", "push", "sms"]
    assert ways(tell(user, "calm", key="b")) == ["email", "in_app", "push"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [{"texts_are_on": False}, {"phone_state": PhoneState.STOPPED}, {"phone_state": PhoneState.UNREACHABLE}],
)
def test_no_text_without_the_readers_will_or_to_a_number_that_takes_none(change):
    user = reachable()
    ContactSettings.objects.update(**change)

    assert "sms" not in ways(tell(user, "texted"))


@pytest.mark.django_db
def test_switches_decide():
    user = reachable()
    preferences.choose(
        user, [Switch("calm", "sms", True), Switch("calm", "email", False), Switch("calm", "push", False)]
    )

    assert ways(tell(user)) == ["in_app", "sms"]


@pytest.mark.django_db
def test_named_channels_are_the_most_and_what_was_switched_off_is_left_out():
    user = reachable()
    preferences.choose(user, [Switch("calm", "push", False)])

    assert ways(tell(user, channels=(Channel.EMAIL, Channel.PUSH))) == ["email"]


@pytest.mark.django_db
def test_what_is_due_later_waits_for_a_phone_that_may_still_come():
    user = UserFactory(time_zone="UTC")
    reminder = tell(user, "texted", due_at=NOW + HOUR)
    assert ways(reminder) == ["email", "in_app", "push", "sms"]

    outbox.deliver_due(now=NOW + HOUR)

    assert dict(reminder.deliveries.filter(state=DeliveryState.SKIPPED).values_list("channel", "last_error")) == {
        "sms": "Text messages are switched off.",
        "push": "No browser or phone is registered.",
    }
    assert len(mail.outbox) == 1


@pytest.mark.django_db
def test_switched_off_after_it_was_written_is_not_sent():
    user = UserFactory()
    waiting = tell(user).deliveries.get(channel="email")
    preferences.choose(user, [Switch("calm", "email", False)])

    outbox.deliver_due(now=NOW)

    assert mail.outbox == []
    waiting.refresh_from_db()
    assert (waiting.state, waiting.last_error) == (DeliveryState.SKIPPED, "Switched off by the reader.")


@pytest.mark.django_db
def test_mail_to_an_address_that_came_back_is_not_sent_and_says_why():
    user = UserFactory()
    ContactSettings.objects.create(user=user, email_bounced_at=NOW)
    delivery = tell(user, "safety").deliveries.get(channel="email")

    outbox.deliver_due(now=NOW)

    delivery.refresh_from_db()
    assert mail.outbox == []
    assert (delivery.state, delivery.last_error) == (DeliveryState.SKIPPED, preferences.MAIL_BOUNCED)


@pytest.mark.django_db
def test_writing_many_takes_as_many_statements_as_writing_one(django_assert_num_queries):
    people = [reachable() for _ in range(6)]
    notices = [
        Notice(user, kind, key=kind, title="Hello", body="There")
        for user in people
        for kind in ("calm", "texted", "safety")
    ]

    with django_assert_num_queries(5):
        one = notify_all(notices[:1], now=NOW)
    with django_assert_num_queries(5):
        many = notify_all(notices[1:], now=NOW)

    assert (len(one), len(many)) == (1, 17)


def test_an_undeclared_kind_is_an_error_here_and_goes_by_mail_in_production(settings, caplog):
    with pytest.raises(UnknownKindError):
        kinds.get("nobody_knows_it")
    settings.IS_PRODUCTION = True

    assert kinds.get("nobody_knows_it").channels == (Channel.IN_APP, Channel.EMAIL)
    assert "'nobody_knows_it' is not declared" in caplog.text


def test_a_kind_is_declared_once_and_in_a_group_that_exists():
    with pytest.raises(ValueError, match="declared twice"):
        kinds.register(Kind("calm", "Other", "bookings"))
    with pytest.raises(ValueError, match="no group"):
        Kind("a", "A", "nonsense")
    with pytest.raises(ValueError, match="in the app"):
        Kind("a", "A", "bookings", (Channel.EMAIL,))


# --- Quiet hours --------------------------------------------------------------------------------


@pytest.mark.django_db
def test_at_night_what_can_wait_waits_until_the_morning_of_the_reader():
    user = reachable(time_zone="UTC")
    calm, urgent = tell(user, "calm", NIGHT, key="a"), tell(user, "texted", NIGHT, key="b")

    assert dict(calm.deliveries.values_list("channel", "due_at")) == {
        "in_app": NIGHT, "email": MORNING, "push": MORNING,
    }  # fmt: skip
    assert set(urgent.deliveries.values_list("due_at", flat=True)) == {NIGHT}


@pytest.mark.django_db
def test_quiet_hours_hold_for_a_try_that_failed_in_the_evening_too():
    user = UserFactory(time_zone="UTC")
    delivery = tell(user, "calm", NOW).deliveries.get(channel="email")
    Delivery.objects.filter(pk=delivery.pk).update(due_at=NIGHT, attempts=1)

    outbox.deliver_due(now=NIGHT)
    delivery.refresh_from_db()
    assert (delivery.due_at, delivery.attempts, delivery.leased_until) == (MORNING, 1, None)

    outbox.deliver_due(now=MORNING)
    assert len(mail.outbox) == 1


@pytest.mark.django_db
def test_quiet_hours_can_be_switched_off():
    user = UserFactory(time_zone="UTC")
    preferences.change(user, quiet_is_on=False)

    assert set(tell(user, "calm", NIGHT).deliveries.values_list("due_at", flat=True)) == {NIGHT}


def at(text, zone="Europe/Berlin", fold=0):
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


@pytest.mark.parametrize(
    ("start", "end", "now", "until"),
    [
        ("21:00", "08:00", at("2026-11-24T20:59:59"), None),
        ("21:00", "08:00", at("2026-11-24T21:00"), at("2026-11-25T08:00")),
        ("21:00", "08:00", at("2026-11-25T07:59:59"), at("2026-11-25T08:00")),
        ("21:00", "08:00", at("2026-11-25T08:00"), None),
        ("13:00", "15:00", at("2026-11-24T14:00"), at("2026-11-24T15:00")),
        ("13:00", "15:00", at("2026-11-24T15:00"), None),
        ("08:00", "08:00", at("2026-11-24T08:00"), None),  # the same twice: none
        # 02:00 to 03:00 does not exist in this night: they end when the clock jumps.
        ("21:00", "02:30", at("2027-03-27T23:00"), at("2027-03-28T03:00")),
        ("21:00", "08:00", at("2027-03-27T23:00"), at("2027-03-28T08:00")),
        # 02:00 to 03:00 comes twice in this one: each round for itself.
        ("21:00", "02:30", at("2026-10-25T02:15"), at("2026-10-25T02:30")),
        ("21:00", "02:30", at("2026-10-25T02:15", fold=1), at("2026-10-25T02:30", fold=1)),
        ("21:00", "02:30", at("2026-10-25T02:45"), None),
    ],
)
def test_the_end_of_quiet_hours(start, end, now, until):
    found = quiet_end(
        now.astimezone(dt.UTC), ZoneInfo("Europe/Berlin"), dt.time.fromisoformat(start), dt.time.fromisoformat(end)
    )

    assert found == (None if until is None else until.astimezone(dt.UTC))


@given(
    instant=st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2028, 1, 1), timezones=st.just(dt.UTC)),
    zone=st.sampled_from(sorted(zone for zone in available_timezones() if "/" in zone)),
    start=st.times(), end=st.times(),
)  # fmt: skip
def test_quiet_hours_always_end_and_not_in_themselves(instant, zone, start, end):
    start, end = start.replace(second=0, microsecond=0), end.replace(second=0, microsecond=0)

    until = quiet_end(instant, ZoneInfo(zone), start, end)

    if until is not None:
        assert instant < until <= instant + dt.timedelta(hours=25)
        assert quiet_end(until, ZoneInfo(zone), start, end) is None


# --- Switches -----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_switch_back_to_the_default_is_forgotten():
    user = UserFactory()

    preferences.choose(user, [Switch("calm", "email", False), Switch("calm", "sms", True)])
    preferences.choose(user, [Switch("calm", "email", True)])

    assert list(Preference.objects.values_list("kind", "channel", "is_on")) == [("calm", "sms", True)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "channel"),
    [("safety", "email"), ("calm", "in_app"), ("calm", "pigeon"), ("nothing", "email"),
     ("for_staff", "email"), ("safety", "sms")],
)  # fmt: skip
def test_what_is_not_to_be_switched_is_refused(kind, channel):
    with pytest.raises(InvalidInput) as caught:
        preferences.choose(UserFactory(), [Switch(kind, channel, False)])

    assert caught.value.code == "not_switchable"


@pytest.mark.django_db
def test_links_in_mails_switch_off_only_what_may_be():
    user = UserFactory()

    assert preferences.switch_off(user, ["calm", "safety"]) == ["calm"]
    assert preferences.switch_off(user, ["calm"]) == ["calm"]

    assert preferences.chosen_by(user) == {("calm", "email"): False}


@pytest.mark.django_db
def test_texts_need_a_number_that_has_not_said_stop():
    user = UserFactory(phone="")
    with pytest.raises(InvalidInput) as without:
        preferences.change(user, texts_are_on=True)
    user.phone = "+4930123456"
    ContactSettings.objects.update_or_create(user=user, defaults={"phone_state": PhoneState.STOPPED})
    with pytest.raises(InvalidInput) as stopped:
        preferences.change(user, texts_are_on=True)

    assert (without.value.code, stopped.value.code) == ("no_phone", "phone_stopped")


# --- Doors --------------------------------------------------------------------------------------


@pytest.fixture
def user(client):
    user = UserFactory(phone="+4930123456", time_zone="Asia/Tokyo")
    client.force_login(user)
    return user


@pytest.mark.django_db
def test_page_shows_own_groups_and_saves_quiet_hours(client, user):
    page = client.get(PAGE)
    assert page.context["groups"][0].name == "bookings"
    assert "staff" not in [group.name for group in page.context["groups"]]
    assert "Asia/Tokyo" in page.content.decode()

    answer = client.post(PAGE, {"quiet_is_on": "on", "quiet_from": "22:15", "quiet_to": "06:00", "texts_are_on": "on"})

    assert answer.url == PAGE
    contact = ContactSettings.objects.get(user=user)
    assert (contact.quiet_from, contact.quiet_to, contact.texts_are_on) == (dt.time(22, 15), dt.time(6), True)


@pytest.mark.django_db
def test_page_says_what_is_wrong(client, user):
    assert client.post(PAGE, {"quiet_from": "25:00", "quiet_to": "06:00"}).context["form"].errors.keys() == {
        "quiet_from"
    }


@pytest.mark.django_db
def test_page_offers_no_switch_that_can_only_be_refused(client, user):
    ContactSettings.objects.create(user=user, phone_state=PhoneState.STOPPED)

    assert client.get(PAGE).context["form"].fields["texts_are_on"].disabled
    client.post(PAGE, {"quiet_from": "21:00", "quiet_to": "08:00", "texts_are_on": "on"})
    assert not ContactSettings.objects.get().texts_are_on


@pytest.mark.django_db
def test_staff_see_their_group(client):
    client.force_login(StaffFactory())

    assert "staff" in [group.name for group in client.get(PAGE).context["groups"]]


@pytest.mark.django_db
def test_a_group_is_saved_by_itself(client, user):
    preferences.choose(user, [Switch("review_written", "email", False)])
    shown = [cell.name for group in client.get(PAGE).context["groups"] if group.name == "bookings"
             for row in group.rows for cell in row.cells if cell.is_on and not cell.is_fixed]  # fmt: skip

    answer = client.post(f"{PAGE}switch/", {"group": "bookings", "on": [*(set(shown) - {"calm:email"}), "calm:sms"]})

    assert answer.url == f"{PAGE}?open=bookings#switches"
    assert preferences.chosen_by(user) == {
        ("review_written", "email"): False, ("calm", "email"): False, ("calm", "sms"): True,
    }  # fmt: skip


@pytest.mark.django_db
def test_a_channel_of_a_group_is_switched_off_at_once(client, user):
    client.post(f"{PAGE}switch/", {"group": "bookings", "all": "push:off"})

    chosen = preferences.chosen_by(user)
    assert {channel for _, channel in chosen} == {"push"}
    assert chosen["calm", "push"] is False
    group = next(group for group in client.get(PAGE).context["groups"] if group.name == "bookings")
    assert "Push" not in group.summary


@pytest.mark.django_db
def test_a_group_that_is_not_there_changes_nothing(client, user):
    client.post(f"{PAGE}switch/", {"group": "staff", "all": "email:off"})

    assert not Preference.objects.exists()


def api(user=None):
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.mark.django_db
def test_api_shows_and_changes_in_one_go(user):
    client = api(user)
    before = client.get(API).json()
    assert (before["quiet_is_on"], before["quiet_from"], before["quiet_to"], before["texts_are_on"]) == (
        True, "21:00", "08:00", False,
    )  # fmt: skip
    calm = next(kind for kind in before["kinds"] if kind["kind"] == "calm")
    assert calm == {
        "kind": "calm", "label": "Calm", "group": "bookings", "urgency": "normal",
        "channels": [
            {"channel": "email", "is_on": True, "can_switch": True},
            {"channel": "sms", "is_on": False, "can_switch": True},
            {"channel": "push", "is_on": True, "can_switch": True},
        ],
    }  # fmt: skip

    after = client.patch(
        API,
        {"quiet_from": "23:00", "texts_are_on": True, "switches": [{"kind": "calm", "channel": "sms", "is_on": True}]},
    ).json()

    assert (after["quiet_from"], after["quiet_to"], after["texts_are_on"]) == ("23:00", "08:00", True)
    assert preferences.chosen_by(user) == {("calm", "sms"): True}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"quiet_from": "9"}, "invalid"),
        ({"nonsense": 1}, "invalid"),
        ({"phone_state": "works"}, "invalid"),
        ({"switches": [{"kind": "calm", "channel": "in_app", "is_on": False}]}, "invalid"),
        (
            {"quiet_is_on": False, "switches": [{"kind": "safety", "channel": "email", "is_on": False}]},
            "not_switchable",
        ),
    ],
)
def test_api_refuses_and_changes_nothing(user, body, code):
    answer = api(user).patch(API, body)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert not Preference.objects.exists()
    assert preferences.contact_of(user).quiet_is_on


@pytest.mark.django_db
def test_api_needs_signing_in():
    assert APIClient().get(API).status_code == 401
