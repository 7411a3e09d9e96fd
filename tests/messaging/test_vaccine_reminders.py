"""A vaccine that runs out is told of three times, in the morning of its owner's clock, and only while it is so."""

import datetime as dt

import pytest
from django.core import mail

from messaging.domain import outbox, reminders
from messaging.models import Delivery, Notification
from pets import domain as pets
from pets.kinds import VACCINE
from pets.models import Vaccination
from tests.factories import PetFactory, UserFactory, VaccinationFactory

pytestmark = pytest.mark.django_db

UNTIL = dt.date(2026, 12, 24)
DAY = dt.timedelta(days=1)


def vaccination(zone="Europe/Berlin", **fields):
    pet = PetFactory(owner=UserFactory(time_zone=zone), name="Rex")
    made = VaccinationFactory(pet=pet, **({"given_on": dt.date(2025, 12, 24), "valid_until": UNTIL} | fields))
    Vaccination.objects.filter(pk=made.pk).update(created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    return made


def at(days, hour, minute=0, zone="UTC"):
    """So many days before the end, at that hour (UTC: Berlin is one ahead in winter)."""
    day = UNTIL - days * DAY
    return dt.datetime(day.year, day.month, day.day, hour, minute, tzinfo=dt.UTC)


def titles():
    return list(Notification.objects.filter(kind=VACCINE).order_by("pk").values_list("title", flat=True))


@pytest.mark.parametrize(("days", "said"), [(30, "in 30 days"), (7, "in 7 days"), (1, "tomorrow")])
def test_told_at_nine_of_the_owners_clock_once(days, said):
    vaccination()

    counts = [
        reminders.tell_of_vaccines(moment) for moment in (at(days, 7, 59), at(days, 8), at(days, 9), at(days, 20))
    ]

    assert counts == [0, 1, 0, 0]
    assert titles() == [f"Rex: Rabies runs out {said}"]


def test_nine_is_the_owners_nine():
    vaccination("America/New_York")
    assert [reminders.tell_of_vaccines(at(7, hour)) for hour in (8, 13, 14)] == [0, 0, 1]


def test_on_the_day_the_clock_changes_it_is_still_nine():
    vaccination(valid_until=dt.date(2026, 11, 1))  # seven days before, Berlin went back to winter time
    before, after = (dt.datetime(2026, 10, 25, 7, 59, tzinfo=dt.UTC), dt.datetime(2026, 10, 25, 8, tzinfo=dt.UTC))
    assert [reminders.tell_of_vaccines(moment) for moment in (before, after)] == [0, 1]


def test_a_sweep_that_was_away_says_what_is_true_then_and_nothing_stale():
    vaccination()
    assert reminders.tell_of_vaccines(at(24, 12)) == 0  # six days late: the next one is near
    assert reminders.tell_of_vaccines(at(5, 12)) == 1
    assert titles() == ["Rex: Rabies runs out in 5 days"]
    assert reminders.tell_of_vaccines(at(0, 12)) == 1
    assert titles()[1] == "Rex: Rabies runs out today"
    assert reminders.tell_of_vaccines(at(-1, 7)) == 0


@pytest.mark.parametrize("why", ["archived", "newer", "closed", "just typed in", "removed"])
def test_not_told_where_it_does_not_matter(why):
    one = vaccination()
    if why == "archived":
        pets.archive(one.pet, now=at(40, 8))
    elif why == "newer":
        VaccinationFactory(pet=one.pet, given_on=at(40, 8).date(), valid_until=UNTIL + 300 * DAY)
    elif why == "closed":
        type(one.pet.owner).objects.filter(pk=one.pet.owner_id).update(is_active=False)
    elif why == "just typed in":
        Vaccination.objects.filter(pk=one.pk).update(created_at=at(7, 10))
    else:
        pets.remove_vaccination(one)
    assert reminders.tell_of_vaccines(at(7, 12)) == 0


@pytest.mark.parametrize("why", ["archived", "newer", "removed"])
def test_a_mail_that_still_waits_is_not_sent_when_it_has_become_untrue(why):
    one = vaccination()
    reminders.tell_of_vaccines(at(7, 8))
    if why == "archived":
        pets.archive(one.pet, now=at(7, 9))
    elif why == "newer":
        VaccinationFactory(pet=one.pet, given_on=at(7, 8).date(), valid_until=UNTIL + 300 * DAY)
    else:
        pets.remove_vaccination(one)

    outbox.deliver_due(now=at(7, 10))

    assert mail.outbox == []
    assert Delivery.objects.get(channel="email").state == "skipped"


def test_the_mail_names_the_pet_the_vaccine_and_the_day_in_the_readers_order():
    one = vaccination()
    type(one.pet.owner).objects.filter(pk=one.pet.owner_id).update(locale="en-gb")
    reminders.tell_of_vaccines(at(30, 8))

    outbox.deliver_due(now=at(30, 8))

    [sent] = mail.outbox
    assert sent.subject == "Rex: Rabies runs out in 30 days"
    assert "Valid until: Thu 24 Dec 2026" in sent.body
    assert f"Open the passport: http://localhost:8000{one.pet.get_absolute_url()}" in sent.body
