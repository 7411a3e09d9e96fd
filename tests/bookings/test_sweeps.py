"""What happens by itself. Two and four at once are in ``tests/races``."""

import datetime as dt

import pytest
from django.db import OperationalError

from bookings import tasks
from bookings.domain import guards, lifecycle, sweeps
from bookings.domain.sweeps import Done
from bookings.models import Booking
from petplace.errors import DomainError
from providers.domain import hours
from tests.factories import NOW, make_booking, make_branch, make_resource, make_service, manager_of

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


def states():
    return sorted(Booking.objects.values_list("state", "cancel_reason"))


def make_all():
    branch = make_branch()
    for index in range(8):
        make_resource(branch, kind="kennel", name=f"K{index}")
    service = make_service(branch, kind="daycare", needs=["kennel"])
    return [make_booking(service, state=state) for state in ("held", "pending", "confirmed", "in_progress")]


def test_nothing_happens_before_it_is_due():
    make_all()
    assert sweeps.process_due(NOW) == Done()


def test_each_is_taken_further_when_it_is_due():
    held, pending, _, visit = make_all()
    assert sweeps.process_due(held.due_at) == Done(expired=1)
    assert sweeps.process_due(pending.due_at) == Done(expired=1)
    assert sweeps.process_due(visit.due_at) == Done(completed=1)
    assert states() == [
        ("cancelled", "hold_expired"),
        ("cancelled", "request_expired"),
        ("completed", ""),
        ("confirmed", ""),
    ]


def test_running_twice_does_nothing_more():
    make_all()
    later = NOW + 9 * DAY
    assert sweeps.process_due(later) == Done(expired=2, completed=1)
    assert sweeps.process_due(later) == Done()
    assert sweeps.sweep(later) == Done()


def test_sweep_finds_a_request_without_a_sensible_due_time():
    booking = make_booking(state="pending")
    Booking.objects.update(due_at=NOW + 400 * DAY)
    over = booking.starts_at + DAY
    assert sweeps.process_due(over) == Done()
    assert sweeps.sweep(over - dt.timedelta(seconds=1)) == Done()
    assert sweeps.sweep(over) == Done(expired=1)


def test_one_that_fails_does_not_stop_the_others(monkeypatch, caplog):
    held, *_ = make_all()
    expire = lifecycle.expire

    def fail_once(booking, *, now):
        if booking.pk == held.pk:
            raise RuntimeError("poison")
        return expire(booking, now=now)

    monkeypatch.setattr(lifecycle, "expire", fail_once)
    assert sweeps.process_due(NOW + 9 * DAY) == Done(expired=1, completed=1, failed=1)
    assert "poison" in caplog.text
    held.refresh_from_db()
    assert held.state == "held"


def test_database_that_goes_away_ends_the_run(monkeypatch):
    make_all()

    def away(booking, *, now):
        raise OperationalError("gone")

    monkeypatch.setattr(lifecycle, "expire", away)
    with pytest.raises(OperationalError):
        sweeps.process_due(NOW + 9 * DAY)


def test_refusal_other_than_not_due_is_a_failure(monkeypatch):
    make_booking(state="held")

    def refuse(booking, *, now):
        raise DomainError("No.", code="odd")

    monkeypatch.setattr(lifecycle, "expire", refuse)
    assert sweeps.process_due(NOW + DAY) == Done(failed=1)


def test_row_that_was_changed_meanwhile_is_left_alone():
    booking = make_booking(state="held")
    due = booking.due_at
    assert sweeps._one(booking.pk, due - dt.timedelta(seconds=1)) is None
    lifecycle.cancel(booking, by=booking.owner, now=NOW)
    assert sweeps._one(booking.pk, due) is None
    Booking.objects.all().delete()
    assert sweeps._one(booking.pk, due) is None


def test_a_run_is_bounded(monkeypatch):
    make_all()
    monkeypatch.setattr(sweeps, "BATCH", 1)
    later = NOW + 9 * DAY
    assert [sweeps.process_due(later) for _ in range(4)] == [
        Done(expired=1),
        Done(expired=1),
        Done(completed=1),
        Done(),
    ]


@pytest.mark.parametrize("task", [tasks.process_due, tasks.sweep])
def test_tasks_are_safe_to_run_twice(task, monkeypatch):
    make_all()
    monkeypatch.setattr(tasks.timezone, "now", lambda: NOW + 9 * DAY)
    task()
    expected = states()
    task()
    assert states() == expected
    assert [state for state, _ in expected] == ["cancelled", "cancelled", "completed", "confirmed"]


class TestGuards:
    def test_time_off_over_a_booking_is_refused_and_names_it(self):
        booking = make_booking()
        resource = booking.allocations.get().resource
        with pytest.raises(DomainError) as error:
            hours.add_time_off(
                resource, start=booking.ends_at - dt.timedelta(minutes=1), end=booking.ends_at + DAY, now=NOW
            )
        assert (error.value.code, error.value.extra) == ("booked_then", {"bookings": [booking.reference]})
        assert booking.reference in error.value.message

    def test_time_off_beside_a_booking_is_fine(self):
        booking = make_booking()
        resource = booking.allocations.get().resource
        hours.add_time_off(resource, start=booking.ends_at, end=booking.ends_at + DAY, now=NOW)
        assert resource.time_off.count() == 1

    def test_only_some_references_are_named(self):
        service = make_service(is_instant=True)
        for index in range(7):
            make_booking(service, starts_at=NOW + DAY + dt.timedelta(hours=index))
        resource = service.branch.resources.get()
        with pytest.raises(DomainError) as error:
            guards.refuse_time_off(resource, NOW, NOW + 3 * DAY)
        assert len(error.value.extra["bookings"]) == 5
        assert " and more. " in error.value.message

    @pytest.mark.parametrize(("state", "is_open"), [("held", True), ("confirmed", True), ("completed", False)])
    def test_account_with_open_bookings_is_not_closed(self, state, is_open):
        booking = make_booking(state=state)
        for person in (booking.owner, manager_of(booking)):
            if is_open:
                with pytest.raises(DomainError, match=booking.reference) as error:
                    guards.refuse_closing(person)
                assert error.value.code == "open_bookings"
            else:
                assert guards.refuse_closing(person) is None
