import datetime as dt

import pytest

from messaging import texts
from tests.factories import UserFactory

AT = dt.datetime(2026, 11, 24, 16, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("Europe/Berlin", "Tue, Nov 24, 2026, 17:00 (Europe/Berlin)"),
        ("America/New_York", "Tue, Nov 24, 2026, 11:00 (America/New_York)"),
        ("Asia/Almaty", "Tue, Nov 24, 2026, 21:00 (Asia/Almaty)"),
        ("Asia/Tokyo", "Wed, Nov 25, 2026, 01:00 (Asia/Tokyo)"),
        ("Nowhere/City", "Tue, Nov 24, 2026, 16:00 (UTC)"),
        ("../etc/passwd", "Tue, Nov 24, 2026, 16:00 (UTC)"),
    ],
)
def test_when_is_the_readers_time_with_its_zone(zone, text):
    assert texts.when(AT, UserFactory.build(time_zone=zone)) == text


def test_span_names_one_day_once():
    user = UserFactory.build(time_zone="Europe/Berlin")

    assert texts.span(AT, AT + dt.timedelta(hours=1), user) == "Tue, Nov 24, 2026, 17:00 to 18:00 (Europe/Berlin)"


def test_span_names_both_days():
    user = UserFactory.build(time_zone="Europe/Berlin")

    assert (
        texts.span(AT, AT + dt.timedelta(days=2), user)
        == "Tue, Nov 24, 2026, 17:00 to Thu, Nov 26, 2026, 17:00 (Europe/Berlin)"
    )
