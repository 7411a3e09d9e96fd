"""The rules of providers, places, services, hours and team."""

import math
import threading
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.files.base import ContentFile
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.utils import timezone
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from petplace.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from petplace.fields import Mercator
from providers import choices, permissions, tasks, validators
from providers.domain import (
    applications,
    branches,
    documents,
    expansion,
    holidays,
    hours,
    listing,
    location,
    places,
    resources,
    services,
    team,
)
from providers.models import (
    AddOn,
    Branch,
    DateOverride,
    Membership,
    OpenHours,
    Provider,
    ProviderEvent,
    PublicHoliday,
    Resource,
    Service,
    TimeOff,
    WeeklyHours,
)
from providers.states import TRANSITIONS, ProviderState
from tests.factories import StaffFactory, UserFactory, make_branch, make_provider, make_resource, make_service

pytestmark = pytest.mark.django_db
NOW = datetime(2027, 1, 11, 9, tzinfo=UTC)  # a Monday


def code_of(error):
    return error.value.code


# --- Applications -------------------------------------------------------------------------------


@pytest.mark.parametrize("action", TRANSITIONS)
@pytest.mark.parametrize("state", ProviderState.values)
def test_only_the_table_moves_a_provider(action, state):
    provider = make_provider(state=state)
    before = provider.events.count()
    act = getattr(applications, action)
    sources, target = TRANSITIONS[action]
    if state in sources:
        moved = act(provider, by=None, reason="Because.", now=NOW)
        assert moved.state == target
        event = provider.events.last()
        assert (event.from_state, event.to_state, event.reason, event.at) == (state, target, "Because.", NOW)
        assert provider.events.count() == before + 1
    else:
        with pytest.raises(InvalidTransition):
            act(provider, by=None, reason="Because.", now=NOW)
        provider.refresh_from_db()
        assert (provider.state, provider.events.count()) == (state, before)


def test_a_stale_object_is_read_again():
    provider = make_provider(state="submitted")
    applications.approve(provider, by=None, now=NOW)
    with pytest.raises(InvalidTransition):
        applications.approve(provider, by=None, now=NOW)


def test_submitting_again_after_a_rejection_waits_from_then():
    provider = applications.submit(make_provider(state="rejected"), by=None, now=NOW)
    assert (provider.state, provider.submitted_at, provider.state_reason) == ("submitted", NOW, "")
    assert list(Provider.objects.waiting()) == [provider]


@pytest.mark.parametrize("act", [applications.reject, applications.suspend])
def test_refusing_needs_a_reason(act):
    provider = make_provider(state="submitted" if act is applications.reject else "approved")
    with pytest.raises(InvalidInput) as error:
        act(provider, by=None, reason=" ", now=NOW)
    assert list(error.value.fields) == ["reason"]
    with pytest.raises(InvalidInput):
        act(provider, by=None, reason="x" * 1001, now=NOW)


def test_listeners_hear_every_event_in_the_same_transaction(monkeypatch):
    heard = []
    monkeypatch.setattr(
        applications, "listeners", [lambda provider, event: heard.append((provider.name, event.to_state))]
    )
    provider = applications.start(UserFactory(), name="Happy Paws", kind="sitter", currency="EUR", now=NOW)
    applications.approve(applications.submit(provider, by=None, now=NOW), by=None, now=NOW)
    assert heard == [("Happy Paws", "draft"), ("Happy Paws", "submitted"), ("Happy Paws", "approved")]


def test_two_of_the_same_name_get_different_addresses():
    slugs = [make_provider(name="Same Name").slug for _ in range(2)]
    assert slugs[0] == "same-name"
    assert slugs[1].startswith("same-name-")
    assert make_provider(name="Лапы").slug == "sitter"


def test_names_and_kinds_are_recorded_after_approval_only():
    user = UserFactory()
    draft = make_provider(state="draft")
    applications.update(draft, by=user, name="Other", now=NOW)
    assert draft.events.count() == 1
    approved = make_provider()
    applications.update(approved, by=user, name="Other", kind="clinic", bio="Hi", now=NOW)
    assert [event.reason for event in approved.events.all()[3:]] == [
        "Name: Happy Paws → Other",
        "Kind: Sitter → Clinic",
    ]
    last = approved.events.last()
    assert (last.is_edit, last.by, last.from_state, last.to_state) == (True, user, "approved", "approved")
    assert applications.update(approved, by=user, bio="Hi", now=NOW).events.count() == 5


def test_the_currency_is_fixed_by_the_first_service():
    provider = make_provider()
    assert applications.update(provider, by=None, currency="kzt", now=NOW).currency == "KZT"
    make_service(make_branch(provider))
    with pytest.raises(DomainError) as error:
        applications.update(provider, by=None, currency="EUR", now=NOW)
    assert code_of(error) == "currency_fixed"
    assert applications.update(provider, by=None, currency="KZT", bio="ok", now=NOW).bio == "ok"


@pytest.mark.parametrize(
    ("field", "value"),
    [("currency", "QQQ"), ("kind", "wizard"), ("name", " "), ("bio", "x" * 4001)],
    ids=["currency", "kind", "name", "bio"],
)
def test_a_wrong_application_is_refused(field, value):
    values = {"name": "A", "kind": "sitter", "currency": "EUR", field: value}
    with pytest.raises(InvalidInput) as error:
        applications.start(UserFactory(), now=NOW, **values)
    assert list(error.value.fields) == [field]


def test_unknown_changes_are_a_bug():
    with pytest.raises(TypeError):
        applications.update(make_provider(), by=None, now=NOW, state="approved")
    with pytest.raises(TypeError):
        services.create(make_provider(), branch=None, kind="walking", name="", price=1, species=[], now=NOW, uid=1)


# --- Documents ----------------------------------------------------------------------------------


def paper(provider, kind="licence", **more):
    return documents.add(provider, kind=kind, file=ContentFile(b"%PDF-1.4", name="x.pdf"), now=NOW, **more)


def test_required_documents_must_be_there_and_good(settings):
    settings.REQUIRED_DOCUMENTS = {"sitter": ["identity", "licence"]}
    provider = make_provider(state="draft")
    paper(provider, "identity")
    licence = paper(provider, "licence", valid_until=NOW.date())
    assert applications.missing_documents(provider, now=NOW) == []
    assert applications.missing_documents(provider, now=NOW + timedelta(days=1)) == ["licence"]
    documents.check(licence, by=UserFactory(), is_accepted=False, now=NOW)
    with pytest.raises(DomainError) as error:
        applications.submit(provider, by=None, now=NOW)
    assert (code_of(error), error.value.extra) == ("documents_missing", {"missing": ["licence"]})


def test_approval_accepts_the_documents_that_were_seen(settings):
    settings.REQUIRED_DOCUMENTS = {"sitter": ["identity"]}
    staff, provider = StaffFactory(), make_provider(state="draft")
    seen = paper(provider, "identity")
    applications.submit(provider, by=None, now=NOW)
    late = paper(provider, "insurance")
    with pytest.raises(DomainError) as error:
        applications.approve(provider, by=staff, now=NOW, seen={seen.uid})
    assert code_of(error) == "documents_changed"
    approved = applications.approve(provider, by=staff, now=NOW, seen={seen.uid, late.uid})
    assert approved.approved_at == NOW
    assert {(one.is_accepted, one.checked_by) for one in provider.documents.all()} == {(True, staff)}
    assert [one.kind for one in approved.badges(NOW)] == ["identity", "insurance"]


def test_how_much_may_be_handed_in(monkeypatch):
    provider = make_provider()
    monkeypatch.setattr(documents, "MAX_DOCUMENTS", 1)
    monkeypatch.setattr(documents, "MAX_PHOTOS", 1)
    paper(provider)
    documents.add_photo(provider, ContentFile(b"x", name="x.jpg"))
    for act in (lambda: paper(provider), lambda: documents.add_photo(provider, ContentFile(b"x", name="x.jpg"))):
        with pytest.raises(DomainError) as error:
            act()
        assert code_of(error) == "too_many"


def test_files_go_when_their_rows_go(django_capture_on_commit_callbacks):
    provider = make_provider()
    with django_capture_on_commit_callbacks(execute=True):
        document, photo = paper(provider), documents.add_photo(provider, ContentFile(b"x", name="p.jpg"))
        provider = documents.set_avatar(provider, ContentFile(b"x", name="a.jpg"))
    files = [(one.storage, one.name) for one in (document.file, photo.image, provider.avatar)]
    assert all(storage.exists(name) for storage, name in files)
    with django_capture_on_commit_callbacks(execute=True):
        documents.remove(document)
        documents.remove_photo(photo)
        documents.set_avatar(provider, ContentFile(b"y", name="b.jpg"))
    assert not any(storage.exists(name) for storage, name in files)


# --- Places and location ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Almaty", "Almaty, Kazakhstan"),
        ("алматы", "Almaty, Kazakhstan"),
        ("Cologne", "Köln, Germany"),
        ("Paris, US", "Paris, United States"),
        ("Paris, usa", "Paris, United States"),
        ("  Sao-Paulo ", "São Paulo, Brazil"),
        ("New York", "New York City, United States"),
        ("Muni", "Munich, Germany"),
        ("Springfield, Illinois, United States", "Springfield, United States"),
    ],
)
def test_places_are_found_by_name(text, found):
    assert places.lookup(text)[0].label == found


@pytest.mark.parametrize(
    "text", ["", " ", ",", "q", "Xyzzyville", "Berlin, Japan", "\x00", "💥", "x" * 10_000, "%", "(a+)+$"]
)
def test_nonsense_finds_no_place(text):
    assert places.lookup(text) == []


@given(st.floats(-85, 85), st.floats(-180, 180))
@hypothesis_settings(max_examples=30, deadline=None)
def test_the_nearest_place_is_the_nearest(latitude, longitude):
    def km(place):
        return math.dist(places._xyz(latitude, longitude), places._xyz(place.latitude, place.longitude))

    assert km(places.by_point(latitude, longitude)) == min(km(place) for place in places._index().places)


def test_countries_and_currencies():
    assert places.countries()["KZ"] == "Kazakhstan"
    assert places.country_name("??") == "??"
    assert (places.currency_of("KZ"), places.currency_of("??")) == ("KZT", "")
    assert {"EUR", "USD", "JPY", "KWD"} <= places.currencies()


def meters(first, second):
    north = math.radians(second[0] - first[0]) * 6_371_000
    east = math.radians(second[1] - first[1]) * 6_371_000 * math.cos(math.radians(first[0]))
    return math.hypot(north, east)


@given(st.uuids(), st.floats(-80, 80), st.floats(-179.9, 179.9))
@hypothesis_settings(max_examples=300, deadline=None)
def test_the_public_point_is_off_stable_and_on_the_grid(uid, latitude, longitude):
    point = location.approximate(uid, latitude, longitude)
    assert point == location.approximate(uid, latitude, longitude)
    assert 299 <= meters((latitude, longitude), point) <= 1_101
    assert round(point[0] / location.GRID_DEGREES, 4) == round(point[0] / location.GRID_DEGREES)


def test_the_public_point_depends_on_the_secret(settings):
    uid = UUID(int=7)
    shifted = set()
    for number in range(8):
        settings.SECRET_KEY = f"another-{number}"
        shifted.add(location.approximate(uid, 52.52, 13.4))
    assert len(shifted) > 3


# --- Branches -----------------------------------------------------------------------------------


def test_a_branch_knows_its_town_zone_point_and_holidays():
    branch = branches.create(make_provider(), name="Home", address="A", latitude=43.24, longitude=76.9, now=NOW)
    assert (branch.city, branch.country, branch.time_zone) == ("Almaty", "KZ", "Asia/Almaty")
    assert branch.mercator == Mercator.from_degrees(branch.approximate_latitude, branch.approximate_longitude)
    assert PublicHoliday.objects.filter(country="KZ", on=date(2028, 1, 1)).exists()


def test_the_first_branch_of_one_person_brings_the_person():
    user = UserFactory(full_name="Demo Sitter")
    provider = make_provider(user)
    first = make_branch(provider)
    person = first.resources.get()
    assert (person.kind, person.name, person.user) == ("person", "Demo Sitter", user)
    assert len(person.weekly_hours.all()) == 6
    assert not make_branch(provider, name="Second").resources.exists()


def test_a_team_has_no_default_person():
    provider = make_provider()
    team.add(provider, email=UserFactory().email, by=None)
    assert not make_branch(provider).resources.exists()


def test_moving_a_branch_moves_the_public_point_and_is_recorded():
    branch = make_branch()
    before = (branch.approximate_latitude, branch.approximate_longitude)
    same = branches.update(branch, now=NOW, name="Renamed", service_radius_km=5)
    assert (same.approximate_latitude, same.approximate_longitude) == before
    assert branch.provider.events.count() == 3
    moved = branches.update(branch, now=NOW, latitude=48.1, longitude=11.6, address="New Street", by=UserFactory())
    moved.refresh_from_db()
    assert meters((48.1, 11.6), (moved.approximate_latitude, moved.approximate_longitude)) < 1_101
    assert moved.mercator == Mercator.from_degrees(moved.approximate_latitude, moved.approximate_longitude)
    assert branch.provider.events.last().reason == "Address of Renamed: Example Street 1 → New Street"


def test_a_new_zone_expands_the_hours_anew():
    branch = make_branch(now=NOW)
    person = branch.resources.get()
    berlin = OpenHours.objects.get(resource=person).open
    branches.update(branch, time_zone="America/New_York", country="US", now=NOW)
    new_york = OpenHours.objects.get(resource=person).open
    assert new_york[5].lower - berlin[5].lower == timedelta(hours=6)
    assert PublicHoliday.objects.filter(country="US", on=date(2027, 7, 4)).exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("latitude", 91.0), ("longitude", 181.0), ("time_zone", "Nowhere"), ("country", "ZZ"), ("name", "x" * 121)],
)
def test_a_wrong_branch_is_refused(field, value):
    provider = make_provider()
    with pytest.raises(InvalidInput) as error:
        make_branch(provider, **{field: value})
    assert list(error.value.fields) == [field]
    branch = make_branch(provider)
    with pytest.raises(InvalidInput):
        branches.update(branch, now=NOW, **{field: value})


def test_holidays_of_an_unknown_country_are_none():
    assert holidays.ensure("ZZ", [2027]) == 0
    assert holidays.ensure("DE", [2027, 9999]) == holidays.ensure("DE", [2027]) > 8


# --- Listing ------------------------------------------------------------------------------------


def test_a_branch_is_listed_while_approved_active_and_selling():
    provider = make_provider(state="draft")
    branch = make_branch(provider)

    def listed():
        branch.refresh_from_db()
        return branch.is_listed, branch.offer_mask

    dog_walks = choices.offer_bit("walking", "dog") | choices.offer_bit("walking", "cat")
    assert listed() == (False, 0)
    service = make_service(branch)
    assert listed() == (False, dog_walks)
    applications.submit(provider, by=None, now=NOW)
    applications.approve(provider, by=None, now=NOW)
    assert listed() == (True, dog_walks)
    services.update(service, species=["rabbit"], kind="sitting", now=NOW)
    assert listed() == (True, choices.offer_bit("sitting", "rabbit"))
    services.update(service, is_active=False, now=NOW)
    assert listed() == (False, 0)
    services.update(service, is_active=True, now=NOW)
    branches.update(branch, is_active=False, now=NOW)
    assert listed()[0] is False
    branches.update(branch, is_active=True, now=NOW)
    applications.suspend(provider, by=None, reason="x", now=NOW)
    assert listed()[0] is False
    applications.reinstate(provider, by=None, now=NOW)
    assert listed()[0] is True
    assert services.remove(service, now=NOW) is None
    assert listed() == (False, 0)


def test_a_refresh_that_changes_nothing_writes_nothing(django_assert_num_queries):
    branch = make_service().branch
    with django_assert_num_queries(5):  # savepoint, lock, branches, services, release
        listing.refresh(branch.provider)


def test_every_offer_fits_the_mask():
    assert choices.offer_mask() == 2 ** (len(choices.ServiceKind) * 7) - 1 < 2**63


# --- Resources ----------------------------------------------------------------------------------


def test_things_are_always_open_people_in_working_hours():
    branch = make_branch(now=NOW)
    room = resources.create(branch, kind="room", name="Room", now=NOW)
    assert len(OpenHours.objects.get(resource=room).open) == 1
    person = resources.create(branch, kind="person", name="Anna", now=NOW)
    assert [(one.weekday, one.opens, one.closes) for one in person.weekly_hours.all()] == [
        (day, 480, 1200) for day in range(6)
    ]


def test_several_are_numbered():
    made = resources.create_several(make_branch(), kind="kennel", name="Kennel", count=3, now=NOW)
    assert [(one.name, one.position) for one in made] == [("Kennel 1", 0), ("Kennel 2", 1), ("Kennel 3", 2)]


def test_accounts_are_for_people_of_the_team():
    branch, stranger = make_branch(), UserFactory()
    for kind, user in (("room", branch.provider.memberships.get().user), ("person", stranger)):
        with pytest.raises(InvalidInput) as error:
            resources.create(branch, kind=kind, name="X", user=user, now=NOW)
        assert list(error.value.fields) == ["user"]


def test_a_used_resource_is_switched_off(monkeypatch):
    resource = make_resource(make_branch())

    def refuse(*args, **kwargs):
        raise ProtectedError("used", set())

    monkeypatch.setattr(Resource, "delete", refuse)
    assert resources.remove(resource).is_active is False
    assert resources.update(resource).is_active is False


@pytest.mark.parametrize(
    ("module", "limit", "make"),
    [
        (resources, "MAX_PER_BRANCH", lambda branch: make_resource(branch)),
        (branches, "MAX_PER_PROVIDER", lambda branch: make_branch(branch.provider)),
        (services, "MAX_PER_PROVIDER", lambda branch: make_service(branch)),
        (team, "MAX_MEMBERS", lambda branch: team.add(branch.provider, email=UserFactory().email, by=None)),
    ],
)
def test_there_are_limits(monkeypatch, module, limit, make):
    branch = make_branch()
    monkeypatch.setattr(module, limit, 0)
    with pytest.raises(DomainError) as error:
        make(branch)
    assert code_of(error) == "too_many"


# --- Services -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owned", "kind", "needs"),
    [
        ([], "walking", ["person"]),
        ([], "clinic", ["person"]),
        ([], "grooming", ["person"]),
        (["table"], "grooming", ["person", "table"]),
        ([], "boarding", ["kennel"]),
        (["room"], "boarding", ["room"]),
        (["room", "kennel"], "daycare", ["kennel"]),
    ],
)
def test_usual_needs(owned, kind, needs):
    branch = make_branch()
    for one in owned:
        make_resource(branch, kind=one)
    assert services.default_needs(branch, kind) == needs


def test_a_sitter_gets_a_place_for_boarding_once():
    branch = make_branch()
    first, second = make_service(branch, kind="boarding"), make_service(branch, kind="daycare")
    assert first.is_overnight
    assert [one.name for one in branch.resources.filter(kind="kennel")] == ["Place 1"]
    assert second.needs == ["kennel"]
    explicit = make_service(branch, kind="daycare", needs=["room"])
    assert [one.code for one in services.problems(explicit)] == ["no_resource"]


def test_what_nobody_is_skilled_for_is_a_problem():
    branch = make_branch()
    resources.update(branch.resources.get(), skills=["grooming"])
    [problem] = services.problems(make_service(branch))
    assert (problem.code, problem.message) == ("no_skilled_resource", "No person at Home is skilled for dog walking.")
    assert services.problems(make_service(branch, kind="grooming")) == []


@pytest.mark.parametrize("policy", ["prepay", "deposit"])
def test_online_payment_is_refused_where_there_is_none(policy, settings):
    settings.PAYMENT_POLICIES = ["at_visit"]
    with pytest.raises(InvalidInput) as error:
        make_service(payment_policy=policy)
    assert error.value.fields == {
        "payment_policy": ["Paying online is not available on this site yet. Choose payment at the visit."]
    }


@pytest.mark.parametrize("policy", ["prepay", "deposit", "at_visit"])
def test_every_policy_can_be_chosen_with_a_gateway(policy):
    service = make_service(payment_policy=policy, deposit_percent=35)
    service.refresh_from_db()
    assert (service.payment_policy, service.deposit_percent) == (policy, 35)


@pytest.mark.parametrize("percent", [0, 100])
def test_a_deposit_is_a_part_of_the_price(percent):
    with pytest.raises(InvalidInput) as error:
        make_service(payment_policy="deposit", deposit_percent=percent)
    assert list(error.value.fields) == ["deposit_percent"]


def test_a_tax_rate_above_half_is_a_slip_of_the_finger():
    provider = make_provider()
    with pytest.raises(InvalidInput) as error:
        applications.update(provider, by=None, now=NOW, tax_rate_bp=5001)
    assert list(error.value.fields) == ["tax_rate_bp"]
    changed = applications.update(provider, by=None, now=NOW, tax_rate_bp=750, is_tax_inclusive=False, tax_id="X 1")
    assert (changed.tax_rate_bp, changed.tax_percent, changed.is_tax_inclusive, changed.tax_id) == (
        750, "7.5", False, "X 1",
    )  # fmt: skip


def test_a_branch_of_somebody_else_is_refused():
    with pytest.raises(InvalidInput) as error:
        services.create(
            make_provider(), branch=make_branch(), kind="walking", name="A", price=1, species=["dog"],
            duration_minutes=30, now=NOW,
        )  # fmt: skip
    assert list(error.value.fields) == ["branch"]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"duration_minutes": None}, "duration_minutes"),
        ({"species": []}, "species"),
        ({"species": ["dragon"]}, "species"),
        ({"price": -1}, "price"),
        ({"price": 10**12}, "price"),
        ({"max_pets": 21}, "max_pets"),
        ({"addons": [("", 5)]}, "addons"),
        ({"addons": [("A", -5)]}, "addons"),
        ({"addons": [("A", 5), ("A", 6)]}, "addons"),
        ({"addons": [(str(n), 5) for n in range(31)]}, "addons"),
    ],
)
def test_a_wrong_service_is_refused(fields, wrong):
    branch = make_branch()
    with pytest.raises(InvalidInput) as error:
        make_service(branch, **fields)
    assert list(error.value.fields) == [wrong]
    assert not Service.objects.exists()


def test_needs_cannot_be_emptied():
    service = make_service()
    with pytest.raises(InvalidInput) as error:
        services.update(service, needs=[], now=NOW)
    assert list(error.value.fields) == ["needs"]


def test_addons_that_stay_keep_their_rows():
    service = make_service(addons=[("Bath", 500), ("Nails", 300)])
    bath = service.addons.get(name="Bath")
    services.update(service, addons=[("Bath", 500), ("Nails", 400)], now=NOW)
    assert AddOn.objects.get(name="Bath") == bath
    assert sorted(AddOn.objects.values_list("name", "price", "is_active")) == [
        ("Bath", 500, True), ("Nails", 300, False), ("Nails", 400, True),
    ]  # fmt: skip


def test_a_booked_service_is_taken_off_sale(monkeypatch):
    service = make_service()

    def refuse(*args, **kwargs):
        raise ProtectedError("booked", set())

    monkeypatch.setattr(Service, "delete", refuse)
    assert services.remove(service, now=NOW).is_active is False
    service.branch.refresh_from_db()
    assert service.branch.is_listed is False


def test_overnight_has_no_duration():
    service = make_service(kind="sitting", is_overnight=True, duration_minutes=60)
    assert service.duration_minutes is None
    assert services.update(service, is_overnight=False, duration_minutes=45, now=NOW).duration_minutes == 45


def test_figures_of_models():
    service = make_service(kind="grooming")
    assert (service.is_appointment, service.currency, service.icon, str(service)) == (
        True, "EUR", "scissors", "A grooming service",
    )  # fmt: skip
    assert list(Service.objects.bookable()) == [service]
    assert (Provider(rating_sum=9, review_count=2).rating, Provider().rating) == (4.5, None)


# --- Hours --------------------------------------------------------------------------------------


@pytest.fixture
def person():
    return make_branch(now=NOW).resources.get()


def opened(resource):
    return [(span.lower, span.upper) for span in OpenHours.objects.get(resource=resource).open]


def test_the_week_is_expanded_at_once_up_to_the_horizon(person, settings):
    hours.set_weekly(person, [hours.WeeklySpan(0, 540, 1020)], now=NOW)
    spans = opened(person)
    assert spans[0] == (datetime(2027, 1, 11, 8, tzinfo=UTC), datetime(2027, 1, 11, 16, tzinfo=UTC))
    horizon = date(2027, 1, 11) + timedelta(days=settings.OPEN_HOURS_HORIZON_DAYS)
    assert OpenHours.objects.get(resource=person).expanded_until == horizon
    assert len(spans) == sum(1 for n in range(432) if (date(2027, 1, 10) + timedelta(n)).weekday() == 0)


def test_an_override_replaces_its_day_and_goes_again(person):
    hours.set_weekly(person, [hours.WeeklySpan(0, 540, 1020)], now=NOW)
    week = opened(person)
    day = date(2027, 1, 18)
    hours.set_override(person, on=day, spans=[(600, 660), (700, 720)], reason="Fair", now=NOW)
    assert len(opened(person)) == len(week) + 1
    hours.set_override(person, on=day, now=NOW)
    assert len(opened(person)) == len(week) - 1
    assert DateOverride.objects.count() == 1
    hours.remove_override(person, on=day, now=NOW)
    assert opened(person) == week


@pytest.mark.parametrize("on", [date(2027, 1, 10), date(2029, 1, 1)])
def test_an_override_lies_between_today_and_the_horizon(person, on):
    with pytest.raises(InvalidInput) as error:
        hours.set_override(person, on=on, now=NOW)
    assert list(error.value.fields) == ["on"]


def test_reasons_are_short(person):
    with pytest.raises(InvalidInput):
        hours.set_override(person, on=NOW.date(), reason="x" * 201, now=NOW)
    with pytest.raises(InvalidInput):
        hours.add_time_off(person, start=NOW, end=NOW + timedelta(days=1), reason="x" * 201, now=NOW)


@pytest.mark.parametrize(
    "spans", [[hours.WeeklySpan(7, 0, 60)], [hours.WeeklySpan(0, 60, 60)], [hours.WeeklySpan(0, 0, 1441)]]
)
def test_wrong_spans_are_refused(person, spans):
    with pytest.raises(InvalidInput) as error:
        hours.set_weekly(person, spans, now=NOW)
    assert list(error.value.fields) == ["hours"]


def test_time_off_is_cut_out_and_put_back(person):
    hours.set_weekly(person, [hours.WeeklySpan(0, 540, 1020)], now=NOW)
    before = opened(person)
    start = datetime(2027, 1, 11, 10, tzinfo=UTC)
    off = hours.add_time_off(person, start=start, end=start + timedelta(hours=1), reason="Dentist", now=NOW)
    assert opened(person)[:2] == [(before[0][0], start), (start + timedelta(hours=1), before[0][1])]
    hours.remove_time_off(off, now=NOW)
    hours.remove_time_off(off, now=NOW)
    assert opened(person) == before


def test_time_off_asks_the_guards_under_the_lock(person, monkeypatch):
    asked = []

    def guard(resource, start, end):
        asked.append((resource, start, end, connection.in_atomic_block))
        raise DomainError("Booked then.", code="booked_then")

    monkeypatch.setattr(hours, "time_off_guards", [guard])
    end = NOW + timedelta(hours=2)
    with pytest.raises(DomainError) as error:
        hours.add_time_off(person, start=NOW, end=end, now=NOW)
    assert code_of(error) == "booked_then"
    assert asked == [(person, NOW, end, True)]
    assert not TimeOff.objects.exists()


def test_time_off_does_not_overlap(person):
    hours.add_time_off(person, start=NOW, end=NOW + timedelta(hours=2), now=NOW)
    with pytest.raises(DomainError) as error:
        hours.add_time_off(person, start=NOW + timedelta(hours=1), end=NOW + timedelta(hours=3), now=NOW)
    assert code_of(error) == "time_off_overlaps"
    hours.add_time_off(person, start=NOW + timedelta(hours=2), end=NOW + timedelta(hours=3), now=NOW)


def test_hours_have_limits(person, monkeypatch):
    monkeypatch.setattr(hours, "MAX_TIME_OFF", 0)
    monkeypatch.setattr(hours, "MAX_OVERRIDES", 0)
    for act in (
        lambda: hours.add_time_off(person, start=NOW, end=NOW + timedelta(hours=2), now=NOW),
        lambda: hours.set_override(person, on=NOW.date(), now=NOW),
    ):
        with pytest.raises(DomainError) as error:
            act()
        assert code_of(error) == "too_many"
    spans = [hours.WeeklySpan(0, n * 10, n * 10 + 5) for n in range(13)]
    with pytest.raises(InvalidInput):
        hours.set_weekly(person, spans, now=NOW)


def test_the_night_moves_the_horizon_of_those_behind(person, time_machine):
    later = NOW + timedelta(days=10)
    assert expansion.extend_all(NOW) <= 1
    assert expansion.extend_all(later) == 1
    assert OpenHours.objects.get(resource=person).expanded_until == expansion.last_day(later.date())
    OpenHours.objects.all().delete()
    time_machine.move_to(later)
    tasks.extend_open_hours()
    tasks.extend_open_hours()
    assert OpenHours.objects.get(resource=person).expanded_until == expansion.last_day(later.date())


def test_a_night_survives_one_bad_resource(person, monkeypatch, caplog):
    other = make_resource(person.branch)
    OpenHours.objects.all().delete()
    refresh = expansion.refresh

    def sometimes(resource, *, now):
        if resource.pk == person.pk:
            raise RuntimeError("bad row")
        refresh(resource, now=now)

    monkeypatch.setattr(expansion, "refresh", sometimes)
    assert expansion.extend_all(NOW) == 1
    assert list(OpenHours.objects.values_list("resource_id", flat=True)) == [other.pk]
    assert "bad row" in caplog.text


# --- Team and permissions -----------------------------------------------------------------------


def test_removing_a_person_takes_the_bookable_one_off():
    provider = make_provider()
    branch, user = make_branch(provider), UserFactory()
    member = team.add(provider, email=f" {user.email.upper()} ", by=None, branch=branch, now=NOW)
    resource = Resource.objects.get(user=user)
    team.remove(member, by=None)
    resource.refresh_from_db()
    assert (resource.user, resource.is_active) == (None, False)


def test_a_team_keeps_a_manager():
    provider = make_provider()
    manager = provider.memberships.get()
    with pytest.raises(DomainError) as error:
        team.change_role(manager, role="staff", by=None)
    assert code_of(error) == "last_manager"
    other = team.add(provider, email=UserFactory().email, role="manager", by=None)
    team.change_role(manager, role="staff", by=None)
    with pytest.raises(DomainError):
        team.remove(other, by=None)
    with pytest.raises(InvalidInput):
        team.change_role(other, role="king", by=None)


@pytest.mark.django_db(transaction=True)
def test_two_managers_who_leave_at_once_leave_one():
    provider = make_provider()
    team.add(provider, email=UserFactory().email, role="manager", by=None)
    members, barrier, outcomes = list(provider.memberships.all()), threading.Barrier(2), []

    def leave(member):
        connection.ensure_connection()
        barrier.wait()
        try:
            team.remove(member, by=None)
            outcomes.append("left")
        except DomainError as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=leave, args=[member]) for member in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["last_manager", "left"]
    assert provider.memberships.filter(role="manager").count() == 1


def test_closed_accounts_cannot_join():
    user = UserFactory(is_active=False)
    with pytest.raises(InvalidInput) as error:
        team.add(make_provider(), email=user.email, by=None)
    assert code_of(error) == "unknown_person"


def test_who_may():
    manager, worker, stranger, staff = UserFactory(), UserFactory(), UserFactory(), StaffFactory()
    provider = make_provider(manager)
    branch = make_branch(provider)
    team.add(provider, email=worker.email, by=None, branch=branch, now=NOW)
    own, other = Resource.objects.get(user=worker), Resource.objects.get(user=manager)
    people = [manager, worker, stranger, staff, AnonymousUser()]
    assert [permissions.can_manage(user, provider) for user in people] == [True, False, False, False, False]
    assert [permissions.can_work_for(user, provider) for user in people] == [True, True, False, False, False]
    assert [permissions.can_edit_hours(user, own) for user in people] == [True, True, False, False, False]
    assert [permissions.can_edit_hours(user, other) for user in people] == [True, False, False, False, False]
    assert [permissions.can_review(user) for user in people] == [False, False, False, True, False]
    own.user = stranger
    assert permissions.can_edit_hours(stranger, own) is False
    assert list(Provider.objects.managed_by(manager)) == [provider]
    assert not Provider.objects.managed_by(worker).exists()


def test_an_unproven_address_cannot_hand_in(settings):
    settings.REQUIRE_VERIFIED_EMAIL = True
    with pytest.raises(NotAllowed) as error:
        applications.submit(make_provider(state="draft"), by=UserFactory(), now=NOW)
    assert code_of(error) == "email_not_verified"


# --- What the database itself refuses -----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("provider_state_known", lambda s, r: Provider.objects.filter(pk=s.provider_id).update(state="lost")),
        ("provider_kind_known", lambda s, r: Provider.objects.filter(pk=s.provider_id).update(kind="lost")),
        ("provider_rating_possible", lambda s, r: Provider.objects.filter(pk=s.provider_id).update(rating_sum=6)),
        ("provider_currency_iso", lambda s, r: Provider.objects.filter(pk=s.provider_id).update(currency="eur")),
        ("branch_on_earth", lambda s, r: Branch.objects.filter(pk=s.branch_id).update(latitude=86)),
        ("resource_kind_known", lambda s, r: Resource.objects.filter(pk=r.pk).update(kind="lost")),
        ("service_kind_known", lambda s, r: Service.objects.filter(pk=s.pk).update(kind="lost")),
        ("service_timed_has_duration", lambda s, r: Service.objects.filter(pk=s.pk).update(duration_minutes=None)),
        ("service_pets_possible", lambda s, r: Service.objects.filter(pk=s.pk).update(max_pets=0)),
        ("service_step_possible", lambda s, r: Service.objects.filter(pk=s.pk).update(slot_step_minutes=4)),
        ("service_window_possible", lambda s, r: Service.objects.filter(pk=s.pk).update(maximum_advance_days=401)),
        ("service_needs_something", lambda s, r: Service.objects.filter(pk=s.pk).update(needs=[])),
        ("service_takes_some_species", lambda s, r: Service.objects.filter(pk=s.pk).update(species=[])),
        ("service_price_sane", lambda s, r: Service.objects.filter(pk=s.pk).update(price=10**12)),
        ("service_deposit_possible", lambda s, r: Service.objects.filter(pk=s.pk).update(deposit_percent=100)),
        (
            "provider_tax_rate_sane",
            lambda s, r: Provider.objects.filter(pk=s.provider_id).update(tax_rate_bp=5001),
        ),
        ("addon_price_sane", lambda s, r: AddOn.objects.create(service=s, name="A", price=10**12)),
        ("weekly_hours_weekday", lambda s, r: WeeklyHours.objects.create(resource=r, weekday=7, opens=0, closes=1)),
        (
            "weekly_hours_end_after_start",
            lambda s, r: WeeklyHours.objects.create(resource=r, weekday=0, opens=5, closes=5),
        ),
        (
            "date_override_end_after_start",
            lambda s, r: DateOverride.objects.create(resource=r, on=NOW, opens=5, closes=4),
        ),
        ("time_off_bounded", lambda s, r: TimeOff.objects.create(resource=r, during=(NOW, None))),
        (
            "time_off_no_overlap",
            lambda s, r: [TimeOff.objects.create(resource=r, during=(NOW, NOW + timedelta(1))) for _ in range(2)],
        ),
        (
            "membership_once",
            lambda s, r: Membership.objects.create(provider=s.provider, user=s.provider.memberships.get().user),
        ),
        (
            "membership_role_known",
            lambda s, r: Membership.objects.filter(provider=s.provider).update(role="king"),
        ),
        ("document_kind_known", lambda s, r: s.provider.documents.create(kind="lost", file="x")),
        (
            "public_holiday_once",
            lambda s, r: PublicHoliday.objects.create(country="DE", on=date(2026, 12, 25), name="X"),
        ),
    ],
)
def test_the_database_refuses(name, make):
    service = make_service()
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        make(service, service.branch.resources.first())


def test_names_of_rows():
    branch = make_branch()
    person = branch.resources.get()
    off = TimeOff(during=None)
    off.during = type("Span", (), {"lower": 1, "upper": 2})()
    assert str(branch) == "Home"
    assert str(person.weekly_hours.first()) == "0 480-1200"
    assert [str(DateOverride(on=NOW.date())), str(DateOverride(on=NOW.date(), opens=1, closes=2))] == [
        "2027-01-11 closed", "2027-01-11 1-2",
    ]  # fmt: skip
    assert str(off) == "1 to 2"
    assert str(OpenHours.objects.first()).startswith(f"{person.pk} until ")
    assert str(branch.provider.memberships.get()).endswith("(Manager)")
    assert str(ProviderEvent.objects.first()) == "draft to draft"
    assert str(AddOn(name="Bath")) == "Bath"
    assert str(PublicHoliday(name="X", country="DE", on=NOW.date())) == "X (DE 2027-01-11)"


def test_validators_name_fields_and_keep_extra_messages():
    provider = Provider(name="x" * 200, kind="sitter", currency="EUR")
    with pytest.raises(InvalidInput) as error:
        validators.check(provider, exclude={"slug"}, extra={"name": ["No."]})
    assert error.value.fields["name"][0] == "No."
    assert len(error.value.fields["name"]) == 2


def test_gaps_and_folds_have_one_reading():
    berlin = ZoneInfo("Europe/Berlin")
    gap = datetime(2027, 3, 28, 2, 30)
    assert expansion.first_instant(gap, berlin) == datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert expansion.closing_instant(gap, berlin) == datetime(2027, 3, 28, 1, tzinfo=UTC)
    twice = datetime(2027, 10, 31, 2, 30)
    assert expansion.first_instant(twice, berlin) == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    assert expansion.closing_instant(datetime(2027, 10, 31, 3), berlin) == datetime(2027, 10, 31, 1, tzinfo=UTC)
    assert timezone.is_aware(expansion.first_instant(twice, berlin))


@pytest.mark.django_db(transaction=True)
def test_changes_at_the_same_moment_do_not_meet_crosswise():
    """Without the lock on the provider, two branches that change at once wait for each other."""
    provider = make_provider()
    pair = [make_branch(provider, name=name) for name in ("A", "B")]
    sold = [make_service(branch) for branch in pair]
    barrier, errors = threading.Barrier(4), []

    def change(number):
        try:
            connection.ensure_connection()
            for turn in range(5):
                barrier.wait()
                if number < 2:
                    branches.update(pair[number], is_active=turn % 2 == 1, now=NOW)
                else:
                    services.update(sold[number - 2], species=["dog"] if turn % 2 else ["cat"], now=NOW)
        except Exception as error:
            errors.append(error)
            barrier.abort()
        finally:
            connection.close()

    threads = [threading.Thread(target=change, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for branch in pair:
        branch.refresh_from_db()
        assert (branch.is_active, branch.is_listed, branch.offer_mask) == (
            False,
            False,
            choices.offer_bit("walking", "cat"),
        )
