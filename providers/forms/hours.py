"""When you work."""

from datetime import time
from typing import Any

from django import forms

from providers.domain.hours import DAYS, MAX_SPANS_A_DAY, WeeklySpan
from providers.forms.base import DomainForm, Group, LocalDateTimeField
from providers.models import Resource
from providers.models.hours import DAY_MINUTES

EMPTY_SPANS = 1  # offered after those that a day has


def minutes_of(value: time, *, is_close: bool = False) -> int:
    """Return the minutes after midnight; a close at 00:00 is the end of the day."""
    minutes = value.hour * 60 + value.minute
    return DAY_MINUTES if is_close and minutes == 0 else minutes


def time_of(minutes: int) -> time:
    return time(minutes // 60 % 24, minutes % 60)


def clock(minutes: int) -> str:
    """Return ``08:30``; the end of the day is ``24:00``."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _time_field(label: str, initial: time | None) -> forms.TimeField:
    return forms.TimeField(
        required=False, label=label, initial=initial, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )


class WeekForm(DomainForm):
    """A week of hours: for each day the spans that it has, and an empty one. Emptied spans go away."""

    def __init__(self, *args: Any, spans: list[WeeklySpan], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.per_day: list[list[int]] = []
        for day in range(7):
            given = [span for span in spans if span.weekday == day]
            rows = min(MAX_SPANS_A_DAY, len(given) + EMPTY_SPANS)
            if self.is_bound:
                rows = min(MAX_SPANS_A_DAY, sum(1 for name in self.data if str(name).startswith(f"opens_{day}_")))
            self.per_day.append(list(range(rows)))
            for row in range(rows):
                span = given[row] if row < len(given) else None
                self.fields[f"opens_{day}_{row}"] = _time_field(
                    f"{DAYS[day]} from", time_of(span.opens) if span else None
                )
                self.fields[f"closes_{day}_{row}"] = _time_field(
                    f"{DAYS[day]} to", time_of(span.closes) if span else None
                )

    def days(self) -> list[dict[str, Any]]:
        return [
            {
                "number": day,
                "name": DAYS[day],
                "spans": [(self[f"opens_{day}_{row}"], self[f"closes_{day}_{row}"]) for row in rows],
            }
            for day, rows in enumerate(self.per_day)
        ]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        spans = []
        for day, rows in enumerate(self.per_day):
            for row in rows:
                opens, closes = data.get(f"opens_{day}_{row}"), data.get(f"closes_{day}_{row}")
                if opens is None and closes is None:
                    continue
                if opens is None or closes is None:
                    missing = "opens" if opens is None else "closes"
                    if f"{missing}_{day}_{row}" not in self.errors:
                        self.add_error(f"{missing}_{day}_{row}", f"{DAYS[day]}: enter both times, or none.")
                    continue
                spans.append(WeeklySpan(day, minutes_of(opens), minutes_of(closes, is_close=True)))
        data["spans"] = spans
        return data

    def spans_for(self, copy_from: str) -> list[WeeklySpan]:
        """Return the cleaned spans; with the number of a day those of that day for all seven."""
        spans: list[WeeklySpan] = self.cleaned_data["spans"]
        if copy_from not in {str(day) for day in range(7)}:
            return spans
        source = [span for span in spans if span.weekday == int(copy_from)]
        return [WeeklySpan(day, span.opens, span.closes) for day in range(7) for span in source]


class OverrideForm(DomainForm):
    """Other hours on one date."""

    on = forms.DateField(label="Date", widget=forms.DateInput(attrs={"type": "date"}))
    opens = _time_field("From", None)
    closes = _time_field("To", None)
    reason = forms.CharField(max_length=200, required=False, help_text="Only your team sees it.")

    groups = (
        Group(
            "Other hours on a date",
            ("on", "opens", "closes", "reason"),
            "Instead of the weekly hours. Leave both times empty to close the day.",
        ),
    )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        opens, closes = data.pop("opens", None), data.pop("closes", None)
        if (opens is None) != (closes is None):
            self.add_error("opens" if opens is None else "closes", "Enter both times, or none to close the day.")
        data["spans"] = (
            [] if opens is None or closes is None else [(minutes_of(opens), minutes_of(closes, is_close=True))]
        )
        return data


class TimeOffForm(DomainForm):
    """Away from one moment to another."""

    reason = forms.CharField(max_length=200, required=False, help_text="Only your team sees it.")

    groups = (
        Group(
            "Time off",
            ("start", "end", "reason"),
            "Nothing can be booked in it. It is refused while a booking lies there: move or cancel that first.",
            wide=("reason",),
        ),
    )

    def __init__(self, *args: Any, resource: Resource, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = resource.branch.zone
        self.fields["start"] = LocalDateTimeField(zone=zone, label="From")
        self.fields["end"] = LocalDateTimeField(zone=zone, label="To")
