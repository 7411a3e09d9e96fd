import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from bookings.domain import interval, texts
from petplace.errors import InvalidInput
from tests.factories import make_service

UTC = dt.UTC
BERLIN = ZoneInfo("Europe/Berlin")


def utc(*parts):
    return dt.datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "clock", "expected"),
    [
        ("Europe/Berlin", dt.date(2027, 3, 27), dt.time(2, 30), utc(2027, 3, 27, 1, 30)),
        # 02:00-03:00 does not exist: the first instant after the gap
        ("Europe/Berlin", dt.date(2027, 3, 28), dt.time(2, 30), utc(2027, 3, 28, 1, 0)),
        ("Europe/Berlin", dt.date(2027, 3, 28), dt.time(2, 0), utc(2027, 3, 28, 1, 0)),
        ("Europe/Berlin", dt.date(2027, 3, 28), dt.time(3, 0), utc(2027, 3, 28, 1, 0)),
        # 02:00-03:00 comes twice: the first
        ("Europe/Berlin", dt.date(2027, 10, 31), dt.time(2, 30), utc(2027, 10, 31, 0, 30)),
        ("America/New_York", dt.date(2027, 3, 14), dt.time(2, 59), utc(2027, 3, 14, 7, 0)),
        ("America/New_York", dt.date(2027, 11, 7), dt.time(1, 0), utc(2027, 11, 7, 5, 0)),
        ("Australia/Lord_Howe", dt.date(2027, 10, 3), dt.time(2, 15), utc(2027, 10, 2, 15, 30)),
        ("Australia/Lord_Howe", dt.date(2027, 4, 4), dt.time(1, 45), utc(2027, 4, 3, 14, 45)),
        ("Asia/Kolkata", dt.date(2027, 3, 28), dt.time(2, 30), utc(2027, 3, 27, 21, 0)),
    ],
)
def test_clock_time_becomes_an_instant(zone, day, clock, expected):
    assert interval.at(day, clock, ZoneInfo(zone)) == expected


def test_local_day_has_23_and_25_hours_when_the_clock_changes():
    spring = interval.local_day(utc(2027, 3, 28, 12), BERLIN)
    autumn = interval.local_day(utc(2027, 10, 31, 12), BERLIN)
    assert spring[1] - spring[0] == dt.timedelta(hours=23)
    assert autumn[1] - autumn[0] == dt.timedelta(hours=25)


def test_nights_are_counted_by_local_dates():
    start, end = utc(2026, 11, 17, 23, 30), utc(2026, 11, 19, 6)  # the 18th, 00:30, to the 19th, 07:00
    assert interval.nights(start, end, BERLIN) == 1
    assert interval.night_dates(start, end, BERLIN) == [dt.date(2026, 11, 18)]


@pytest.mark.django_db
class TestRequest:
    def test_timed_service_lasts_what_it_lasts(self):
        service, start = make_service(), utc(2026, 11, 18, 10)
        half_past = utc(2026, 11, 18, 10, 30)
        assert interval.for_request(service, start, None) == (start, half_past)
        assert interval.for_request(service, start, utc(2026, 11, 18, 10, 20)) == (start, half_past)

    @pytest.mark.parametrize(
        ("end", "code"),
        [
            (utc(2026, 11, 18, 10), "end_before_start"),
            (utc(2026, 11, 18, 9), "end_before_start"),
            (utc(2026, 11, 18, 11), "wrong_length"),
        ],
    )
    def test_timed_service_refuses_another_end(self, end, code):
        with pytest.raises(InvalidInput) as error:
            interval.for_request(make_service(), utc(2026, 11, 18, 10), end)
        assert (error.value.code, list(error.value.fields)) == (code, ["end"])

    def test_stay_is_what_was_asked(self):
        service = make_service(kind="boarding", is_overnight=True)
        asked = (dt.datetime(2026, 11, 18, 18, tzinfo=BERLIN), dt.datetime(2026, 11, 20, 9, tzinfo=BERLIN))
        assert interval.for_request(service, *asked) == (utc(2026, 11, 18, 17), utc(2026, 11, 20, 8))

    @pytest.mark.parametrize(
        ("end", "code"),
        [(None, "end_missing"), (utc(2026, 11, 18, 9), "end_before_start"), (utc(2026, 11, 18, 22), "no_night")],
    )
    def test_stay_needs_a_night(self, end, code):
        service = make_service(kind="boarding", is_overnight=True)
        with pytest.raises(InvalidInput) as error:
            interval.for_request(service, utc(2026, 11, 18, 10), end)
        assert error.value.code == code

    def test_buffers_are_taken_too(self):
        service = make_service(buffer_before_minutes=15, buffer_after_minutes=30)
        span = utc(2026, 11, 18, 10), utc(2026, 11, 18, 10, 30)
        assert interval.taken(service, *span) == (utc(2026, 11, 18, 9, 45), utc(2026, 11, 18, 11))


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(1, "1 minute"), (45, "45 minutes"), (60, "1 hour"), (120, "2 hours"), (90, "1 h 30 min")],
)
def test_length_in_words(minutes, text):
    assert texts.length(minutes) == text


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_words_are_listed(words, text):
    assert texts.listed(words) == text
