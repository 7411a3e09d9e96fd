import datetime as dt

import pytest

from bookings.domain import interval, pricing
from providers.models import PublicHoliday
from tests.factories import make_service

pytestmark = pytest.mark.django_db

BERLIN_NOON = dt.datetime(2026, 11, 18, 11, tzinfo=dt.UTC)


def timed(**fields):
    return make_service(**({"price": 2000, "extra_pet_price": 500, "duration_minutes": 45, "name": "Walk"} | fields))


def stay(**fields):
    return make_service(
        kind="boarding", is_overnight=True, needs=["kennel"], **({"price": 3000, "name": "Stay"} | fields)
    )


def priced(service, nights=None, pets=1, addons=(), start=BERLIN_NOON):
    if nights:
        first = start.astimezone(service.branch.zone).date()
        start, end = interval.for_stay(service, first, first + dt.timedelta(days=nights))
    else:
        start, end = interval.for_timed(service, start)
    return pricing.price(service, starts_at=start, ends_at=end, pet_count=pets, addons=addons)


def shown(price):
    return [(line.kind, line.description, line.quantity, line.unit_amount, line.amount) for line in price.lines]


def holiday(day, name="Feast", country="DE"):
    PublicHoliday.objects.update_or_create(country=country, on=day, defaults={"name": name})


def test_visit_costs_its_price():
    price = priced(timed())
    assert shown(price) == [("base", "Walk, 45 minutes", 1, 2000, 2000)]
    assert (price.total, price.currency, price.units) == (2000, "EUR", (2000,))


def test_each_extra_pet_costs_the_extra_price():
    price = priced(timed(), pets=3)
    assert shown(price)[1:] == [("extra_pet", "2 more pets", 2, 500, 1000)]
    assert price.total == 3000


def test_extra_pets_without_a_price_make_no_line():
    assert shown(priced(timed(extra_pet_price=0), pets=2)) == [("base", "Walk, 45 minutes", 1, 2000, 2000)]


def test_visit_on_a_holiday_costs_more():
    holiday(dt.date(2026, 11, 18))
    price = priced(timed(holiday_percent=25), pets=2)
    assert shown(price)[2:] == [("holiday", "Feast, Wed 18 Nov 2026: +25 %", 1, 625, 625)]
    assert price.total == 2000 + 500 + 625


def test_holiday_of_another_country_does_not_count():
    holiday(dt.date(2026, 11, 18), country="FR")
    assert priced(timed(holiday_percent=25)).total == 2000


def test_holiday_is_the_local_date_not_the_date_in_utc():
    holiday(dt.date(2026, 11, 18))
    before_midnight_utc = dt.datetime(2026, 11, 17, 23, 30, tzinfo=dt.UTC)  # 00:30 of the 18th in Berlin
    assert priced(timed(holiday_percent=10), start=before_midnight_utc).total == 2200


def test_holiday_without_a_surcharge_makes_no_line():
    holiday(dt.date(2026, 11, 18))
    assert len(priced(timed(holiday_percent=0)).lines) == 1


def test_stay_is_priced_by_the_night():
    price = priced(stay(), nights=3)
    assert shown(price) == [("night", "Stay, per night", 3, 3000, 9000)]
    assert price.units == (3000, 3000, 3000)


def test_stay_prices_each_holiday_night_by_itself():
    for day, name in [
        (dt.date(2026, 11, 19), "One"),
        (dt.date(2026, 11, 20), "Two"),
        (dt.date(2026, 11, 21), "Leaving"),
    ]:
        holiday(day, name)
    price = priced(stay(extra_pet_price=1001, holiday_percent=50), nights=3, pets=2)
    assert shown(price) == [
        ("night", "Stay, per night", 3, 3000, 9000),
        ("extra_pet", "1 more pet, per night", 3, 1001, 3003),
        ("holiday", "One, Thu 19 Nov 2026: +50 %", 1, 2001, 2001),
        ("holiday", "Two, Fri 20 Nov 2026: +50 %", 1, 2001, 2001),
    ]
    assert price.units == (4001, 6002, 6002)
    assert price.total == sum(price.units)


def test_addons_are_priced_per_booking():
    service = stay(addons=[("Bath", 1500), ("Report", 0)])
    price = priced(service, nights=2, addons=list(service.addons.order_by("name")))
    assert shown(price)[1:] == [("addon", "Bath", 1, 1500, 1500), ("addon", "Report", 1, 0, 0)]
    assert (price.addons_total, price.total) == (1500, 7500)


def test_everything_at_once_adds_up():
    holiday(dt.date(2026, 11, 18))
    service = stay(price=1999, extra_pet_price=333, holiday_percent=33, addons=[("Bath", 77)])
    price = priced(service, nights=2, pets=3, addons=list(service.addons.all()))
    unit = 1999 + 2 * 333
    assert price.total == 2 * unit + (unit * 33 + 50) // 100 + 77
