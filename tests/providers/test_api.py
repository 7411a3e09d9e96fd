"""Providers over the API: shapes, who may, and what is refused."""

from datetime import UTC, date, datetime, timedelta
from io import BytesIO

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from PIL import Image
from rest_framework.test import APIClient

from petplace.errors import DomainError
from providers.domain import documents, hours, team
from providers.models import Branch, Provider, Resource, Service, VerificationDocument
from tests.factories import StaffFactory, UserFactory, make_branch, make_provider, make_resource, make_service

pytestmark = pytest.mark.django_db
BASE = "/api/v1"


def as_user(user=None):
    client = APIClient()
    if user is not None:
        client.force_authenticate(user)
    return client


@pytest.fixture
def manager():
    return UserFactory(full_name="Demo Manager")


@pytest.fixture
def api(manager):
    return as_user(manager)


@pytest.fixture
def provider(manager):
    return make_provider(manager)


@pytest.fixture
def branch(provider):
    return make_branch(provider)


@pytest.fixture
def worker(provider):
    user = UserFactory()
    team.add(provider, email=user.email, by=None)
    return user


def at(provider, *parts):
    return "/".join([BASE, "providers", str(provider.uid), *(str(part) for part in parts)]) + "/"


def photo():
    out = BytesIO()
    Image.new("RGB", (40, 30), "teal").save(out, "JPEG")
    return SimpleUploadedFile("mine.jpg", out.getvalue(), "image/jpeg")


def euros(amount):
    return {"amount": amount, "currency": "EUR"}


# --- The provider itself ------------------------------------------------------------------------

APPLICATION = {"name": "Tail Town", "kind": "walker", "bio": "Hello.", "currency": "EUR"}


def test_applying_makes_a_draft_of_the_caller(api, manager):
    answer = api.post(f"{BASE}/providers/", APPLICATION)
    assert answer.status_code == 201
    provider = Provider.objects.get()
    assert answer.data == {
        "id": str(provider.uid), "slug": "tail-town", "name": "Tail Town", "kind": "walker", "bio": "Hello.",
        "currency": "EUR", "cancellation_policy": "one_day", "appointment_policy": "fair", "state": "draft",
        "tax_rate_bp": 0, "is_tax_inclusive": True, "tax_id": "",
        "state_reason": "", "submitted_at": None, "rating": None, "review_count": 0, "badges": [], "photo_url": "",
        "role": "manager",
    }  # fmt: skip
    assert provider.memberships.get().user == manager


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "wizard"}, "kind"),
        ({"currency": "XXQ"}, "currency"),
        ({"currency": "euro"}, "currency"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": 12}, "name"),
        ({"bio": "x" * 4001}, "bio"),
        ({"cancellation_policy": "never"}, "cancellation_policy"),
        ({"state": "approved"}, "state"),
        ({"rating": 5}, "rating"),
    ],
)
def test_a_wrong_application_names_the_field(api, changes, field):
    answer = api.post(f"{BASE}/providers/", APPLICATION | changes)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert not Provider.objects.exists()


def test_the_same_key_applies_once(api):
    answers = [api.post(f"{BASE}/providers/", APPLICATION, headers={"Idempotency-Key": "k1"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert Provider.objects.count() == 1


def test_an_approved_provider_is_public_without_what_is_the_teams(provider):
    answer = as_user().get(at(provider))
    assert answer.status_code == 200
    body = answer.json()
    assert (body["state"], body["state_reason"], body["submitted_at"], body["role"]) == ("approved", None, None, None)


@pytest.mark.parametrize("state", ["draft", "submitted", "rejected", "suspended"])
def test_others_are_there_for_the_team_and_staff_only(state, manager):
    provider = make_provider(manager, state=state)
    seen = [as_user(user).get(at(provider)).status_code for user in (manager, StaffFactory(), UserFactory(), None)]
    assert seen == [200, 200, 404, 404]


def test_badges_are_checked_papers_that_are_still_good(api, provider, manager):
    now = timezone.now()
    for kind, until, is_accepted in (
        ("insurance", date(2090, 1, 1), True),
        ("licence", now.date() + timedelta(days=1), True),
        ("identity", None, False),
    ):
        paper = documents.add(provider, kind=kind, file=ContentFile(b"%PDF-1.4", name="x.pdf"), now=now)
        documents.check(paper, by=manager, is_accepted=is_accepted, valid_until=until, now=now)
    [licence] = VerificationDocument.objects.filter(kind="licence")
    documents.check(licence, by=manager, is_accepted=False, now=now)
    [badge] = api.get(at(provider)).json()["badges"]
    assert (badge["kind"], badge["label"], badge["valid_until"]) == ("insurance", "Insured", "2090-01-01")
    assert "valid until Jan 1, 2090" in badge["facts"]
    assert "policy" in badge["rule"]


def test_the_profile_is_changed_by_managers(api, provider, worker):
    answer = api.patch(at(provider), {"name": "New Name", "cancellation_policy": "seven_day"})
    assert (answer.status_code, answer.data["name"], answer.data["cancellation_policy"]) == (
        200,
        "New Name",
        "seven_day",
    )
    assert as_user(worker).patch(at(provider), {"name": "No"}).status_code == 403
    assert as_user(UserFactory()).patch(at(provider), {"name": "No"}).status_code == 404
    assert as_user(StaffFactory()).patch(at(provider), {"name": "No"}).status_code == 403
    assert as_user().patch(at(provider), {"name": "No"}).status_code == 401
    provider.refresh_from_db()
    assert provider.name == "New Name"


def test_the_currency_is_fixed_once_something_is_sold(api, branch):
    make_service(branch)
    answer = api.patch(at(branch.provider), {"currency": "USD"})
    assert (answer.status_code, answer.json()["code"]) == (409, "currency_fixed")


STEPS = {
    "submit": ("draft", "submitted"),
    "approve": ("submitted", "approved"),
    "reject": ("submitted", "rejected"),
    "suspend": ("approved", "suspended"),
    "reinstate": ("suspended", "approved"),
}


@pytest.mark.parametrize("action", STEPS)
@pytest.mark.parametrize("state", ["draft", "submitted", "approved", "rejected", "suspended"])
def test_every_step_from_every_state(manager, action, state):
    provider = make_provider(manager, state=state)
    user = manager if action == "submit" else StaffFactory()
    body = {"reason": "Because."} if action in ("reject", "suspend") else {}
    answer = as_user(user).post(at(provider, action), body)
    start, end = STEPS[action]
    if state == start or (action, state) == ("submit", "rejected"):
        assert (answer.status_code, answer.json()["state"]) == (200, end)
        assert provider.events.last().to_state == end
    else:
        assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")
        provider.refresh_from_db()
        assert provider.state == state


@pytest.mark.parametrize("action", ["approve", "reject", "suspend", "reinstate"])
def test_only_staff_decide(action, manager):
    provider = make_provider(manager, state="submitted")
    users = (manager, UserFactory(), None)
    body = {"reason": "Because."}
    assert [as_user(user).post(at(provider, action), body).status_code for user in users] == [403, 404, 401]
    public = make_provider(name="Public")
    assert as_user(UserFactory()).post(at(public, action), body).status_code == 403


@pytest.mark.parametrize("action", ["reject", "suspend"])
@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x" * 1001}])
def test_refusing_needs_a_reason(action, body):
    provider = make_provider(state=STEPS[action][0])
    answer = as_user(StaffFactory()).post(at(provider, action), body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["reason"])


def test_approving_names_the_documents_that_were_seen(manager):
    provider = make_provider(manager, state="submitted")
    staff = as_user(StaffFactory())
    answer = staff.post(at(provider, "approve"), {"documents": ["5b0f0e0a-3f36-4a54-9e0f-0d8b6e0f2f11"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "documents_changed")
    assert staff.post(at(provider, "approve"), {"documents": []}).status_code == 200


def test_handing_in_needs_a_proven_address_where_the_site_asks(settings, manager, api):
    settings.REQUIRE_VERIFIED_EMAIL = True
    provider = make_provider(manager, state="draft")
    answer = api.post(at(provider, "submit"))
    assert (answer.status_code, answer.json()["code"]) == (403, "email_not_verified")


def test_handing_in_needs_the_documents_of_the_kind(settings, manager, api):
    settings.REQUIRED_DOCUMENTS = {"sitter": ["identity", "insurance"]}
    provider = make_provider(manager, state="draft")
    answer = api.post(at(provider, "submit"))
    assert (answer.status_code, answer.json()["code"]) == (409, "documents_missing")
    assert answer.json()["missing"] == ["identity", "insurance"]


def test_own_providers_and_the_queue(manager, api):
    make_provider(manager, name="Mine", state="rejected")
    waiting = make_provider(name="Waiting", state="submitted")
    mine = api.get(f"{BASE}/me/providers/").json()
    assert [(one["name"], one["state"], one["state_reason"], one["role"]) for one in mine["results"]] == [
        ("Mine", "rejected", "Not yet.", "manager")
    ]
    queue = as_user(StaffFactory()).get(f"{BASE}/applications/").json()
    assert [one["id"] for one in queue["results"]] == [str(waiting.uid)]
    assert api.get(f"{BASE}/applications/").status_code == 403
    assert as_user().get(f"{BASE}/me/providers/").status_code == 401


def test_the_history_is_for_the_team(api, provider, branch):
    api.patch(at(provider, "branches", branch.uid), {"address": "Street 9"})
    history = api.get(at(provider, "events")).json()["results"]
    assert [one["to_state"] for one in history] == ["draft", "submitted", "approved", "approved"]
    assert history[-1]["reason"] == "Address of Home: Example Street 1 → Street 9"
    assert as_user(UserFactory()).get(at(provider, "events")).status_code == 404


# --- Parts: who may -----------------------------------------------------------------------------

PARTS = ["branches", "resources", "services", "members", "documents", "photos"]
PUBLIC = ["branches", "resources", "services", "photos"]


@pytest.mark.parametrize("part", PARTS)
def test_who_reads_a_part(provider, manager, worker, part):
    users = (manager, worker, StaffFactory(), UserFactory(), None)
    seen = [as_user(user).get(at(provider, part)).status_code for user in users]
    if part in PUBLIC:
        assert seen == [200, 200, 200, 200, 200]
    elif part == "members":
        assert seen == [200, 200, 200, 404, 401]
    else:
        assert seen == [200, 403, 200, 404, 401]


@pytest.mark.parametrize("part", PARTS)
def test_who_writes_a_part(provider, worker, part):
    users = (worker, StaffFactory(), UserFactory(), None)
    shape = {"format": "multipart"} if part in ("documents", "photos") else {}
    seen = [as_user(user).post(at(provider, part), {}, **shape).status_code for user in users]
    assert seen == [403, 403, 404, 401]


@pytest.mark.parametrize("part", PARTS)
def test_parts_of_a_draft_are_not_public(manager, part):
    draft = make_provider(manager, state="draft")
    assert as_user(UserFactory()).get(at(draft, part)).status_code == 404
    assert as_user(manager).get(at(draft, part)).status_code == 200


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("uid", ["5b0f0e0a-3f36-4a54-9e0f-0d8b6e0f2f11", "17", "x"])
def test_an_unknown_row_is_404(api, provider, part, uid):
    assert api.get(at(provider, part, uid)).status_code == 404
    assert api.delete(at(provider, part, uid)).status_code == 404


def test_an_unknown_provider_is_404(api):
    assert api.get(f"{BASE}/providers/5b0f0e0a-3f36-4a54-9e0f-0d8b6e0f2f11/branches/").status_code == 404
    assert api.get(f"{BASE}/providers/none/").status_code == 404


# --- Branches -----------------------------------------------------------------------------------

BRANCH = {"name": "Home", "address": "Street 1", "latitude": 43.2389, "longitude": 76.8897, "service_radius_km": 5}


def test_the_first_branch_brings_the_person(api, provider, manager):
    answer = api.post(at(provider, "branches"), BRANCH)
    assert answer.status_code == 201
    branch = Branch.objects.get()
    point = {"latitude": branch.approximate_latitude, "longitude": branch.approximate_longitude}
    assert answer.json() == {
        "id": str(branch.uid), "name": "Home", "address": "Street 1", "latitude": 43.2389, "longitude": 76.8897,
        "approximate_location": point, "city": "Almaty", "country": "KZ", "time_zone": "Asia/Almaty",
        "service_radius_km": 5, "is_active": True,
    }  # fmt: skip
    [person] = api.get(at(provider, "resources")).json()["results"]
    assert (person["kind"], person["name"], person["branch"]) == ("person", "Demo Manager", str(branch.uid))


def test_the_public_does_not_get_the_address(provider):
    branch = make_branch(provider, latitude=52.517389, longitude=13.395131)
    for path in (at(branch.provider, "branches"), at(branch.provider, "branches", branch.uid)):
        body = as_user(UserFactory()).get(path).json()
        row = body.get("results", [body])[0]
        assert (row["address"], row["latitude"], row["longitude"]) == (None, None, None)
        assert "Example Street" not in str(body)
        assert str(branch.latitude) not in str(body)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"latitude": 91}, "latitude"),
        ({"latitude": "52"}, "latitude"),
        ({"longitude": -180.5}, "longitude"),
        ({"longitude": True}, "longitude"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "EST"}, "time_zone"),
        ({"country": "ZZ"}, "country"),
        ({"service_radius_km": 0}, "service_radius_km"),
        ({"service_radius_km": 501}, "service_radius_km"),
        ({"address": ""}, "address"),
        ({"is_listed": True}, "is_listed"),
    ],
)
def test_a_wrong_branch_names_the_field(api, provider, changes, field):
    answer = api.post(at(provider, "branches"), BRANCH | changes)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert not Branch.objects.exists()


def test_a_branch_is_changed_and_removed(api, branch):
    path = at(branch.provider, "branches", branch.uid)
    answer = api.patch(path, {"service_radius_km": None, "time_zone": "Europe/Paris", "is_active": False})
    assert (answer.status_code, answer.data["time_zone"], answer.data["is_active"]) == (200, "Europe/Paris", False)
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


def test_a_branch_with_services_is_switched_off(api, branch):
    make_service(branch)
    answer = api.delete(at(branch.provider, "branches", branch.uid))
    assert (answer.status_code, answer.json()["is_active"]) == (200, False)
    assert as_user().get(at(branch.provider, "branches")).json()["count"] == 0


# --- Resources ----------------------------------------------------------------------------------


def test_a_resource_comes_with_usual_hours(api, branch):
    form = {"branch": str(branch.uid), "kind": "kennel", "name": "Kennel 1", "skills": ["boarding", "boarding"]}
    answer = api.post(at(branch.provider, "resources"), form)
    assert answer.status_code == 201
    body = answer.json()
    assert body | {"id": ""} == form | {
        "id": "", "skills": ["boarding"], "is_active": True, "position": 0, "time_zone": "Europe/Berlin",
    }  # fmt: skip
    week = api.get(f"{BASE}/resources/{body['id']}/availability/").json()
    assert week == [{"weekday": day, "opens": "00:00", "closes": "24:00"} for day in range(7)]


def test_a_member_can_be_booked(api, branch, worker):
    member = branch.provider.memberships.get(user=worker)
    form = {"branch": str(branch.uid), "kind": "person", "name": "Anna", "member": str(member.uid)}
    answer = api.post(at(branch.provider, "resources"), form)
    assert answer.status_code == 201
    resource = Resource.objects.get(uid=answer.json()["id"])
    assert resource.user == worker
    assert api.patch(at(branch.provider, "resources", resource.uid), {"member": None}).status_code == 200
    resource.refresh_from_db()
    assert resource.user is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"branch": "5b0f0e0a-3f36-4a54-9e0f-0d8b6e0f2f11"}, "branch"),
        ({"branch": 7}, "branch"),
        ({"kind": "dragon"}, "kind"),
        ({"name": ""}, "name"),
        ({"skills": ["magic"]}, "skills.0"),
        ({"skills": "boarding"}, "skills"),
        ({"member": "5b0f0e0a-3f36-4a54-9e0f-0d8b6e0f2f11"}, "member"),
        ({"position": -1}, "position"),
    ],
)
def test_a_wrong_resource_names_the_field(api, branch, changes, field):
    form = {"branch": str(branch.uid), "kind": "room", "name": "Room"}
    answer = api.post(at(branch.provider, "resources"), form | changes)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_a_branch_of_another_provider_does_not_exist_here(api, provider, branch):
    other = make_branch(make_provider(name="Other"))
    form = {"branch": str(other.uid), "kind": "room", "name": "Room"}
    answer = api.post(at(provider, "resources"), form)
    assert answer.json()["errors"] == {"branch": ["There is no such object."]}


def test_a_resource_is_removed(api, branch):
    resource = make_resource(branch)
    assert api.delete(at(branch.provider, "resources", resource.uid)).status_code == 204
    assert not Resource.objects.filter(pk=resource.pk).exists()


# --- Services -----------------------------------------------------------------------------------


def service_body(branch, **changes):
    return {
        "branch": str(branch.uid), "kind": "walking", "name": "Walk", "duration_minutes": 45, "price": euros(2500),
        "extra_pet_price": euros(500), "holiday_percent": 25, "addons": [{"name": "Bath", "price": euros(700)}],
        "species": ["dog", "cat"], "max_weight_kg": 40, "max_pets": 2, "buffer_before_minutes": 5,
        "buffer_after_minutes": 10, "minimum_notice_minutes": 60, "maximum_advance_days": 400, "slot_step_minutes": 15,
        "instant": True, "payment_policy": "deposit", "deposit_percent": 30,
        "needs": ["person"], "required_vaccines": ["rabies"],
    } | changes  # fmt: skip


def test_a_service_is_answered_as_it_was_sent(api, branch):
    sent = service_body(branch)
    answer = api.post(at(branch.provider, "services"), sent)
    assert answer.status_code == 201, answer.data
    body = answer.json()
    assert {name: body[name] for name in sent if name != "addons"} == {
        name: value for name, value in sent.items() if name != "addons"
    }
    assert [(addon["name"], addon["price"]) for addon in body["addons"]] == [("Bath", euros(700))]
    assert (body["is_overnight"], body["is_active"], body["problems"], body["time_zone"]) == (
        False, True, [], "Europe/Berlin",
    )  # fmt: skip
    assert as_user().get(f"{BASE}/services/{body['id']}/").json() == body


@pytest.mark.parametrize("policy", ["prepay", "deposit"])
def test_a_service_cannot_be_paid_online_without_a_gateway(api, branch, policy, settings):
    settings.PAYMENT_POLICIES = ["at_visit"]
    answer = api.post(at(branch.provider, "services"), service_body(branch, payment_policy=policy))
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["payment_policy"])


def test_the_tax_of_a_provider_is_told_and_changed(api, branch):
    path = f"{BASE}/providers/{branch.provider.uid}/"
    tax = {"tax_rate_bp": 1900, "is_tax_inclusive": False, "tax_id": "DE 123"}
    body = api.patch(path, tax).json()
    assert {name: body[name] for name in tax} == tax
    seen = as_user().get(path).json()
    assert {name: seen[name] for name in tax} == tax | {"tax_id": ""}  # for its own team; invoices name it
    for wrong in ({"tax_rate_bp": -1}, {"tax_rate_bp": 5001}, {"tax_rate_bp": 19.5}, {"is_tax_inclusive": "no"}):
        answer = api.patch(path, wrong)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, list(wrong)), wrong


def test_boarding_without_a_duration_is_overnight_and_gets_a_place(api, branch):
    form = {"branch": str(branch.uid), "kind": "boarding", "name": "Night", "price": euros(3000), "species": ["dog"]}
    body = api.post(at(branch.provider, "services"), form).json()
    assert (body["is_overnight"], body["duration_minutes"], body["needs"], body["problems"]) == (
        True,
        None,
        ["kennel"],
        [],
    )
    assert branch.resources.filter(kind="kennel").count() == 1


def test_a_service_that_nobody_can_do_says_so_to_the_team(api, branch):
    body = api.post(at(branch.provider, "services"), service_body(branch, needs=["person", "table"])).json()
    assert [problem["code"] for problem in body["problems"]] == ["no_resource"]
    assert as_user().get(at(branch.provider, "services", body["id"])).json()["problems"] == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"duration_minutes": None}, "duration_minutes"),
        ({"duration_minutes": 4}, "duration_minutes"),
        ({"duration_minutes": "45"}, "duration_minutes"),
        ({"duration_minutes": 10**30}, "duration_minutes"),
        ({"price": 2500}, "price"),
        ({"price": euros(-1)}, "price"),
        ({"price": euros(25.5)}, "price"),
        ({"price": {"amount": 2500, "currency": "USD"}}, "price"),
        ({"extra_pet_price": {"amount": 2500, "currency": "USD"}}, "extra_pet_price"),
        ({"addons": [{"name": "Bath"}]}, "addons.0.price"),
        ({"addons": [{"name": "Bath", "price": {"amount": 1, "currency": "USD"}}]}, "addons"),
        ({"addons": [{"name": "Bath", "price": euros(1)}] * 2}, "addons"),
        ({"addons": [{"name": f"Bath {n}", "price": euros(1)} for n in range(31)]}, "addons"),
        ({"species": []}, "species"),
        ({"species": ["dragon"]}, "species.0"),
        ({"max_weight_kg": 0}, "max_weight_kg"),
        ({"max_pets": 10_000}, "max_pets"),
        ({"maximum_advance_days": 401}, "maximum_advance_days"),
        ({"slot_step_minutes": 1}, "slot_step_minutes"),
        ({"payment_policy": "on_credit"}, "payment_policy"),
        ({"deposit_percent": 0}, "deposit_percent"),
        ({"deposit_percent": 100}, "deposit_percent"),
        ({"needs": ["spaceship"]}, "needs.0"),
        ({"required_vaccines": ["hope"]}, "required_vaccines.0"),
        ({"provider": "x"}, "provider"),
        ({"check_in": "25:00"}, "check_in"),
        ({"instant": "yes"}, "instant"),
    ],
)
def test_a_wrong_service_names_the_field(api, branch, changes, field):
    answer = api.post(at(branch.provider, "services"), service_body(branch, **changes))
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert not Service.objects.exists()


def test_a_service_is_changed(api, branch):
    service = make_service(branch, addons=[("Bath", 100)])
    path = at(branch.provider, "services", service.uid)
    body = api.patch(path, {"price": euros(9900), "instant": True}).json()
    assert (body["price"], body["instant"], len(body["addons"])) == (euros(9900), True, 1)
    assert api.patch(path, {"addons": []}).json()["addons"] == []
    assert api.patch(path, {"addons": [{"name": "Bath"}]}).status_code == 400
    assert api.patch(path, {}).status_code == 200


def test_a_service_is_taken_off_sale_and_removed(api, branch):
    service = make_service(branch)
    path = at(branch.provider, "services", service.uid)
    assert api.patch(path, {"is_active": False}).json()["is_active"] is False
    assert as_user().get(path).status_code == 404
    assert as_user().get(f"{BASE}/services/{service.uid}/").status_code == 404
    assert api.get(f"{BASE}/services/{service.uid}/").status_code == 200
    assert api.delete(path).status_code == 204
    assert api.get(f"{BASE}/services/{service.uid}/").status_code == 404


# --- Team and papers ----------------------------------------------------------------------------


def test_the_team_is_led_over_the_api(api, provider, manager):
    user = UserFactory(full_name="New Person")
    answer = api.post(at(provider, "members"), {"email": user.email.upper()})
    assert answer.status_code == 201
    body = answer.json()
    assert body["user"] == {"id": str(user.uid), "name": "New Person", "email": user.email}
    path = at(provider, "members", body["id"])
    assert api.patch(path, {"role": "manager"}).json()["role"] == "manager"
    assert api.patch(path, {}).status_code == 200
    assert api.delete(path).status_code == 204
    own = provider.memberships.get(user=manager)
    for answer in (
        api.delete(at(provider, "members", own.uid)),
        api.patch(at(provider, "members", own.uid), {"role": "staff"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "last_manager")


def test_adding_somebody_wrong(api, provider, worker):
    members = at(provider, "members")
    assert api.post(members, {"email": "nobody@example.test"}).json()["code"] == "unknown_person"
    assert api.post(members, {"email": worker.email}).json()["code"] == "already_in_team"
    assert api.post(members, {"email": "x"}).status_code == 400
    assert api.post(members, {"email": worker.email, "role": "king"}).status_code == 400


def test_papers_over_the_api(api, provider, manager):
    form = {"kind": "insurance", "file": photo(), "note": "New", "valid_until": "2090-01-01"}
    answer = api.post(at(provider, "documents"), form, format="multipart")
    assert answer.status_code == 201, answer.data
    body = answer.json()
    assert (body["kind"], body["note"], body["valid_until"], body["state"]) == (
        "insurance",
        "New",
        "2090-01-01",
        "waiting",
    )
    path = at(provider, "documents", body["id"])
    assert api.patch(path, {"note": "Newer"}).json()["note"] == "Newer"
    led = api.get(at(provider, "documents", body["id"], "file"))
    assert (led.status_code, led.headers["Cache-Control"]) == (302, "private, no-store")
    assert as_user(UserFactory()).get(at(provider, "documents", body["id"], "file")).status_code == 404
    file = Client().get(led.headers["Location"].removeprefix("http://testserver"))
    assert file.headers["Content-Type"] == "image/jpeg"
    assert file.getvalue()[:3] == b"\xff\xd8\xff"
    check = at(provider, "documents", body["id"], "check")
    assert api.post(check, {"accepted": True}).status_code == 403
    assert as_user(UserFactory()).post(check, {"accepted": True}).status_code == 404
    assert as_user(StaffFactory()).post(check, {"accepted": True}).json()["state"] == "accepted"
    for answer in (api.delete(path), api.patch(path, {"note": "Again"})):
        assert (answer.status_code, answer.json()["code"]) == (409, "document_checked")


def test_a_paper_is_taken_back(api, provider):
    body = api.post(at(provider, "documents"), {"kind": "other", "file": photo()}, format="multipart").json()
    assert api.delete(at(provider, "documents", body["id"])).status_code == 204
    assert not provider.documents.exists()


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"kind": "other"}, "file"),
        ({"kind": "passport"}, "kind"),
        ({"kind": "other", "valid_until": "soon"}, "valid_until"),
        ({"kind": "other", "valid_until": "2020-01-01"}, "valid_until"),
    ],
)
def test_a_wrong_paper_names_the_field(api, provider, form, field):
    file = {} if field == "file" else {"file": photo()}
    answer = api.post(at(provider, "documents"), form | file, format="multipart")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_what_is_no_file_is_refused(api, provider):
    bad = SimpleUploadedFile("x.pdf", b"MZ\x90", "application/pdf")
    answer = api.post(at(provider, "documents"), {"kind": "other", "file": bad}, format="multipart")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["file"])
    assert api.post(at(provider, "documents"), {"kind": "other"}, format="json").status_code == 415


def test_pictures_over_the_api(api, provider):
    body = api.post(at(provider, "photos"), {"image": photo(), "caption": "Garden"}, format="multipart").json()
    assert body["caption"] == "Garden"
    assert as_user().get(at(provider, "photos")).json()["results"] == [body]
    picture = as_user().get(body["url"])
    assert picture.headers["Content-Type"] == "image/jpeg"
    picture.getvalue()
    assert api.delete(at(provider, "photos", body["id"])).status_code == 204
    assert api.put(at(provider, "avatar"), {"image": photo()}, format="multipart").status_code == 204
    assert api.get(at(provider)).json()["photo_url"].startswith("/p/happy-paws/avatar?v=")
    bad = SimpleUploadedFile("x.jpg", b"no", "image/jpeg")
    assert api.put(at(provider, "avatar"), {"image": bad}, format="multipart").status_code == 400
    assert api.delete(at(provider, "avatar")).status_code == 204
    assert api.get(at(provider)).json()["photo_url"] == ""


# --- Hours --------------------------------------------------------------------------------------


@pytest.fixture
def person(branch):
    return branch.resources.get()


def availability(resource):
    return f"{BASE}/resources/{resource.uid}/availability/"


def test_the_week_is_replaced(api, person):
    week = [
        {"weekday": 0, "opens": "09:00", "closes": "17:00"},
        {"weekday": 0, "opens": "18:00", "closes": "24:00"},
        {"weekday": 6, "opens": "00:00", "closes": "24:00"},
    ]
    answer = api.put(availability(person), week)
    assert (answer.status_code, answer.json()) == (200, week)
    assert api.get(availability(person)).json() == week
    midnight = [{"weekday": 1, "opens": "20:00", "closes": "00:00"}]
    assert api.put(availability(person), midnight).json()[0]["closes"] == "24:00"
    assert api.put(availability(person), []).json() == []


@pytest.mark.parametrize(
    "week",
    [
        [{"weekday": 7, "opens": "09:00", "closes": "17:00"}],
        [{"weekday": -1, "opens": "09:00", "closes": "17:00"}],
        [{"weekday": 0, "opens": "17:00", "closes": "09:00"}],
        [{"weekday": 0, "opens": "09:00", "closes": "09:00"}],
        [{"weekday": 0, "opens": "9", "closes": "17:00"}],
        [{"weekday": 0, "opens": "24:00", "closes": "24:00"}],
        [{"weekday": 0, "opens": "09:00:00", "closes": "17:00"}],
        [{"weekday": 0, "opens": "０９:００", "closes": "17:00"}],
        [{"weekday": 0, "opens": "09:00"}],
        [{"weekday": "0", "opens": "09:00", "closes": "17:00"}],
        [{"weekday": 0, "opens": "09:00", "closes": "12:00"}, {"weekday": 0, "opens": "11:00", "closes": "13:00"}],
        [{"weekday": 0, "opens": f"00:{n:02d}", "closes": f"00:{n + 1:02d}"} for n in range(0, 26, 2)],
        [{"weekday": 0, "opens": "09:00", "closes": "17:00"}] * 100,
        {"weekday": 0, "opens": "09:00", "closes": "17:00"},
        "always",
        [None],
        ["x"],
    ],
)  # fmt: skip
def test_a_wrong_week_changes_nothing(api, person, week):
    before = api.get(availability(person)).json()
    answer = api.put(availability(person), week, format="json")
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
    assert api.get(availability(person)).json() == before


def test_who_sets_hours(person, worker, branch):
    own = make_resource(branch, user=worker)
    week = [{"weekday": 0, "opens": "09:00", "closes": "17:00"}]
    assert as_user(worker).put(availability(own), week, format="json").status_code == 200
    assert as_user(worker).get(availability(person)).status_code == 200
    assert as_user(worker).put(availability(person), week, format="json").status_code == 403
    staff, stranger = as_user(StaffFactory()), as_user(UserFactory())
    assert staff.get(availability(person)).status_code == 200
    assert staff.put(availability(person), week, format="json").status_code == 404
    assert stranger.get(availability(person)).status_code == 404
    assert stranger.put(availability(person), week, format="json").status_code == 404
    assert as_user().get(availability(person)).status_code == 401


def time_off(resource, *parts):
    return "/".join([f"{BASE}/resources/{resource.uid}/time-off", *(str(part) for part in parts)]) + "/"


def test_time_off_over_the_api(api, person):
    start = (timezone.now() + timedelta(days=3)).replace(microsecond=0)
    form = {"start": start.isoformat(), "end": (start + timedelta(hours=5)).isoformat(), "reason": "Dentist"}
    answer = api.post(time_off(person), form)
    assert answer.status_code == 201
    body = answer.json()
    assert body == {
        "id": body["id"], "start": start.strftime("%Y-%m-%dT%H:%M:%SZ"), "reason": "Dentist",
        "end": (start + timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%SZ"), "time_zone": "Europe/Berlin",
    }  # fmt: skip
    assert api.get(time_off(person)).json()["results"] == [body]
    again = api.post(time_off(person), form)
    assert (again.status_code, again.json()["code"]) == (409, "time_off_overlaps")
    assert as_user(UserFactory()).delete(time_off(person, body["id"])).status_code == 404
    assert api.delete(time_off(person, body["id"])).status_code == 204
    assert api.delete(time_off(person, body["id"])).status_code == 404


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [
        ("2027-03-01T10:00:00Z", "2027-03-01T09:00:00Z", "end"),
        ("2020-03-01T10:00:00Z", "2020-03-01T11:00:00Z", "end"),
        ("2190-03-01T10:00:00Z", "2190-03-01T11:00:00Z", "end"),
        ("2027-03-01T10:00:00", "2027-03-01T11:00:00Z", "start"),
        ("soon", "2027-03-01T11:00:00Z", "start"),
        (None, "2027-03-01T11:00:00Z", "start"),
        (1, "2027-03-01T11:00:00Z", "start"),
    ],
)
def test_wrong_time_off_names_the_field(api, person, start, end, field):
    answer = api.post(time_off(person), {"start": start, "end": end}, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_a_guard_refuses_time_off(api, person, monkeypatch):
    def refuse(resource, start, end):
        raise DomainError("Booked.", code="booked_then", extra={"bookings": ["BK-1"]})

    monkeypatch.setattr(hours, "time_off_guards", [refuse])
    now = timezone.now()
    form = {"start": (now + timedelta(days=1)).isoformat(), "end": (now + timedelta(days=2)).isoformat()}
    answer = api.post(time_off(person), form)
    assert (answer.status_code, answer.json()["code"], answer.json()["bookings"]) == (409, "booked_then", ["BK-1"])
    assert not person.time_off.exists()


def test_special_dates_over_the_api(api, person):
    path = f"{BASE}/resources/{person.uid}/overrides/"
    on = (timezone.now() + timedelta(days=20)).date().isoformat()
    spans = [{"opens": "09:00", "closes": "12:00"}, {"opens": "13:00", "closes": "24:00"}]
    answer = api.post(path, {"date": on, "hours": spans, "reason": "Fair"})
    assert (answer.status_code, answer.json()) == (201, {"date": on, "hours": spans, "reason": "Fair"})
    assert api.post(path, {"date": on, "hours": []}).json() == {"date": on, "hours": [], "reason": ""}
    assert api.get(path).json()["results"] == [{"date": on, "hours": [], "reason": ""}]
    assert api.delete(f"{path}{on}/").status_code == 204
    assert api.delete(f"{path}{on}/").status_code == 404
    assert api.delete(f"{path}nonsense/").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"date": "2020-01-01", "hours": []}, "on"),
        ({"date": "2190-01-01", "hours": []}, "on"),
        ({"date": "x", "hours": []}, "date"),
        ({"date": "2027-01-01"}, "hours"),
        ({"date": "2027-01-01", "hours": [{"opens": "10:00", "closes": "09:00"}]}, "hours"),
        ({"date": "2027-01-01", "hours": [{"opens": "10:00", "closes": "11:00"}] * 13}, "hours"),
        ({"date": "2027-01-01", "hours": [], "reason": "x" * 201}, "reason"),
    ],
)
def test_a_wrong_date_names_the_field(api, person, body, field):
    answer = api.post(f"{BASE}/resources/{person.uid}/overrides/", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


# --- Query counts -------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [*PARTS, "events"])
def test_lists_take_the_same_queries_for_many_rows(api, branch, part):
    provider = branch.provider

    def add_rows():
        more = make_branch(provider, name="More")
        team.add(provider, email=UserFactory().email, by=None, branch=more, now=timezone.now())
        make_service(more, addons=[("A", 1), ("B", 2)])
        api.post(at(provider, "photos"), {"image": photo()}, format="multipart")
        api.post(at(provider, "documents"), {"kind": "other", "file": photo()}, format="multipart")
        api.patch(at(provider), {"name": f"{provider.name} {Branch.objects.count()}"})

    def count():
        with CaptureQueriesContext(connection) as queries:
            assert api.get(at(provider, part)).status_code == 200
        return len(queries)

    add_rows()
    few = count()
    add_rows()
    add_rows()
    assert count() == few


@pytest.mark.parametrize("name", ["time-off", "overrides"])
def test_lists_of_a_resource_take_the_same_queries(api, person, name):
    now = datetime.now(UTC)

    def add_rows(first):
        for day in range(first, first + 3):
            start = now + timedelta(days=day)
            hours.add_time_off(person, start=start, end=start + timedelta(hours=1), now=now)
            hours.set_override(person, on=start.date(), spans=[(0, 60), (90, 120)], now=now)

    def count():
        with CaptureQueriesContext(connection) as queries:
            assert api.get(f"{BASE}/resources/{person.uid}/{name}/").status_code == 200
        return len(queries)

    add_rows(1)
    few = count()
    add_rows(10)
    assert count() == few


def test_own_providers_take_the_same_queries(api, manager):
    def count():
        with CaptureQueriesContext(connection) as queries:
            api.get(f"{BASE}/me/providers/")
        return len(queries)

    documents_of = make_provider(manager)
    api.post(at(documents_of, "documents"), {"kind": "other", "file": photo()}, format="multipart")
    documents.check(documents_of.documents.get(), by=manager, is_accepted=True, now=timezone.now())
    few = count()
    for _ in range(3):
        make_provider(manager)
    assert count() == few
