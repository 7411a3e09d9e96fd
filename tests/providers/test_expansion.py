"""Open hours against a brute-force oracle that reads the clock minute by minute, on both change days of the clock."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from providers.domain import expansion
from providers.models import DateOverride, WeeklyHours

MINUTE = timedelta(minutes=1)
DAY = 1440
BEFORE, AFTER = 3, 3  # days around the change
CHANGES = [
    ("Europe/Berlin", date(2027, 3, 28)),
    ("Europe/Berlin", date(2027, 10, 31)),
    ("America/New_York", date(2027, 3, 14)),
    ("America/New_York", date(2027, 11, 7)),
    ("Australia/Sydney", date(2027, 4, 4)),
    ("Australia/Sydney", date(2027, 10, 3)),
    ("Asia/Kolkata", date(2027, 3, 28)),
    ("Australia/Lord_Howe", date(2027, 4, 4)),
    ("Australia/Lord_Howe", date(2027, 10, 3)),
    ("America/Santiago", date(2027, 4, 3)),  # 24:00 becomes 23:00
    ("America/Santiago", date(2027, 9, 5)),  # 00:00 becomes 01:00
]


@cache
def wall_clock(name: str, first: date, last: date) -> tuple[list[datetime], list[int]]:
    """Return every minute from well before to well after, and the naive local minute that clocks show then."""
    zone, epoch = ZoneInfo(name), datetime(first.year, first.month, first.day)
    at = datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(days=1)
    end = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=3)
    instants, shown = [], []
    while at < end:
        local = at.astimezone(zone).replace(tzinfo=None)
        instants.append(at)
        shown.append(round((local - epoch) / MINUTE))
        at += MINUTE
    return instants, shown


def oracle(name, rules, overrides, time_off, first, last):
    """Paint local minutes, take the runs, look each end up on the clock, then drop the minutes of the time off."""
    days = (last - first).days + 1
    painted = [False] * (days * DAY + 1)
    for number in range(days):
        day = first + timedelta(days=number)
        spans = overrides.get(day, [(o, c) for w, o, c in rules if w == day.weekday()])
        for opens, closes in spans:
            for minute in range(number * DAY + opens, number * DAY + closes):
                painted[minute] = True
    instants, shown = wall_clock(name, first, last)
    is_open = [False] * len(instants)
    minute = 0
    while minute < len(painted):
        if not painted[minute]:
            minute += 1
            continue
        start = minute
        while painted[minute]:
            minute += 1
        opened = next(i for i, value in enumerate(shown) if value >= start)
        final = next(i for i, value in enumerate(shown) if value >= minute - 1)
        closed = final + 1 if shown[final] == minute - 1 else final
        for i in range(opened, closed):
            is_open[i] = True
    for i, at in enumerate(instants):
        if any(lower <= at < upper for lower, upper in time_off):
            is_open[i] = False
    edges = [i for i in range(len(is_open) + 1) if (i < len(is_open) and is_open[i]) != (i > 0 and is_open[i - 1])]
    return [(instants[a], instants[b]) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def expanded(name, rules, overrides, time_off, first, last):
    rows = [
        DateOverride(on=day, opens=opens, closes=closes)
        for day, spans in overrides.items()
        for opens, closes in (spans or [(None, None)])
    ]
    return expansion.spans(
        ZoneInfo(name),
        weekly=[WeeklyHours(weekday=w, opens=o, closes=c) for w, o, c in rules],
        overrides=rows,
        time_off=time_off,
        first=first,
        last=last,
    )


def spans_of_a_day(step):
    """Up to three spans that do not overlap, on a grid that has many ends in the odd hours."""
    times = st.lists(st.integers(0, DAY // step), min_size=0, max_size=6, unique=True).map(sorted)
    return times.map(lambda t: [(a * step, b * step) for a, b in zip(t[::2], t[1::2], strict=False)])


night = st.sampled_from([5, 10, 15, 30, 60])


@st.composite
def cases(draw):
    name, change = draw(st.sampled_from(CHANGES))
    first, last = change - timedelta(days=BEFORE), change + timedelta(days=AFTER)
    step = draw(night)
    rules = [(w, o, c) for w in range(7) for o, c in draw(spans_of_a_day(step))]
    # Most of what can go wrong lies in the first hours of the change day: put spans there.
    early = draw(st.lists(st.integers(0, 300 // step), min_size=2, max_size=6, unique=True).map(sorted))
    overrides = {change: [(a * step, b * step) for a, b in zip(early[::2], early[1::2], strict=False)]}
    if draw(st.booleans()):
        overrides[change + timedelta(days=1)] = draw(spans_of_a_day(step))
    midnight = datetime(change.year, change.month, change.day, tzinfo=UTC)
    time_off, at = [], -3 * DAY
    for gap, length in draw(st.lists(st.tuples(st.integers(1, 2000), st.integers(1, 2000)), max_size=4)):
        time_off.append((midnight + (at + gap) * MINUTE, midnight + (at + gap + length) * MINUTE))
        at += gap + length
    return name, rules, overrides, time_off, first, last


@given(case=cases())
@hypothesis_settings(max_examples=150, deadline=None)
def test_open_hours_equal_the_oracle(case):
    assert expanded(*case) == oracle(*case)


@given(case=cases())
@hypothesis_settings(max_examples=50, deadline=None)
def test_open_hours_are_ascending_and_never_touch(case):
    spans = expanded(*case)
    assert all(start < end for start, end in spans)
    assert all(one[1] < other[0] for one, other in pairwise(spans))


ALWAYS = [(w, 0, DAY) for w in range(7)]


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [
        ("Europe/Berlin", date(2027, 3, 28), 23),
        ("Europe/Berlin", date(2027, 10, 31), 25),
        ("America/New_York", date(2027, 3, 14), 23),
        ("America/New_York", date(2027, 11, 7), 25),
        ("Australia/Sydney", date(2027, 10, 3), 23),
        ("Australia/Sydney", date(2027, 4, 4), 25),
        ("Australia/Lord_Howe", date(2027, 10, 3), 23.5),
        ("Australia/Lord_Howe", date(2027, 4, 4), 24.5),
        ("Asia/Kolkata", date(2027, 3, 28), 24),
        ("America/Santiago", date(2027, 4, 3), 25),
        ("America/Santiago", date(2027, 9, 5), 23),
    ],
)
def test_a_day_that_is_always_open_has_its_real_length(name, day, hours):
    [(start, end)] = expanded(name, ALWAYS, {}, [], day - timedelta(days=1), day + timedelta(days=1))
    assert end - start == timedelta(hours=48 + hours)


def test_always_open_is_one_span_over_a_whole_year():
    spans = expanded("Europe/Berlin", ALWAYS, {}, [], date(2027, 1, 1), date(2027, 12, 31))
    assert spans == [(datetime(2026, 12, 31, 23, tzinfo=UTC), datetime(2027, 12, 31, 23, tzinfo=UTC))]


@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_thirteen_o_clock_stays_thirteen_o_clock(name, change):
    spans = expanded(
        name, [(w, 13 * 60, 17 * 60) for w in range(7)], {}, [], change - timedelta(30), change + timedelta(30)
    )
    zone = ZoneInfo(name)
    assert len(spans) == 61
    assert {start.astimezone(zone).strftime("%H:%M") for start, _ in spans} == {"13:00"}
    assert {end.astimezone(zone).strftime("%H:%M") for _, end in spans} == {"17:00"}


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


NEW_YORK_SPRING, NEW_YORK_AUTUMN = date(2027, 3, 14), date(2027, 11, 7)


@pytest.mark.parametrize(
    ("day", "opens", "closes", "expected"),
    [
        # 02:00 to 03:00 does not exist in spring.
        (NEW_YORK_SPRING, 120, 180, []),
        (NEW_YORK_SPRING, 150, 240, [(utc(2027, 3, 14, 7), utc(2027, 3, 14, 8))]),
        (NEW_YORK_SPRING, 60, 150, [(utc(2027, 3, 14, 6), utc(2027, 3, 14, 7))]),
        # 01:00 to 02:00 comes twice in autumn: it counts once, and a longer span runs through both.
        (NEW_YORK_AUTUMN, 60, 120, [(utc(2027, 11, 7, 5), utc(2027, 11, 7, 6))]),
        (NEW_YORK_AUTUMN, 60, 90, [(utc(2027, 11, 7, 5), utc(2027, 11, 7, 5, 30))]),
        (NEW_YORK_AUTUMN, 90, 180, [(utc(2027, 11, 7, 5, 30), utc(2027, 11, 7, 8))]),
        (NEW_YORK_AUTUMN, 0, 360, [(utc(2027, 11, 7, 4), utc(2027, 11, 7, 11))]),
    ],
)
def test_odd_hours_by_hand(day, opens, closes, expected):
    assert expanded("America/New_York", [], {day: [(opens, closes)]}, [], day, day) == expected


def test_hours_that_touch_over_midnight_are_one_span():
    rules = [(0, 20 * 60, DAY), (1, 0, 4 * 60), (1, 4 * 60, 6 * 60)]
    monday = date(2027, 1, 4)
    assert expanded("UTC", rules, {}, [], monday, monday + timedelta(days=1)) == [
        (utc(2027, 1, 4, 20), utc(2027, 1, 5, 6))
    ]


def test_an_override_without_hours_closes_the_day():
    monday = date(2027, 1, 4)
    assert expanded("UTC", [(0, 540, 1020)], {monday: []}, [], monday, monday) == []
