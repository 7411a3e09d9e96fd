"""``check_invariants`` finds nothing in what the domain makes, and finds each thing that is broken behind its back."""

import datetime as dt
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from petplace import invariants
from tests.factories import make_booking, make_branch, make_provider, make_resource, make_service

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    return timezone.now().replace(minute=0, second=0, microsecond=0) + dt.timedelta(hours=1)


@pytest.fixture
def branch(now):
    branch = make_branch(make_provider(now=now), now=now)
    for name in ("Room 1", "Room 2"):
        make_resource(branch, kind="room", name=name, now=now)
    return branch


@pytest.fixture
def service(branch, now):
    return make_service(branch, now=now, needs=["room"], is_instant=True, minimum_notice_minutes=0, slot_step_minutes=5)


@pytest.fixture
def book(service, now):
    def make(state="confirmed", days=3, **fields):
        return make_booking(service, state=state, now=now, starts_at=now + dt.timedelta(days=days), **fields)

    return make


def broken():
    return [finding.invariant.name for finding in invariants.check() if not finding.is_ok]


def execute(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def drop(table, constraint):
    execute("SET CONSTRAINTS ALL IMMEDIATE")  # no table with checks still to come can be altered
    execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")


@pytest.mark.parametrize("state", ["held", "confirmed", "cancelled"])
def test_booking_from_the_domain_breaks_nothing(book, state):
    book(state)
    assert broken() == []


@pytest.mark.parametrize("state", ["pending", "declined", "confirmed"])
def test_request_breaks_nothing(branch, now, state):
    service = make_service(branch, now=now, needs=["room"])
    make_booking(service, state=state, now=now, starts_at=now + dt.timedelta(days=3))
    assert broken() == []


@pytest.mark.parametrize("state", ["in_progress", "completed", "no_show"])
def test_visit_that_has_been_breaks_nothing(branch, now, state):
    service = make_service(branch, now=now, needs=["room"])
    then = now - dt.timedelta(days=3)
    make_booking(service, state=state, now=then, starts_at=then + dt.timedelta(days=2))
    execute("UPDATE messaging_delivery SET state = 'sent', sent_at = due_at, handed_at = due_at")
    assert broken() == []


UPDATE = "UPDATE bookings_booking SET"


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        (
            f"{UPDATE} due_at = now() - interval '2 min'",
            "no hold, request or visit is more than 60 s past its due time",
        ),
        (f"{UPDATE} total = total + 1", "a booking costs what its quote says"),
        (
            f"{UPDATE} invoice_id = NULL",
            "a booking that was placed has an invoice, one that was not has a draft at most",
        ),
        (f"{UPDATE} state = 'no_show'", "every booking is in the state that its last event says"),
        (f"{UPDATE} state = 'no_show'", "an allocation is live exactly as long as its booking"),
        (f"{UPDATE} state = 'no_show'", "a reminder waits only for a confirmed booking, at its present time"),
        (f"{UPDATE} state = 'no_show', due_at = now() + interval '1 h'", "no final booking has a due time"),
        (
            f"{UPDATE} starts_at = starts_at - interval '1 day', ends_at = ends_at - interval '1 day'",
            "a live allocation covers its booking's time",
        ),
        (
            f"{UPDATE} state = 'pending', due_at = now() + interval '1 h', starts_at = now() - interval '3 days'",
            "no request is pending 24 hours after its start",
        ),
        (
            "UPDATE bookings_bookingevent SET side = 'staff' WHERE action = 'place'",
            "every step is a row of the transition table",
        ),
        (
            "UPDATE bookings_bookingevent SET from_state = 'pending' WHERE action = 'place'",
            "every step starts where the one before it ended",
        ),
        (
            "UPDATE bookings_bookingevent SET detail = '{\"resources\": 2}' WHERE action = 'hold'",
            "each live booking holds the resources that it took, all of them",
        ),
        ("UPDATE bookings_quote SET total = total + 1", "a quote's total is the sum of its lines"),
        ("UPDATE payments_invoice SET total = total + 1", "an invoice's total is the sum of its lines"),
        (
            "UPDATE payments_invoice SET total = total + 1",
            "the invoices of a booking ask for its total, or for what the terms keep, less what was given back by hand",
        ),
        (
            "UPDATE messaging_delivery SET due_at = now() - interval '6 min'",
            "no delivery that was never tried waits for more than 5 minutes",
        ),
        ("UPDATE messaging_delivery SET sent_at = now()", "a delivery is sent exactly when it says so"),
        ("DELETE FROM messaging_delivery", "every notification has a delivery"),
        ("UPDATE providers_provider SET state = 'suspended'", "only active branches of approved providers are found"),
        (
            "UPDATE providers_provider SET state = 'suspended'",
            "every provider is in the state that its last event says",
        ),
        (
            "UPDATE providers_openhours SET expanded_until = current_date + 100",
            "the open hours of every active resource reach the horizon",
        ),
        (
            "INSERT INTO providers_timeoff (uid, created_at, resource_id, during, reason)"
            " SELECT gen_random_uuid(), now(), resource_id, tstzrange(now(), now() + interval '9 days'), ''"
            " FROM providers_openhours",
            "nobody is open during time off",
        ),
        ("DELETE FROM providers_membership", "every provider that was handed in has a manager"),
        (
            "UPDATE providers_provider SET rating_sum = 5, review_count = 1",
            "a provider's rating figures are the sum and the number of its visible reviews",
        ),
    ],
)
def test_breach_is_found(book, sql, name):
    book()
    execute(sql)
    assert name in broken()


def test_overlap_is_found_once_the_constraint_is_gone(book, branch):
    book()
    book()
    drop("bookings_allocation", "allocation_no_overlap")
    execute("UPDATE bookings_allocation SET resource_id = (SELECT min(resource_id) FROM bookings_allocation)")
    assert broken() == ["no two live allocations of a resource overlap"]


def test_pet_in_two_places_is_found(book):
    first, second = book(), book()
    execute("UPDATE bookings_bookingpet SET pet_id = %s WHERE booking_id = %s", first.pets.get().pk, second.pk)
    assert broken() == ["no pet is in two places at once"]


def test_too_many_holds_are_found(book):
    for _ in range(2):
        book("held")
    execute("UPDATE bookings_booking SET owner_id = (SELECT min(owner_id) FROM bookings_booking)")
    assert broken() == []
    execute("INSERT INTO bookings_booking (uid, created_at, reference, owner_id, provider_id, service_id, note,"
            " starts_at, ends_at, time_zone, state, cancel_reason, due_at, quote_id, currency, total, terms, sequence,"
            " updated_at)"
            " SELECT gen_random_uuid(), created_at, 'BK-' || g, owner_id, provider_id, service_id, note, starts_at,"
            " ends_at, time_zone, state, cancel_reason, due_at, quote_id, currency, total, terms, sequence, updated_at"
            " FROM (SELECT * FROM bookings_booking LIMIT 1) b, generate_series(1, 2) g")  # fmt: skip
    assert "nobody keeps more open holds than allowed" in broken()


def test_doubled_notification_is_found_once_the_constraint_is_gone(book):
    book()
    drop("messaging_notification", "notification_once")
    execute("UPDATE messaging_notification SET key = 'same'")
    assert broken() == ["no notification is doubled"]


def test_review_of_an_open_booking_is_found(book):
    booking = book()
    execute("INSERT INTO reviews_review"
            " (uid, created_at, booking_id, provider_id, author_id, rating, text, side, due_at)"
            " VALUES (gen_random_uuid(), now(), %s, %s, %s, 5, '', 'owner', now())",
            booking.pk, booking.provider_id, booking.owner_id)  # fmt: skip
    assert (
        "only completed bookings have reviews, the owner's by the owner and the provider's by somebody else" in broken()
    )


def test_unknown_state_is_found_once_the_constraint_is_gone(book):
    book()
    drop("bookings_booking", "booking_state_known")
    execute("UPDATE bookings_booking SET state = 'lost'")
    assert "every state is one of the table's" in broken()


def test_command_prints_a_line_for_each_and_the_deadlocks(book):
    book()
    out = StringIO()
    call_command("check_invariants", stdout=out)
    lines = out.getvalue().splitlines()
    assert [line[:8] for line in lines[:-1]] == ["ok      "] * len(invariants.registered())
    assert lines[-1].strip().startswith("deadlocks counted by PostgreSQL: ")


def test_command_ends_with_one_and_names_the_first_row(book):
    booking = book()
    execute(f"{UPDATE} total = total + 1, due_at = now() - interval '2 min'")
    out = StringIO()
    with pytest.raises(CommandError) as error:
        call_command("check_invariants", stdout=out)
    assert error.value.returncode == 1
    line = f"BREACH  a booking costs what its quote says: 1 row, first: {booking.reference}, 2501, 2500"
    assert line in out.getvalue().splitlines()


@pytest.mark.django_db(transaction=True)
def test_check_cannot_write():
    findings = invariants.check()
    next(findings)
    with pytest.raises(Exception, match="read-only transaction"), connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET full_name = 'x'")
    findings.close()
