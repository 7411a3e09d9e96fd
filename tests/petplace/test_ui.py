"""The template library, the menus, the frame of every page and the gallery."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
import time_machine
from django import forms
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.paginator import Paginator
from django.template import Context, Template
from django.template.loader import render_to_string
from django.urls import reverse

from petplace import navigation
from petplace.templatetags import ui

NBSP = "\u00a0"
AUTUMN = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TEMPLATES = Path(settings.BASE_DIR) / "templates"


@pytest.fixture(autouse=True)
def _this_year():
    with time_machine.travel(datetime(2026, 11, 20, 9, 0, tzinfo=UTC), tick=False):
        yield


def render(source, **context):
    return Template(source).render(Context(context))


# --- Filters ------------------------------------------------------------------------------------


def test_money_filters_write_amounts_and_leave_nothing_empty():
    assert render(
        "{{ a|money:'USD' }} {{ a|money_short:'USD' }}[{{ b|money:'USD' }}{{ b|money_short:'USD' }}]", a=4500
    ) == ("$45.00 $45[]")


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("Europe/Berlin", f"Tue, Nov 24, 13:00{NBSP}CET"),
        ("Asia/Almaty", f"Tue, Nov 24, 17:00{NBSP}UTC+5"),
        ("Asia/Kolkata", f"Tue, Nov 24, 17:30{NBSP}IST"),
        ("Asia/Kathmandu", f"Tue, Nov 24, 17:45{NBSP}UTC+5:45"),
        ("America/Sao_Paulo", f"Tue, Nov 24, 09:00{NBSP}UTC\u22123"),
        (timezone(timedelta(hours=1)), f"Tue, Nov 24, 13:00{NBSP}UTC+1"),
        (None, f"Tue, Nov 24, 12:00{NBSP}UTC"),
    ],
)
def test_local_text_names_the_zone(zone, text):
    assert ui.local_text(AUTUMN, zone) == text


def test_local_time_is_an_element_with_the_instant_and_the_zone():
    assert ui.local_time(AUTUMN, "Europe/Berlin") == (
        f'<time datetime="2026-11-24T13:00:00+01:00" title="Europe/Berlin">Tue, Nov 24, 13:00{NBSP}CET</time>'
    )


def test_local_time_names_another_year():
    assert ui.local_text(AUTUMN.replace(year=2027), "UTC") == f"Wed, Nov 24, 2027, 12:00{NBSP}UTC"


def test_local_clock_and_date_leave_out_the_rest():
    assert ">13:00<" in ui.local_clock(AUTUMN, "Europe/Berlin")
    assert ">Tue, Nov 24<" in ui.local_date(AUTUMN, "Europe/Berlin")
    assert ui.local_date(date(2026, 3, 1)) == '<time datetime="2026-03-01">Sun, Mar 1</time>'
    assert ui.zone_label(AUTUMN, "Europe/Berlin") == "CET"


@pytest.mark.parametrize("write", [ui.local_time, ui.local_clock, ui.local_date, ui.local_text, ui.zone_label])
def test_no_instant_is_written_as_nothing(write):
    assert write(None, "Europe/Berlin") == ""


def test_local_range_of_one_day_names_the_day_once():
    text = ui.local_range_text(AUTUMN, AUTUMN + timedelta(hours=1), "Asia/Almaty")
    assert text == f"Tue, Nov 24, 17:00\u201318:00{NBSP}UTC+5"


def test_local_range_over_days_names_both():
    text = ui.local_range_text(AUTUMN, AUTUMN + timedelta(days=2), "Asia/Almaty")
    assert text == f"Tue, Nov 24, 17:00 \u2013 Thu, Nov 26, 17:00{NBSP}UTC+5"


def test_local_range_over_a_clock_change_names_both_zones():
    start = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)
    text = ui.local_range_text(start, start + timedelta(hours=12), "Europe/Berlin")
    assert text == f"Sat, Oct 24, 22:00{NBSP}CEST \u2013 Sun, Oct 25, 09:00{NBSP}CET"


def test_local_range_with_one_end_is_that_end():
    assert ui.local_range_text(AUTUMN, None, "UTC") == f"Tue, Nov 24, 12:00{NBSP}UTC"
    assert ui.local_range(None, None) == ""
    assert "17:00\u201318:00" in render("{% local_range a b 'Asia/Almaty' %}", a=AUTUMN, b=AUTUMN + timedelta(hours=1))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (45, "45 min"),
        (60, "1 h"),
        (90, "1 h 30 min"),
        (1440, "1 day"),
        (2880, "2 days"),
        (0, "0 min"),
        (timedelta(minutes=75), "1 h 15 min"),
        (None, ""),
    ],
)
def test_duration(value, text):
    assert ui.duration(value).replace(NBSP, " ") == text


@pytest.mark.parametrize(
    ("meters", "text"), [(854, "850 m"), (2410, "2.4 km"), (12_600, "13 km"), (0, "0 m"), (None, "")]
)
def test_distance(meters, text):
    assert ui.distance(meters).replace(NBSP, " ") == text


@pytest.mark.parametrize(
    ("kilograms", "text"),
    [(Decimal("12.40"), "12.4 kg"), (Decimal("30.00"), "30 kg"), (100, "100 kg"), ("0.05", "0.05 kg"), (None, "")],
)
def test_weight(kilograms, text):
    assert ui.weight(kilograms).replace(NBSP, " ") == text


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Happy Tails Boarding", "HB"), ("rex", "R"), ("a.b@example.org", "AO"), ("", "?"), ("!!", "?"), ("Жан Ә", "ЖӘ")],
)
def test_initials(name, letters):
    assert ui.initials(name) == letters


def test_hue_is_one_of_eight_and_stays():
    assert {ui.hue(f"name {number}") for number in range(200)} == set(range(8))
    assert ui.hue("Rex") == ui.hue("Rex")


@pytest.mark.parametrize(
    ("agent", "text"),
    [
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/130 Safari/537 Edg/130", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18 Safari/604", "Safari on iPhone"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "Unknown device"),
    ],
)
def test_device(agent, text):
    assert ui.device(agent) == text


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (1, [1, 2, None, 12]),
        (4, [1, None, 3, 4, 5, None, 12]),
        (12, [1, None, 11, 12]),
    ],
)
def test_page_numbers_leave_out_the_middle(number, shown):
    assert ui.page_numbers(Paginator(range(120), 10).page(number)) == shown


# --- States and icons ---------------------------------------------------------------------------


def test_every_booking_and_provider_state_has_a_tone_and_an_icon():
    from bookings.states import BookingState
    from payments.models import InvoiceState
    from providers.states import ProviderState

    for state in [*BookingState.values, *ProviderState.values, *InvoiceState.values]:
        assert state in ui._STATES, state
    assert (ui.tone("confirmed"), ui.tone("something else")) == ("leaf", "neutral")
    assert ui.state_icon("something else") == "circle"


def test_icon_is_silent_unless_it_has_a_label():
    assert 'aria-hidden="true"' in render("{% icon 'heart' %}")
    assert 'role="img" aria-label="A &lt;b&gt;"' in render("{% icon 'heart' label=label %}", label="A <b>")


def test_icon_without_the_sprite_is_empty(settings, tmp_path):
    settings.BASE_DIR = tmp_path
    ui._sprite.cache_clear()
    try:
        assert "<path" not in ui.icon("heart")
    finally:
        ui._sprite.cache_clear()


@pytest.mark.skipif(
    not (Path(settings.BASE_DIR) / "static/vendor/bootstrap-icons/bootstrap-icons.svg").exists(),
    reason="the front-end files are not fetched (python scripts/vendor.py)",
)
def test_every_icon_that_is_named_exists():
    named = {item.icon for menu in navigation.MENUS.values() for item in menu} | {i for _, i in ui._STATES.values()}
    for path in TEMPLATES.rglob("*.html"):
        named |= set(re.findall(r"""{% icon ["']([\w-]+)["']""", path.read_text()))
        named |= set(re.findall(r"""icon_name=["']([\w-]+)["']""", path.read_text()))
    assert named - set(ui._sprite()) == set()


# --- Forms --------------------------------------------------------------------------------------


class SampleForm(forms.Form):
    name = forms.CharField(widget=forms.TextInput(attrs={"class": "wide"}))
    kind = forms.ChoiceField(choices=[("a", "A")])
    note = forms.CharField(required=False, widget=forms.Textarea)
    agree = forms.BooleanField(required=False)


@pytest.mark.parametrize(
    ("name", "css"),
    [
        ("name", "wide form-control is-invalid"),
        ("kind", "form-select is-invalid"),
        ("note", "form-control"),
        ("agree", "form-check-input"),
    ],
)
def test_dressed_field_wears_bootstrap_and_says_when_it_is_wrong(name, css):
    assert f'class="{css}"' in ui.dressed(SampleForm({})[name])


# --- Menus --------------------------------------------------------------------------------------


def test_menu_leaves_out_pages_that_are_not_there(monkeypatch):
    items = (navigation.Item("Home", "house", "home"), navigation.Item("Nowhere", "x", "no:such"))
    monkeypatch.setitem(navigation.MENUS, "test", items)
    assert navigation.links("test", "/elsewhere") == [navigation.Link("Home", "house", "/", "Home", True)]


def test_menu_marks_the_longest_address_that_holds_the_page(monkeypatch):
    items = (navigation.Item("Home", "house", "home", "Start"), navigation.Item("Search", "search", "search"))
    monkeypatch.setitem(navigation.MENUS, "test", items)
    active = [link.short for link in navigation.links("test", "/search/map/") if link.active]
    assert active == ["Search"]


def test_nav_links_works_without_a_request():
    assert "None" not in render("{% nav_links 'owner' as links %}{{ links|length }}")


# --- Pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["home", "how_it_works", "terms", "privacy", "ui-gallery"])
def test_page_has_a_language_one_heading_and_its_landmarks(client, db, name):
    html = client.get(reverse(name)).content.decode()
    assert '<html lang="en"' in html
    assert len(re.findall(r"<h1[ >]", html)) == 1
    assert len(re.findall(r"<main ", html)) == 1
    assert '<a class="skip-link" href="#main">' in html


@pytest.mark.parametrize(
    "name", ["home", "how_it_works", "terms", "privacy", "ui-gallery", "account_login", "account_signup"]
)
def test_page_has_no_inline_style_or_script(client, db, name):
    html = client.get(reverse(name)).content.decode()
    assert re.findall(r"<[^>]+\sstyle=", html) == []
    assert re.findall(r"<[^>]+\son\w+=", html) == []
    scripts = re.findall(r"<script(?![^>]*\ssrc=)[^>]*>", html)
    assert [tag for tag in scripts if 'type="application/json"' not in tag] == []  # data, which no browser runs
    assert "<style" not in html


def test_home_asks_the_search_page(client, db):
    html = client.get(reverse("home")).content.decode()
    form = re.search(r'<form class="search-bar.*?</form>', html, re.DOTALL).group()
    assert f'action="{reverse("search")}"' in form
    assert set(re.findall(r'name="(\w+)"', form)) == {
        "near", "lat", "lng", "service", "date", "time", "duration", "species", "pets",
    }  # fmt: skip


def test_visitor_is_offered_to_sign_in_and_member_to_sign_out(client, db):
    assert reverse("account_login") in client.get("/").content.decode()
    user = get_user_model().objects.create_user("ann@demo.petplace.test", "x", full_name="Ann Demo")
    client.force_login(user)
    html = client.get("/").content.decode()
    assert reverse("account_logout") in html
    assert "has-bottom-bar" in html
    assert ">AD</span>" in html


@pytest.mark.parametrize("status", [400, 403, 404, 500, 503])
def test_error_page_needs_no_request_and_no_database(status):
    html = render_to_string(f"{status}.html", {"title": "t", "detail": "d"})
    assert "<h1>" in html
    assert 'href="/"' in html


def test_unknown_address_shows_the_way_home(client, db):
    response = client.get("/no/such/page/")
    assert (response.status_code, "Nobody is home here" in response.content.decode()) == (404, True)


@pytest.mark.parametrize("path", sorted((TEMPLATES / "components").glob("*.html")), ids=lambda path: path.name)
def test_component_names_its_inputs_first(path):
    assert path.read_text().lstrip().startswith("{% comment %}")
