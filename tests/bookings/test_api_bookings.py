"""Quotes and bookings over the API."""

import uuid
from datetime import timedelta

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from bookings.models import Booking, Quote
from bookings.states import TRANSITIONS, Action, BookingState, Side
from providers.domain import applications, team
from tests.bookings.doors import api_of
from tests.factories import (
    NOW,
    PetFactory,
    StaffFactory,
    UserFactory,
    make_booking,
    make_branch,
    make_provider,
    make_quote,
    make_resource,
    make_service,
    manager_of,
)

pytestmark = pytest.mark.django_db
START = "2026-11-18T14:00:00Z"
URL = "/api/v1/bookings/"


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def service():
    return make_service(is_instant=True)


@pytest.fixture
def pet():
    return PetFactory()


@pytest.fixture
def body(service, pet):
    return {"service": str(service.uid), "start": START, "pets": [str(pet.uid)]}


def url_of(booking, *rest):
    return f"{URL}{booking.uid}/" + "".join(f"{part}/" for part in rest)


# --- quotes -------------------------------------------------------------------------------------


def test_a_quote_explains_its_price_and_refunds(pet):
    service = make_service(extra_pet_price=500, addons=[("Photos", 300)])
    second = PetFactory(owner=pet.owner)

    answer = api_of(pet.owner).post(
        "/api/v1/quotes/",
        {
            "service": str(service.uid),
            "start": "2026-11-20T15:00:00+01:00",
            "pets": [str(pet.uid), str(second.uid)],
            "addons": [str(service.addons.get().uid)],
            "promo_code": "",
        },
    )

    data = answer.json()
    eur = "EUR"
    assert answer.status_code == 201
    assert data["lines"] == [
        {"kind": "base", "description": "A walking service, 30 minutes", "quantity": 1,
         "unit": {"amount": 2500, "currency": eur}, "amount": {"amount": 2500, "currency": eur}},
        {"kind": "extra_pet", "description": "1 more pet", "quantity": 1,
         "unit": {"amount": 500, "currency": eur}, "amount": {"amount": 500, "currency": eur}},
        {"kind": "addon", "description": "Photos", "quantity": 1,
         "unit": {"amount": 300, "currency": eur}, "amount": {"amount": 300, "currency": eur}},
    ]  # fmt: skip
    assert data["total"] == {"amount": 3300, "currency": eur}
    assert (data["start"], data["end"], data["time_zone"]) == (
        "2026-11-20T14:00:00Z", "2026-11-20T14:30:00Z", "Europe/Berlin",
    )  # fmt: skip
    assert data["expires_at"] == "2026-11-17T08:30:00Z"
    assert [(row["until"], row["refund"]["amount"]) for row in data["cancellation"]] == [
        ("2026-11-19T11:00:00Z", 3300),
        (None, 1800),
    ]


def test_a_quote_can_be_read_again_by_its_owner_alone(pet, service):
    quote = make_quote(service, owner=pet.owner, pets=[pet])

    assert api_of(pet.owner).get(f"/api/v1/quotes/{quote.uid}/").json()["id"] == str(quote.uid)
    assert api_of(UserFactory()).get(f"/api/v1/quotes/{quote.uid}/").status_code == 404
    assert APIClient().get(f"/api/v1/quotes/{quote.uid}/").status_code == 401


def test_a_promo_code_that_does_not_exist_is_named(body, pet):
    answer = api_of(pet.owner).post("/api/v1/quotes/", body | {"promo_code": "FREE"})

    assert answer.status_code == 400
    assert answer.json()["errors"] == {"promo_code": ["There is no such code."]}


# --- booking ------------------------------------------------------------------------------------


def test_booking_an_instant_service_confirms_it(body, pet, service):
    answer = api_of(pet.owner).post(URL, body | {"note": "Ring twice."})

    data, booking = answer.json(), Booking.objects.get()
    resource = booking.allocations.get().resource
    assert answer.status_code == 201
    assert set(data) >= {
        "id", "reference", "state", "cancel_reason", "service", "provider", "resources", "start", "end", "time_zone",
        "pets", "note", "price", "cancellation", "timeline", "deliveries", "allowed_actions",
    }  # fmt: skip
    assert data["id"] == str(booking.uid)
    assert data["reference"] == booking.reference
    assert (data["state"], data["cancel_reason"], data["note"]) == ("confirmed", None, "Ring twice.")
    assert data["resources"] == [{"id": str(resource.uid), "kind": "person", "name": resource.name}]
    assert data["pets"] == [{"id": str(pet.uid), "name": pet.name, "species": "dog"}]
    assert data["price"]["total"] == {"amount": 2500, "currency": "EUR"}
    assert [(step["action"], step["from_state"], step["to_state"], step["by"]) for step in data["timeline"]] == [
        ("hold", None, "held", "owner"),
        ("place", "held", "confirmed", "owner"),
    ]
    assert data["allowed_actions"] == ["cancel", "reschedule", "coming"]
    assert data["address"] == "Example Street 1"


def test_booking_on_request_waits_for_the_provider(pet):
    service = make_service(is_instant=False)

    data = api_of(pet.owner).post(URL, {"service": str(service.uid), "start": START, "pets": [str(pet.uid)]}).json()

    assert (data["state"], data["due_at"], data["address"]) == ("pending", "2026-11-18T08:00:00Z", None)


def test_booking_by_a_quote_costs_what_was_quoted(pet, service):
    client = api_of(pet.owner)
    quote = client.post("/api/v1/quotes/", {"service": str(service.uid), "start": START, "pets": [str(pet.uid)]}).json()
    service.price = 9900
    service.save()

    data = client.post(URL, {"quote": quote["id"]}).json()

    assert data["price"]["total"]["amount"] == 2500


def test_a_time_can_be_held_first_and_placed_later(body, pet):
    client = api_of(pet.owner)

    held = client.post(URL, body | {"hold": True}).json()
    placed = client.post(f"{URL}{held['id']}/place/").json()

    assert (held["state"], held["allowed_actions"]) == ("held", ["place", "cancel"])
    assert placed["state"] == "confirmed"


def test_a_person_can_be_asked_for_by_name(body, pet, service):
    anna = make_resource(service.branch, name="Anna")

    data = api_of(pet.owner).post(URL, body | {"resource": str(anna.uid)}).json()

    assert [one["id"] for one in data["resources"]] == [str(anna.uid)]


def test_a_taken_time_is_409_with_alternatives(body, pet, service):
    make_booking(service)

    answer = api_of(pet.owner).post(URL, body)

    data = answer.json()
    assert answer.status_code == 409
    assert answer["Content-Type"] == "application/problem+json"
    assert data["code"] == "slot_taken"
    assert {"start", "end"} <= set(data["alternatives"][0])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"start": "2026-11-18T14:00:00"}, "start"),
        ({"start": "2026-11-10T14:00:00Z"}, "start"),
        ({"start": "2026-11-18T14:07:00Z"}, "start"),
        ({"start": 5}, "start"),
        ({"pets": []}, "pets"),
        ({"pets": "x"}, "pets"),
        ({"pets": [str(uuid.UUID(int=0))]}, "pets"),
        ({"pets": [str(uuid.UUID(int=0))] * 10_000}, "pets"),
        ({"service": "x"}, "service"),
        ({"service": None}, "service"),
        ({"note": "x" * 2001}, "note"),
        ({"note": "\0"}, "note"),
        ({"end": "2026-11-18T13:00:00Z"}, "end"),
        ({"addons": [str(uuid.UUID(int=0))]}, "addons"),
        ({"resource": str(uuid.UUID(int=0))}, "resource"),
        ({"quote": str(uuid.UUID(int=0))}, "quote"),
        ({"state": "confirmed"}, "state"),
        ({"total": 1}, "total"),
        ({"price": {"amount": 1, "currency": "EUR"}}, "price"),
        ({"owner": str(uuid.UUID(int=0))}, "owner"),
    ],
)
def test_wrong_input_is_named_by_its_field(body, pet, change, field):
    answer = api_of(pet.owner).post(URL, body | change)

    # A NUL is refused by the parser before there are fields.
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert change.get("note") == "\0" or field in answer.json()["errors"]
    assert not Booking.objects.exists()


@pytest.mark.parametrize("missing", ["service", "start", "pets"])
def test_what_is_missing_is_named(body, pet, missing):
    del body[missing]

    answer = api_of(pet.owner).post(URL, body)

    assert answer.json()["errors"] == {missing: ["Send this, or a quote."]}


def test_a_quote_says_everything(body, pet, service):
    quote = make_quote(service, owner=pet.owner, pets=[pet])

    answer = api_of(pet.owner).post(URL, body | {"quote": str(quote.uid)})

    assert set(answer.json()["errors"]) == {"service", "start", "pets"}


def test_other_peoples_pets_quotes_and_resources_cannot_be_named(body, service):
    stranger, victim = UserFactory(), PetFactory()
    quote = make_quote(service, owner=victim.owner, pets=[victim])
    own = PetFactory(owner=stranger)
    elsewhere = make_resource(make_branch(), name="Elsewhere")
    client = api_of(stranger)

    assert client.post(URL, body | {"pets": [str(victim.uid)]}).json()["errors"].keys() == {"pets"}
    assert client.post(URL, {"quote": str(quote.uid)}).json()["errors"].keys() == {"quote"}
    answer = client.post(URL, body | {"pets": [str(own.uid)], "resource": str(elsewhere.uid)})
    assert (answer.status_code, answer.json()["code"]) == (400, "resource_unknown")
    assert not Booking.objects.exists()


def test_a_suspended_provider_is_409_and_one_never_approved_is_unknown(body, pet, service):
    applications.suspend(service.provider, by=None, reason="For now.", now=NOW)
    draft = make_service(make_branch(make_provider(state="draft")))
    client = api_of(pet.owner)

    suspended, unknown = client.post(URL, body), client.post(URL, body | {"service": str(draft.uid)})

    assert (suspended.status_code, suspended.json()["code"]) == (409, "provider_unavailable")
    assert unknown.status_code == 400


def test_booking_needs_a_token(body):
    answer = APIClient().post(URL, body)

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")


# --- the same key, sent again -------------------------------------------------------------------


def test_the_same_key_gives_the_same_answer_and_books_once(body, pet):
    client = api_of(pet.owner)

    first = client.post(URL, body, headers={"Idempotency-Key": "abc"})
    again = client.post(URL, body, headers={"Idempotency-Key": "abc"})

    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert Booking.objects.count() == 1


def test_the_same_key_with_another_body_is_422(body, pet):
    client = api_of(pet.owner)
    client.post(URL, body, headers={"Idempotency-Key": "abc"})

    answer = client.post(URL, body | {"note": "Other"}, headers={"Idempotency-Key": "abc"})

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")


def test_the_key_of_one_person_is_not_that_of_another(body, pet, service):
    make_resource(service.branch)
    other = PetFactory()
    first = api_of(pet.owner).post(URL, body, headers={"Idempotency-Key": "abc"}).json()

    second = api_of(other.owner).post(URL, body | {"pets": [str(other.uid)]}, headers={"Idempotency-Key": "abc"})

    assert second.status_code == 201
    assert second.json()["id"] != first["id"]


def test_a_refusal_is_kept_with_its_key(body, pet, service):
    taken = make_booking(service)
    client = api_of(pet.owner)

    first = client.post(URL, body, headers={"Idempotency-Key": "abc"})
    api_of(taken.owner).post(url_of(taken, "cancel"))
    again = client.post(URL, body, headers={"Idempotency-Key": "abc"})

    assert first.status_code == again.status_code == 409
    assert first.content == again.content
    assert Quote.objects.filter(owner=pet.owner).count() == 0


def test_a_step_with_a_key_is_taken_once():
    booking = make_booking(state="pending")
    client = api_of(manager_of(booking))

    first = client.post(url_of(booking, "confirm"), headers={"Idempotency-Key": "abc"})
    again = client.post(url_of(booking, "confirm"), headers={"Idempotency-Key": "abc"})

    assert first.content == again.content
    assert booking.events.filter(action="accept").count() == 1


# --- steps --------------------------------------------------------------------------------------

STEPS = {
    Action.PLACE: ("place", {}),
    Action.ACCEPT: ("confirm", {}),
    Action.DECLINE: ("decline", {"reason": "No room."}),
    Action.CANCEL: ("cancel", {"reason": "Ill."}),
    Action.RESCHEDULE: ("reschedule", {"start": "2026-11-24T14:00:00Z"}),
    Action.COMING: ("coming", {}),
    Action.START: ("start", {}),
    Action.COMPLETE: ("complete", {}),
    Action.NO_SHOW: ("no-show", {}),
}


@pytest.mark.parametrize("state", [state.value for state in BookingState])
@pytest.mark.parametrize("side", [Side.OWNER, Side.PROVIDER, Side.STAFF])
def test_every_step_from_every_state_by_every_side_is_what_the_table_says(state, side):
    booking = make_booking(state=state)
    user = {Side.OWNER: booking.owner, Side.PROVIDER: manager_of(booking), Side.STAFF: StaffFactory()}[side]
    client = api_of(user)

    for action, (path, data) in STEPS.items():
        targets = {t.target for t in TRANSITIONS if t.action == action and t.source == state and side in t.sides}
        is_ever_theirs = any(t.action == action and side in t.sides for t in TRANSITIONS)
        # Visits are started and missed at their time; everything else happens long before.
        moment = booking.starts_at if action in (Action.START, Action.NO_SHOW) and state == "confirmed" else NOW
        with transaction.atomic():
            with time_machine.travel(moment, tick=False):
                answer = client.post(url_of(booking, path), data)
            after = Booking.objects.get(pk=booking.pk).state
            transaction.set_rollback(True)

        if side == Side.PROVIDER and state == "held":
            assert answer.status_code == 404  # what is only held is nobody's business yet
        elif targets:
            assert (answer.status_code, answer.json()["state"]) == (200, after), action
            assert after in targets
        else:
            assert (answer.status_code, after) == (409 if is_ever_theirs else 403, state), action


@pytest.mark.parametrize("path", [path for path, _ in STEPS.values()])
def test_a_step_on_another_persons_booking_is_404(path):
    booking = make_booking()
    other = make_provider(name="Other").memberships.get().user

    for user in (UserFactory(), other):
        answer = api_of(user).post(url_of(booking, path), {"reason": "x", "start": "2026-11-19T14:00:00Z"})
        assert answer.status_code == 404
    assert APIClient().post(url_of(booking, path)).status_code == 401


def test_declining_without_a_reason_is_400():
    booking = make_booking(state="pending")

    answer = api_of(manager_of(booking)).post(url_of(booking, "decline"), {})

    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["reason"])


def test_starting_too_early_is_409():
    booking = make_booking()

    answer = api_of(manager_of(booking)).post(url_of(booking, "start"))

    assert (answer.status_code, answer.json()["code"]) == (409, "too_early")


def test_a_late_cancellation_keeps_the_fee():
    booking = make_booking()

    with time_machine.travel(NOW + timedelta(hours=4), tick=False):
        data = api_of(booking.owner).post(url_of(booking, "cancel")).json()

    assert (data["state"], data["cancel_reason"]) == ("cancelled", "by_owner")
    assert data["price"]["total"]["amount"] == 1250
    assert [line["kind"] for line in data["price"]["lines"]] == ["base", "refund"]


def test_rescheduling_keeps_id_and_reference_and_moves(service):
    booking = make_booking(service)

    data = api_of(booking.owner).post(url_of(booking, "reschedule"), {"start": "2026-11-24T14:00:00Z"}).json()

    assert (data["id"], data["reference"]) == (str(booking.uid), booking.reference)
    assert (data["start"], data["end"]) == ("2026-11-24T14:00:00Z", "2026-11-24T14:30:00Z")
    assert data["timeline"][-1]["action"] == "reschedule"


def test_rescheduling_onto_a_taken_time_is_409_and_changes_nothing(service):
    taken = make_booking(service, starts_at=NOW + timedelta(days=2, hours=6))
    booking = make_booking(service)

    answer = api_of(booking.owner).post(url_of(booking, "reschedule"), {"start": taken.starts_at.isoformat()})

    assert (answer.status_code, answer.json()["code"]) == (409, "slot_taken")
    assert Booking.objects.get(pk=booking.pk).starts_at == booking.starts_at


# --- reading ------------------------------------------------------------------------------------


def test_a_booking_is_read_by_id_and_by_reference_by_both_sides_and_staff():
    booking = make_booking()

    for user in (booking.owner, manager_of(booking), StaffFactory()):
        for name in (booking.uid, booking.reference, booking.reference.lower()):
            assert api_of(user).get(f"{URL}{name}/").json()["id"] == str(booking.uid)


@pytest.mark.parametrize("name", ["x", "BK-000000", str(uuid.UUID(int=0)), "1"])
def test_what_is_not_there_is_404(name):
    answer = api_of(UserFactory()).get(f"{URL}{name}/")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_another_persons_booking_is_404_and_says_nothing():
    booking = make_booking(note="secret marker")

    answer = api_of(UserFactory()).get(url_of(booking))

    assert answer.status_code == 404
    assert b"secret marker" not in answer.content


def test_a_booking_has_an_etag_and_answers_304():
    booking = make_booking()
    client = api_of(booking.owner)
    tag = client.get(url_of(booking))["ETag"]

    assert client.get(url_of(booking), headers={"If-None-Match": tag}).status_code == 304
    client.post(url_of(booking, "cancel"))
    assert client.get(url_of(booking), headers={"If-None-Match": tag}).status_code == 200


def test_a_booking_is_not_written_but_by_its_steps():
    booking = make_booking()

    for method in ("put", "patch", "delete"):
        assert getattr(api_of(booking.owner), method)(url_of(booking), {"state": "completed"}).status_code == 405
    booking.refresh_from_db()
    assert booking.state == "confirmed"


def test_the_list_is_that_of_the_caller_by_role():
    own = make_booking()
    person = manager_of(own)
    pet = PetFactory(owner=person)
    made = make_booking(make_service(is_instant=True), owner=person, pets=[pet])
    make_booking(make_service(is_instant=True))
    client = api_of(person)

    def found(**query):
        return {one["id"] for one in client.get(URL, query).json()["results"]}

    assert found() == {str(own.uid), str(made.uid)}
    assert found(role="owner") == {str(made.uid)}
    assert found(role="provider") == {str(own.uid)}
    assert found(owner=str(own.owner.uid), ordering="start") == {str(own.uid), str(made.uid)}


def test_the_list_filters_by_state_provider_and_time(service):
    first = make_booking(service)
    second = make_booking(service, starts_at=NOW + timedelta(days=8, hours=6))
    third = make_booking(service, starts_at=NOW + timedelta(days=15, hours=6), state="cancelled")
    client = api_of(manager_of(first))

    def found(**query):
        return [one["id"] for one in client.get(URL, query).json()["results"]]

    ids = [str(one.uid) for one in (first, second, third)]
    assert found() == ids[::-1]
    assert found(ordering="start") == ids
    assert found(state="cancelled") == ids[2:]
    assert found(state="cancelled,confirmed") == ids[::-1]
    assert found(**{"from": "2026-11-20", "to": "2026-11-26"}) == ids[1:2]
    assert found(**{"from": "2026-11-18T14:30:00Z"}) == [ids[2], ids[1]]
    assert found(**{"from": "2026-11-18T14:29:59Z", "to": "2026-11-18T14:30:00Z"}) == ids[:1]
    assert found(provider=str(first.provider.uid)) == ids[::-1]
    assert found(provider=str(uuid.UUID(int=0))) == []


def test_a_date_in_the_filter_begins_at_midnight_of_the_callers_zone(service):
    booking = make_booking(service)  # 14:00 to 14:30 UTC on the 18th: already the 19th in Auckland
    booking.owner.time_zone = "Pacific/Auckland"
    booking.owner.save()
    client = api_of(booking.owner)

    assert client.get(URL, {"from": "2026-11-19"}).json()["count"] == 1
    assert client.get(URL, {"to": "2026-11-19"}).json()["count"] == 0


@pytest.mark.parametrize(
    ("query", "field"),
    [({"state": "nonsense"}, "state"), ({"role": "staff"}, "role"), ({"from": "soon"}, "from"),
     ({"to": "2026-13-01"}, "to"), ({"from": "2026-11-20", "to": "2026-11-01"}, "to"), ({"provider": "1"}, "provider"),
     ({"ordering": "owner__password"}, "ordering"), ({"from": "0000-01-01"}, "from")],
)  # fmt: skip
def test_a_wrong_filter_is_400_with_its_name(query, field):
    answer = api_of(UserFactory()).get(URL, query)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_the_list_asks_the_same_number_of_queries_for_many(service):
    for _ in range(2):
        make_resource(service.branch)
    booking = make_booking(service)
    client = api_of(manager_of(booking))
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(URL).status_code == 200
        counts.append(len(queries))
        if len(counts) == 1:
            for hours in (1, 2, 3):
                make_booking(service, starts_at=NOW + timedelta(days=1, hours=6 + hours))

    assert counts[0] == counts[1]
    assert counts[0] <= 13


def test_a_helper_of_the_team_sees_its_bookings():
    booking = make_booking()
    helper = UserFactory()
    team.add(booking.provider, email=helper.email, role="staff", by=manager_of(booking))

    assert api_of(helper).get(url_of(booking)).status_code == 200


def test_the_provider_does_not_see_what_is_only_held():
    booking = make_booking(state="held")
    client = api_of(manager_of(booking))

    assert client.get(url_of(booking)).status_code == 404
    assert client.get(URL).json()["count"] == 0
