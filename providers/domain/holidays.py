"""Public holidays, from the ``holidays`` package into a table that pricing and search can join."""

from collections.abc import Iterable

import holidays as source

from providers.models import Branch, PublicHoliday

FIRST_YEAR, LAST_YEAR = 2000, 2100


def ensure(country: str, years: Iterable[int]) -> int:
    """Write the holidays of ``country`` (ISO 3166-1 alpha-2) in ``years`` that are not there yet.

    Returns how many rows the calendar has. A country that the source does not know has none. Safe to run twice.
    """
    wanted = sorted({year for year in years if FIRST_YEAR <= year <= LAST_YEAR})
    try:
        calendar = source.country_holidays(country, years=wanted)
    except NotImplementedError:
        return 0
    rows = [PublicHoliday(country=country, on=day, name=str(name)[:200]) for day, name in sorted(calendar.items())]
    PublicHoliday.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def ensure_all(years: Iterable[int]) -> None:
    """Write them for every country that has a branch."""
    wanted = list(years)
    for country in Branch.objects.exclude(country="").order_by("country").values_list("country", flat=True).distinct():
        ensure(country, wanted)
