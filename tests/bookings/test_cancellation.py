import datetime as dt

import pytest

from bookings.domain import cancellation, interval, pricing
from bookings.domain.cancellation import Terms
from bookings.states import Side
from providers.domain import applications
from tests.factories import NOW, make_booking, make_branch, make_provider, make_service

pytestmark = pytest.mark.django_db


def utc(*parts):
    return dt.datetime(*parts, tzinfo=dt.UTC)


def terms_of(service, start, nights=0, addons=(), pets=1):
    if nights:
        first = start.astimezone(service.branch.zone).date()
        start, end = interval.for_stay(service, first, first + dt.timedelta(days=nights))
    else:
        start, end = interval.for_timed(service, start)
    price = pricing.price(service, starts_at=start, ends_at=end, pet_count=pets, addons=addons)
    return cancellation.terms(service, service.provider, start, price)


def walk(policy="one_day", **fields):
    return make_service(make_branch(make_provider(cancellation_policy=policy)), price=2000, **fields)


def groom(policy="fair", **fields):
    branch = make_branch(make_provider(kind="groomer", appointment_policy=policy))
    return make_service(branch, kind="grooming", price=4000, **fields)


START = utc(2026, 11, 18, 14)  # Wednesday, 15:00 in Berlin


@pytest.mark.parametrize(
    ("policy", "deadline"),
    [
        ("same_day", utc(2026, 11, 18, 11)),
        ("one_day", utc(2026, 11, 17, 11)),
        ("three_day", utc(2026, 11, 15, 11)),
        ("seven_day", utc(2026, 11, 11, 11)),
    ],
)
def test_visit_is_free_to_cancel_until_noon_so_many_days_before(policy, deadline):
    terms = terms_of(walk(policy), START)
    assert [row.until for row in terms.rows] == [deadline, None]
    assert terms.refund(deadline - dt.timedelta(seconds=1)) == 2000
    assert terms.refund(deadline) == 1000
    assert terms.refund(START + dt.timedelta(hours=1)) == 1000


def test_same_day_of_a_morning_visit_ends_with_its_start():
    start = utc(2026, 11, 18, 8)
    assert terms_of(walk("same_day"), start).rows[0].until == start


def test_first_seven_nights_are_half_and_later_ones_all_given_back():
    service = make_service(kind="boarding", is_overnight=True, price=3001, addons=[("Bath", 500)])
    terms = terms_of(service, START, nights=9, addons=list(service.addons.all()))
    kept = (7 * 3001 + 1) // 2
    assert terms.total == 9 * 3001 + 500
    assert terms.rows[1].refund_amount == terms.total - kept
    assert terms.no_show.refund_amount == terms.total - kept


@pytest.mark.parametrize(
    ("policy", "late", "no_show"),
    [("flexible", 0, 10), ("fair", 10, 30), ("moderate", 30, 50), ("strict", 50, 100)],
)
def test_appointment_has_a_late_and_a_no_show_fee(policy, late, no_show):
    service = groom(policy, addons=[("Nails", 1000)])
    terms = terms_of(service, START, addons=list(service.addons.all()))
    deadline = START - dt.timedelta(hours=24)
    assert terms.total == 5000
    assert terms.refund(deadline - dt.timedelta(seconds=1)) == 5000
    assert terms.refund(deadline) == 5000 - 40 * late
    assert terms.no_show.refund_amount == 5000 - 40 * no_show


def test_table_is_said_in_words_with_the_zone():
    terms = terms_of(groom(), START)
    assert [row.text for row in [*terms.rows, terms.no_show]] == [
        "Before Tue 17 Nov 2026, 15:00 (Europe/Berlin): full refund",
        "From Tue 17 Nov 2026, 15:00 (Europe/Berlin): €36.00 back, €4.00 to pay",
        "If nobody comes: €28.00 back, €12.00 to pay",
    ]
    assert [row.percent for row in terms.rows] == [100, 90]


def test_words_for_all_and_nothing():
    assert terms_of(groom("flexible"), START).rows[0].text == "At any time: full refund"
    assert terms_of(groom("strict"), START).no_show.text == "If nobody comes: no refund"


def test_free_service_gives_everything_back():
    terms = terms_of(make_service(price=0), START)
    assert [(row.refund_amount, row.percent) for row in terms.rows] == [(0, 100)]


def test_snapshot_survives_json():
    terms = terms_of(walk(), START)
    assert Terms.from_json(terms.as_json()) == terms


def test_snapshot_names_policy_zone_and_deadlines():
    data = terms_of(walk(), START).as_json()
    assert (data["policy"], data["time_zone"], data["currency"], data["total"]) == (
        "one_day",
        "Europe/Berlin",
        "EUR",
        2000,
    )
    assert [row["until"] for row in data["rows"]] == ["2026-11-17T11:00:00+00:00", None]
    assert data["units"] == [2000]


def test_without_full_refund_only_the_last_row_stays():
    terms = terms_of(walk(), START)
    assert terms.without_full_refund().rows == terms.rows[1:]
    alone = terms.without_full_refund()
    assert alone.without_full_refund() == alone


def test_provider_changing_the_policy_later_does_not_count():
    booking = make_booking(make_service(make_branch(make_provider(cancellation_policy="same_day"))))
    applications.update(booking.provider, by=None, now=NOW, cancellation_policy="seven_day")
    assert cancellation.refund_due(booking, NOW, Side.OWNER) == booking.total


@pytest.mark.parametrize("side", [Side.PROVIDER, Side.STAFF, Side.SYSTEM])
def test_everybody_but_the_owner_gives_all_back(side):
    booking = make_booking()
    assert cancellation.refund_due(booking, booking.starts_at, side) == 2500
    assert cancellation.refund_due(booking, booking.starts_at, Side.OWNER) == 1250
