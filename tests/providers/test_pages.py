"""The doors of the dashboard: who gets in, what each page shows, what each form does."""

import re
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from providers.domain import documents, hours, team
from providers.models import Branch, Membership, OpenHours, Provider, Resource, Service, VerificationDocument
from tests.factories import StaffFactory, UserFactory, make_branch, make_provider, make_resource, make_service

pytestmark = pytest.mark.django_db

LISTS = ["profile", "documents", "branches", "resources", "services", "team"]
MANAGER_FORMS = ["branch_create", "resource_create", "service_create"]


@pytest.fixture
def manager():
    return UserFactory()


@pytest.fixture
def provider(manager):
    return make_provider(manager)


@pytest.fixture
def branch(provider):
    return make_branch(provider)


@pytest.fixture
def staff(provider):
    user = UserFactory()
    team.add(provider, email=user.email, by=None)
    return user


@pytest.fixture
def as_manager(client, manager):
    client.force_login(manager)
    return client


def url(name, provider, *args):
    return reverse(f"provider:{name}", args=[provider.slug, *args])


def photo(size=(40, 30)):
    out = BytesIO()
    Image.new("RGB", size, "teal").save(out, "JPEG")
    return SimpleUploadedFile("mine.jpg", out.getvalue(), "image/jpeg")


# --- Who gets in --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*LISTS, *MANAGER_FORMS, "hours"])
def test_anonymous_is_sent_to_sign_in(client, provider, name):
    response = client.get(url(name, provider))
    assert response.status_code == 302
    assert response.url.startswith("/accounts/login/")


@pytest.mark.parametrize("name", [*LISTS, *MANAGER_FORMS, "hours", "apply_hand_in"])
def test_a_foreign_provider_is_not_there(client, provider, name):
    client.force_login(UserFactory())
    assert client.get(url(name, provider)).status_code == 404


@pytest.mark.parametrize("name", [*LISTS, *MANAGER_FORMS, "apply_hand_in", "apply_place"])
def test_staff_of_the_team_may_not_manage(client, provider, staff, name):
    client.force_login(staff)
    assert client.get(url(name, provider)).status_code == 403


@pytest.mark.parametrize("name", [*LISTS, *MANAGER_FORMS])
def test_managers_see_every_page(as_manager, branch, name):
    make_service(branch)
    response = as_manager.get(url(name, branch.provider))
    assert response.status_code == 200
    assert "<h1>" in response.content.decode()
    assert " style=" not in response.content.decode()


def post_only(provider, branch):
    service, resource = make_service(branch), branch.resources.get()
    member = provider.memberships.get()
    return [
        url("branch_remove", provider, branch.uid),
        url("resource_remove", provider, resource.uid),
        url("service_toggle", provider, service.uid),
        url("service_remove", provider, service.uid),
        url("member_role", provider, member.uid),
        url("member_remove", provider, member.uid),
        url("avatar_remove", provider),
        url("photo_add", provider),
        url("override_add", provider, resource.uid),
        url("override_remove", provider, resource.uid),
        url("time_off_add", provider, resource.uid),
    ]


def test_a_get_changes_nothing(as_manager, provider, branch):
    for path in post_only(provider, branch):
        assert as_manager.get(path).status_code == 405, path


def test_strangers_and_staff_cannot_post(client, provider, branch, staff):
    paths = post_only_of_one_member(provider, branch)
    for user, expected in ((UserFactory(), 404), (staff, 403)):
        client.force_login(user)
        for path in paths:
            assert client.post(path).status_code == expected, path


def post_only_of_one_member(provider, branch):
    service, resource = make_service(branch), branch.resources.get()
    member = provider.memberships.first()
    names = [("branch_remove", branch), ("resource_remove", resource), ("service_toggle", service)]
    names += [("service_remove", service), ("member_role", member), ("member_remove", member)]
    names += [("override_add", resource), ("override_remove", resource), ("time_off_add", resource)]
    return [url(name, provider, row.uid) for name, row in names] + [url("photo_add", provider)]


def test_things_of_another_provider_are_not_there(as_manager, provider):
    other = make_branch(make_provider())
    service, resource = make_service(other), other.resources.get()
    for path in (
        url("branch_edit", provider, other.uid),
        url("service_edit", provider, service.uid),
        url("resource_edit", provider, resource.uid),
        url("hours_of", provider, resource.uid),
    ):
        assert as_manager.get(path).status_code == 404, path


# --- Applying -----------------------------------------------------------------------------------


def test_a_newcomer_is_invited_to_apply(client):
    client.force_login(UserFactory())
    assert client.get(reverse("provider:index")).url == reverse("provider:apply")


def test_one_business_is_entered_at_once(as_manager, provider):
    assert as_manager.get(reverse("provider:index")).url == url("today", provider)


def test_a_draft_is_entered_at_its_approval_page(client):
    user = UserFactory()
    draft = make_provider(user, state="draft")
    client.force_login(user)
    assert client.get(reverse("provider:index")).url == url("documents", draft)


def test_several_businesses_are_offered(as_manager, manager, provider):
    make_provider(manager, name="Second Paws")
    body = as_manager.get(reverse("provider:index")).content.decode()
    assert "Happy Paws" in body
    assert "Second Paws" in body


def test_the_whole_application(client):
    user = UserFactory(full_name="Demo Sitter")
    client.force_login(user)
    assert client.get(reverse("provider:apply")).status_code == 200
    answer = client.post(reverse("provider:apply"), {"name": "Tail Town", "kind": "walker", "currency": "KZT"})
    provider = Provider.objects.get()
    assert answer.url == url("apply_place", provider)
    assert (provider.state, provider.slug, provider.currency) == ("draft", "tail-town", "KZT")

    assert client.get(answer.url).status_code == 200
    place = {"name": "Home", "place": "Almaty", "address": "Example Street 5", "service_radius_km": "7"}
    answer = client.post(answer.url, place)
    branch = Branch.objects.get()
    assert answer.url == url("apply_service", provider)
    assert (branch.city, branch.country, branch.time_zone) == ("Almaty", "KZ", "Asia/Almaty")
    assert branch.resources.get().user == user

    assert client.get(answer.url).status_code == 200
    service = {
        "branch": branch.uid, "kind": "walking", "name": "Walk", "length": "timed", "duration_minutes": "45",
        "price": "4500.50", "extra_pet_price": "1000", "holiday_percent": "0", "species": ["dog", "cat"],
        "max_pets": "2", "minimum_notice_minutes": "60", "maximum_advance_days": "90",
        "addon_name_0": "Bath", "addon_price_0": "2000",
    }  # fmt: skip
    answer = client.post(answer.url, service)
    assert answer.status_code == 302, re.findall(r'invalid-feedback"><strong>(.*?)<', answer.content.decode())
    saved = Service.objects.get()
    assert (saved.price, saved.extra_pet_price, saved.needs) == (450_050, 100_000, ["person"])
    assert [(addon.name, addon.price) for addon in saved.addons.all()] == [("Bath", 200_000)]

    assert "Walk" in client.get(answer.url).content.decode()
    answer = client.post(answer.url)
    provider.refresh_from_db()
    assert provider.state == "submitted"
    assert answer.url == url("documents", provider)
    assert "Waiting for approval" in client.get(answer.url).content.decode()


def test_the_wizard_goes_where_something_is_missing(client):
    user = UserFactory()
    draft = make_provider(user, state="draft")
    client.force_login(user)
    assert client.get(url("apply_service", draft)).url == url("apply_place", draft)
    branch = make_branch(draft)
    assert client.get(url("apply_place", draft)).url == url("apply_service", draft)
    make_service(branch)
    assert client.get(url("apply_service", draft)).url == url("apply_hand_in", draft)


def test_the_first_step_can_be_corrected(client):
    user = UserFactory()
    draft = make_provider(user, state="draft")
    client.force_login(user)
    assert "Happy Paws" in client.get(url("apply_you", draft)).content.decode()
    client.post(url("apply_you", draft), {"name": "New Name", "kind": "groomer", "currency": "USD"})
    draft.refresh_from_db()
    assert (draft.name, draft.kind, draft.currency, draft.slug) == ("New Name", "groomer", "USD", "happy-paws")


def test_handing_in_twice_says_why_not(as_manager, provider):
    assert "not possible" in as_manager.post(url("apply_hand_in", provider), follow=True).content.decode()


def test_missing_documents_stop_the_application(client, settings):
    settings.REQUIRED_DOCUMENTS = {"sitter": ["identity"]}
    user = UserFactory()
    draft = make_provider(user, state="draft")
    client.force_login(user)
    body = client.post(url("apply_hand_in", draft), follow=True).content.decode()
    assert "These documents are missing: proof of identity." in body
    assert "Upload them" in client.get(url("apply_hand_in", draft)).content.decode()


# --- Profile and papers -------------------------------------------------------------------------

PROFILE = {
    "name": "Happy Paws", "kind": "sitter", "bio": "Hello.", "currency": "EUR", "cancellation_policy": "seven_day",
    "appointment_policy": "strict",
}  # fmt: skip


def test_profile_saves_and_records_a_new_name(as_manager, provider):
    as_manager.post(url("profile", provider), PROFILE | {"name": "Happier Paws", "avatar": photo()})
    provider.refresh_from_db()
    assert (provider.name, provider.bio, provider.cancellation_policy) == ("Happier Paws", "Hello.", "seven_day")
    assert provider.events.last().reason == "Name: Happy Paws → Happier Paws"
    picture = as_manager.get(provider.photo_url)
    assert picture.headers["Content-Type"] == "image/jpeg"
    picture.getvalue()
    as_manager.post(url("avatar_remove", provider))
    provider.refresh_from_db()
    assert provider.photo_url == ""
    assert as_manager.get(reverse("provider_avatar", args=[provider.slug])).status_code == 404


def test_money_and_taxes_are_said_in_percent(as_manager, provider):
    tax = {"tax_rate_bp": "7.5", "is_tax_inclusive": "False", "tax_id": "DE 123"}
    as_manager.post(url("profile", provider), PROFILE | tax)
    provider.refresh_from_db()
    assert (provider.tax_rate_bp, provider.is_tax_inclusive, provider.tax_id) == (750, False, "DE 123")
    body = as_manager.get(url("profile", provider)).content.decode()
    assert "Money and taxes" in body
    assert 'name="tax_rate_bp" value="7.5' in body
    assert re.search(r'<option value="False"\s+selected', body)
    wrong = as_manager.post(url("profile", provider), PROFILE | {"tax_rate_bp": "51"}).content.decode()
    assert "less than or equal to 50" in wrong


def test_the_currency_is_fixed_once_something_is_sold(as_manager, branch):
    make_service(branch)
    as_manager.post(url("profile", branch.provider), PROFILE | {"currency": "USD"})
    branch.provider.refresh_from_db()
    assert branch.provider.currency == "EUR"
    assert branch.provider.bio == "Hello."


def test_a_wrong_profile_is_explained_beside_the_field(as_manager, provider):
    body = as_manager.post(url("profile", provider), PROFILE | {"name": "", "kind": "wizard"}).content.decode()
    assert "This field is required." in body
    assert "wizard is not one of the available choices" in body


def test_photos_are_shown_to_everyone_once_approved(client, manager, provider):
    client.force_login(manager)
    client.post(url("photo_add", provider), {"image": photo(), "caption": "The garden"})
    added = provider.photos.get()
    assert "The garden" in client.get(url("profile", provider)).content.decode()
    client.logout()
    response = client.get(added.get_absolute_url())
    assert response.headers["Cache-Control"] == "public, max-age=86400"
    response.getvalue()
    Provider.objects.filter(pk=provider.pk).update(state="suspended")
    assert client.get(added.get_absolute_url()).status_code == 404
    client.force_login(manager)
    response = client.get(added.get_absolute_url())
    assert "no-store" in response.headers["Cache-Control"]
    response.getvalue()
    client.post(url("photo_remove", provider, added.uid))
    assert not provider.photos.exists()


def test_what_is_no_photo_is_refused(as_manager, provider):
    bad = SimpleUploadedFile("x.jpg", b"<svg onload=alert(1)>", "image/jpeg")
    body = as_manager.post(url("photo_add", provider), {"image": bad}, follow=True).content.decode()
    assert "not a photo that we can read" in body
    assert not provider.photos.exists()


def test_papers_are_seen_by_managers_and_reviewers_only(client, manager, provider, staff):
    client.force_login(manager)
    client.post(url("documents", provider), {"kind": "insurance", "file": photo(), "note": "New one"})
    paper = VerificationDocument.objects.get()
    path = reverse("provider:document_file", args=[paper.uid])
    assert "New one" in client.get(url("documents", provider)).content.decode()
    for user, expected in ((manager, 200), (StaffFactory(), 200), (staff, 404), (UserFactory(), 404)):
        client.force_login(user)
        response = client.get(path, follow=True)
        assert response.status_code == expected
        if expected == 200:
            assert response.headers["Cache-Control"] == "private, no-store"
            response.getvalue()
    client.logout()
    assert client.get(path).status_code == 302


def test_a_waiting_paper_can_be_taken_back_a_checked_one_stays(as_manager, manager, provider):
    for kind in ("insurance", "licence"):
        as_manager.post(url("documents", provider), {"kind": kind, "file": photo()})
    licence, insurance = VerificationDocument.objects.order_by("-kind")
    documents.check(licence, by=manager, is_accepted=True, now=timezone.now())
    as_manager.post(url("document_remove", provider, insurance.uid))
    body = as_manager.post(url("document_remove", provider, licence.uid), follow=True).content.decode()
    assert "must stay on record" in body
    assert [one.kind for one in provider.documents.all()] == ["licence"]


def test_a_paper_that_has_run_out_is_refused(as_manager, provider):
    form = {"kind": "licence", "file": photo(), "valid_until": "2020-01-01"}
    assert "has run out" in as_manager.post(url("documents", provider), form).content.decode()


# --- Branches and resources ---------------------------------------------------------------------

BRANCH = {"name": "North", "place": "", "address": "Street 2", "latitude": "52.6", "longitude": "13.3"}


def test_a_branch_is_added_by_its_point(as_manager, provider):
    as_manager.post(url("branch_create", provider), BRANCH)
    branch = provider.branches.get()
    assert (branch.latitude, branch.longitude, branch.time_zone) == (52.6, 13.3, "Europe/Berlin")
    assert "North" in as_manager.get(url("branches", provider)).content.decode()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latitude": "", "longitude": "", "place": "Xyzzyville"}, "We do not know this place"),
        ({"latitude": ""}, "Enter both numbers of the point"),
        ({"latitude": "91"}, "less than or equal to 85"),
        ({"latitude": "nan"}, "Enter a number"),
        ({"time_zone": "Mars/Olympus"}, "not one of the available choices"),
        ({"service_radius_km": "100000"}, "less than or equal to 500"),
        ({"name": ""}, "This field is required"),
    ],
)
def test_a_wrong_branch_is_explained(as_manager, provider, changes, message):
    response = as_manager.post(url("branch_create", provider), BRANCH | changes)
    assert response.status_code == 200
    assert message in response.content.decode()
    assert not provider.branches.exists()


def test_a_branch_is_edited_and_closed(as_manager, branch):
    provider = branch.provider
    page = url("branch_edit", provider, branch.uid)
    assert "Example Street 1" in as_manager.get(page).content.decode()
    as_manager.post(page, BRANCH | {"time_zone": "Europe/Paris"})
    branch.refresh_from_db()
    assert (branch.name, branch.time_zone, branch.is_active) == ("North", "Europe/Paris", False)
    assert provider.events.last().reason == "Address of North: Example Street 1 → Street 2"


def test_a_branch_with_services_is_closed_instead_of_removed(as_manager, branch):
    make_service(branch)
    body = as_manager.post(url("branch_remove", branch.provider, branch.uid), follow=True).content.decode()
    assert "switched off instead" in body
    branch.refresh_from_db()
    assert branch.is_active is False


def test_an_unused_branch_goes_away(as_manager, branch):
    as_manager.post(url("branch_remove", branch.provider, branch.uid))
    assert not Branch.objects.exists()


def test_several_places_are_added_at_once(as_manager, branch):
    form = {"branch": branch.uid, "kind": "kennel", "name": "Kennel", "count": "3", "skills": ["boarding"]}
    as_manager.post(url("resource_create", branch.provider), form)
    made = list(branch.resources.filter(kind="kennel"))
    assert [(one.name, one.skills) for one in made] == [(f"Kennel {n}", ["boarding"]) for n in (1, 2, 3)]
    assert OpenHours.objects.filter(resource__in=made).count() == 3


def test_a_resource_is_edited(as_manager, manager, branch):
    resource, provider = make_resource(branch), branch.provider
    page = url("resource_edit", provider, resource.uid)
    assert as_manager.get(page).status_code == 200
    member = provider.memberships.get()
    as_manager.post(page, {"name": "Anna", "member": member.uid, "skills": ["grooming"]})
    resource.refresh_from_db()
    assert (resource.name, resource.user, resource.skills, resource.is_active) == ("Anna", manager, ["grooming"], False)
    assert "For grooming" in as_manager.get(url("resources", provider)).content.decode()
    as_manager.post(url("resource_remove", provider, resource.uid))
    assert not Resource.objects.filter(pk=resource.pk).exists()


def test_only_people_have_accounts(as_manager, branch):
    form = {"branch": branch.uid, "kind": "room", "name": "Room", "count": "1"}
    form["member"] = branch.provider.memberships.get().uid
    body = as_manager.post(url("resource_create", branch.provider), form).content.decode()
    assert "Only a person can have an account." in body


def test_pages_without_a_branch_say_what_to_do(as_manager, provider):
    assert "First say where you work" in as_manager.get(url("services", provider)).content.decode()
    assert "First say where you work" in as_manager.get(url("resources", provider)).content.decode()
    assert as_manager.get(url("service_create", provider)).url == url("branch_create", provider)


def test_place_suggestions(as_manager, client):
    found = as_manager.get(reverse("provider:places"), {"q": "Almaty"}).json()["places"]
    assert found[0]["label"] == "Almaty, Kazakhstan"
    client.logout()
    assert client.get(reverse("provider:places"), {"q": "Almaty"}).status_code == 302


# --- Services -----------------------------------------------------------------------------------


def test_a_deposit_is_asked_for_only_where_it_can_be_paid(as_manager, branch, settings):
    path = url("service_create", branch.provider)
    assert 'name="deposit_percent"' in as_manager.get(path).content.decode()
    settings.PAYMENT_POLICIES = ["at_visit"]
    assert 'name="deposit_percent"' not in as_manager.get(path).content.decode()


def service_form(branch, **changes):
    return {
        "branch": branch.uid, "kind": "grooming", "name": "Full groom", "description": "", "length": "timed",
        "duration_minutes": "90", "price": "55", "extra_pet_price": "10.50", "holiday_percent": "20",
        "species": ["dog"], "max_weight_kg": "40", "max_pets": "1", "required_vaccines": ["rabies"],
        "needs": ["person", "table"], "buffer_before_minutes": "0", "buffer_after_minutes": "15",
        "slot_step_minutes": "15", "minimum_notice_minutes": "0", "maximum_advance_days": "60", "is_active": "on",
    } | changes  # fmt: skip


def test_a_service_is_added_and_told_what_it_lacks(as_manager, branch):
    form = service_form(branch, payment_policy="deposit", deposit_percent="35")
    response = as_manager.post(url("service_create", branch.provider), form, follow=True)
    service = Service.objects.get()
    assert (service.payment_policy, service.deposit_percent) == ("deposit", 35)
    assert (service.price, service.extra_pet_price, service.holiday_percent) == (5500, 1050, 20)
    assert (service.needs, service.required_vaccines, str(service.max_weight_kg)) == (
        ["person", "table"],
        ["rabies"],
        "40.00",
    )
    assert response.content.decode().count("Home has no active table.") == 2  # as a message and in the list


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"duration_minutes": ""}, "Say how long it lasts"),
        ({"duration_minutes": "10000"}, "less than or equal to 1440"),
        ({"price": "-5"}, "greater than or equal to 0"),
        ({"price": "5.123"}, "no more than 2 decimal places"),
        ({"price": "99999999"}, "less than or equal to 1000000"),
        ({"species": []}, "This field is required"),
        ({"species": ["dragon"]}, "dragon is not one of the available choices"),
        ({"max_pets": "10000"}, "less than or equal to 20"),
        ({"maximum_advance_days": "401"}, "less than or equal to 400"),
        ({"addon_name_0": "Bath", "addon_price_0": ""}, "Say what it costs"),
        ({"addon_name_0": "", "addon_price_0": "5"}, "Say what it is"),
        (
            {"addon_name_0": "A", "addon_price_0": "5", "addon_name_1": "A", "addon_price_1": "6"},
            "Each add-on needs a name of its own",
        ),
    ],
)
def test_a_wrong_service_is_explained(as_manager, branch, changes, message):
    response = as_manager.post(url("service_create", branch.provider), service_form(branch, **changes))
    assert response.status_code == 200
    assert message in response.content.decode()
    assert not Service.objects.exists()


def test_a_service_is_edited(as_manager, branch):
    service = make_service(branch, kind="boarding", addons=[("Bath", 500)])
    page = url("service_edit", branch.provider, service.uid)
    body = as_manager.get(page).content.decode()
    assert 'value="25.00"' in body
    assert 'value="Bath"' in body
    form = service_form(branch, kind="boarding", length="overnight", check_in="16:00", needs=["kennel"], price="30")
    as_manager.post(page, form | {"addon_name_0": "Bath", "addon_price_0": "6"})
    service.refresh_from_db()
    assert (service.price, service.is_overnight, service.duration_minutes) == (3000, True, None)
    assert service.check_in.hour == 16
    assert [(one.price, one.is_active) for one in service.addons.order_by("price")] == [(500, False), (600, True)]


def test_a_service_is_taken_off_sale_put_back_and_removed(as_manager, branch):
    service = make_service(branch)
    for expected in (False, True):
        as_manager.post(url("service_toggle", branch.provider, service.uid))
        service.refresh_from_db()
        assert service.is_active is expected
    as_manager.post(url("service_remove", branch.provider, service.uid))
    assert not Service.objects.exists()


# --- Hours --------------------------------------------------------------------------------------


def week(spans):
    """A posted grid: two rows a day, those of ``spans`` filled in."""
    data = {f"{edge}_{day}_{row}": "" for day in range(7) for row in range(2) for edge in ("opens", "closes")}
    for day, row, opens, closes in spans:
        data |= {f"opens_{day}_{row}": opens, f"closes_{day}_{row}": closes}
    return data


def weekly(resource):
    return [(one.weekday, one.opens, one.closes) for one in resource.weekly_hours.all()]


def test_one_resource_is_opened_at_once_several_are_listed(as_manager, branch):
    provider, person = branch.provider, branch.resources.get()
    assert as_manager.get(url("hours", provider)).url == url("hours_of", provider, person.uid)
    make_resource(branch, kind="kennel", name="Kennel 1")
    body = as_manager.get(url("hours", provider)).content.decode()
    assert "Mon–Sat 08:00–20:00" in body
    assert "Mon–Sun around the clock" in body


def test_the_week_is_shown_and_set(as_manager, branch):
    person = branch.resources.get()
    page = url("hours_of", branch.provider, person.uid)
    assert 'value="08:00"' in as_manager.get(page).content.decode()
    form = week([(0, 0, "09:00", "12:30"), (0, 1, "14:00", "00:00"), (6, 0, "00:00", "00:00")])
    assert as_manager.post(page, form).status_code == 302
    assert weekly(person) == [(0, 540, 750), (0, 840, 1440), (6, 0, 1440)]


def test_one_day_is_copied_to_all(as_manager, branch):
    person = branch.resources.get()
    form = week([(2, 0, "10:00", "18:00"), (3, 0, "01:00", "02:00")]) | {"copy_from": "2"}
    as_manager.post(url("hours_of", branch.provider, person.uid), form)
    assert weekly(person) == [(day, 600, 1080) for day in range(7)]


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([(0, 0, "12:00", "09:00")], "Monday: the closing time must be after the opening time."),
        ([(1, 0, "09:00", "12:00"), (1, 1, "11:00", "13:00")], "Tuesday: the hours overlap."),
        ([(4, 0, "09:00", "")], "Friday: enter both times, or none."),
        ([(4, 0, "", "09:00")], "Friday: enter both times, or none."),
        ([(4, 0, "25:00", "09:00")], "Enter a valid time."),
    ],
)
def test_a_wrong_week_is_explained(as_manager, branch, spans, message):
    person = branch.resources.get()
    before = weekly(person)
    body = as_manager.post(url("hours_of", branch.provider, person.uid), week(spans)).content.decode()
    assert message in body
    assert weekly(person) == before


def test_staff_set_their_own_hours_and_nobody_elses(client, provider, branch, staff):
    own = make_resource(branch, user=staff, name="Own")
    other = branch.resources.exclude(pk=own.pk).get()
    client.force_login(staff)
    assert client.get(url("hours", provider)).url == url("hours_of", provider, own.uid)
    assert client.post(url("hours_of", provider, own.uid), week([(0, 0, "09:00", "10:00")])).status_code == 302
    assert weekly(own) == [(0, 540, 600)]
    assert client.get(url("hours_of", provider, other.uid)).status_code == 403
    assert client.post(url("hours_of", provider, other.uid), week([])).status_code == 403
    assert weekly(other)


def test_staff_without_a_resource_are_told(client, provider, branch, staff):
    client.force_login(staff)
    assert "Nothing to set hours for" in client.get(url("hours", provider)).content.decode()


def test_a_date_gets_other_hours_and_loses_them(as_manager, branch):
    person, provider = branch.resources.get(), branch.provider
    on = timezone.localdate() + timedelta(days=10)
    form = {"on": on.isoformat(), "opens": "10:00", "closes": "11:30", "reason": "Fair"}
    assert as_manager.post(url("override_add", provider, person.uid), form).status_code == 302
    body = as_manager.get(url("hours_of", provider, person.uid)).content.decode()
    assert "10:00–11:30. Fair" in body
    as_manager.post(url("override_add", provider, person.uid), {"on": on.isoformat()})
    assert [one.opens for one in person.overrides.all()] == [None]
    as_manager.post(url("override_remove", provider, person.uid), {"on": on.isoformat()})
    assert not person.overrides.exists()


@pytest.mark.parametrize("on", ["", "nonsense", "2026-13-45"])
def test_removing_no_date_changes_nothing(as_manager, branch, on):
    person = branch.resources.get()
    hours.set_override(person, on=timezone.localdate() + timedelta(days=5), now=timezone.now())
    as_manager.post(url("override_remove", branch.provider, person.uid), {"on": on})
    assert person.overrides.count() == 1


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"on": "2020-01-01"}, "Choose a date from today"),
        ({"on": "2999-01-01", "opens": "10:00"}, "Enter both times"),
        ({"on": "soon"}, "Enter a valid date."),
    ],
)
def test_a_wrong_date_is_explained(as_manager, branch, form, message):
    person = branch.resources.get()
    assert message in as_manager.post(url("override_add", branch.provider, person.uid), form).content.decode()


def test_time_off_is_local_to_the_branch(as_manager, branch):
    person, provider = branch.resources.get(), branch.provider
    day = timezone.localdate() + timedelta(days=40)
    form = {"start": f"{day}T09:00", "end": f"{day}T12:00", "reason": "Dentist"}
    assert as_manager.post(url("time_off_add", provider, person.uid), form).status_code == 302
    off = person.time_off.get()
    assert off.during.lower.astimezone(branch.zone).strftime("%H:%M") == "09:00"
    assert "Dentist" in as_manager.get(url("hours_of", provider, person.uid)).content.decode()
    as_manager.post(url("time_off_remove", provider, person.uid, off.uid))
    assert not person.time_off.exists()


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("2027-03-28T02:30", "2027-03-28T06:00", "this time does not exist"),
        ("2027-03-29T10:00", "2027-03-29T09:00", "The end must be after the start."),
        ("2020-03-29T10:00", "2020-03-29T11:00", "This is in the past."),
        ("2090-03-29T10:00", "2090-03-29T11:00", "too far in the future"),
        ("never", "2027-03-29T09:00", "Enter a valid date/time."),
        ("", "2027-03-29T09:00", "This field is required."),
        ("0001-01-01T00:00", "2027-03-29T09:00", "Enter a valid date/time."),
    ],
)
def test_wrong_time_off_is_explained(client, manager, branch, time_machine, start, end, message):
    time_machine.move_to(datetime(2027, 1, 10, 12, tzinfo=UTC))
    client.force_login(manager)
    person = branch.resources.get()
    form = {"start": start, "end": end}
    assert message in client.post(url("time_off_add", branch.provider, person.uid), form).content.decode()
    assert not person.time_off.exists()


# --- Team ---------------------------------------------------------------------------------------


def test_a_person_is_added_as_bookable(as_manager, branch):
    user = UserFactory(full_name="New Person")
    form = {"email": user.email.upper(), "role": "staff", "branch": branch.uid}
    body = as_manager.post(url("team", branch.provider), form, follow=True).content.decode()
    assert "New Person is in the team." in body
    assert Membership.objects.get(user=user).role == "staff"
    assert branch.resources.get(user=user).name == "New Person"


@pytest.mark.parametrize(
    ("email", "message"),
    [("nobody@example.test", "Nobody with this address has an account."), ("not an address", "valid email address")],
)
def test_adding_somebody_unknown_is_explained(as_manager, provider, email, message):
    form = {"email": email, "role": "staff"}
    assert message in as_manager.post(url("team", provider), form).content.decode()


def test_roles_change_and_the_last_manager_stays(as_manager, manager, provider, staff):
    mine, theirs = provider.memberships.get(user=manager), provider.memberships.get(user=staff)
    body = as_manager.post(url("member_role", provider, mine.uid), {"role": "staff"}, follow=True).content.decode()
    assert "needs at least one manager" in body
    as_manager.post(url("member_role", provider, theirs.uid), {"role": "manager"})
    theirs.refresh_from_db()
    assert theirs.role == "manager"
    answer = as_manager.post(url("member_remove", provider, mine.uid))
    assert answer.url == reverse("provider:index")
    assert not provider.memberships.filter(user=manager).exists()


def test_the_last_manager_cannot_be_removed(as_manager, manager, provider):
    mine = provider.memberships.get(user=manager)
    body = as_manager.post(url("member_remove", provider, mine.uid), follow=True).content.decode()
    assert "needs at least one manager" in body
    assert provider.memberships.filter(user=manager).exists()


# --- Query counts -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["branches", "resources", "services", "hours", "team", "documents", "profile"])
def test_lists_take_the_same_queries_for_many_rows(as_manager, branch, name):
    provider = branch.provider

    def add_rows():
        more = make_branch(provider, name="More")
        make_resource(more, kind="kennel", user=None)
        person = UserFactory()
        team.add(provider, email=person.email, by=None, branch=more, now=timezone.now())
        make_service(more, addons=[("A", 1), ("B", 2)])
        as_manager.post(url("documents", provider), {"kind": "licence", "file": photo()})
        as_manager.post(url("photo_add", provider), {"image": photo()})

    add_rows()
    as_manager.get(url(name, provider))
    with CaptureQueriesContext(connection) as few:
        as_manager.get(url(name, provider))
    add_rows()
    add_rows()
    with CaptureQueriesContext(connection) as many:
        as_manager.get(url(name, provider))
    assert len(many) == len(few)
