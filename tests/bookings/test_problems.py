import datetime as dt

import pytest

from bookings.domain import interval, problems
from bookings.domain.problems import Problem
from petplace.errors import DomainError, InvalidInput
from pets import domain as pets_domain
from providers.domain import applications, services
from tests.factories import (
    NOW,
    PetFactory,
    UserFactory,
    VaccinationFactory,
    make_booking,
    make_branch,
    make_provider,
    make_service,
)

pytestmark = pytest.mark.django_db

AFTERNOON = NOW + dt.timedelta(days=1, hours=6)


def found(service, pets=None, start=AFTERNOON, **options):
    pets = [PetFactory()] if pets is None else pets
    if service.is_overnight:
        first = start.astimezone(service.branch.zone).date()
        start, end = interval.for_stay(service, first, first + dt.timedelta(days=2))
    else:
        start, end = interval.for_timed(service, start)
    return problems.check(service, starts_at=start, ends_at=end, pets=pets, now=NOW, **options)


def codes(*args, **kwargs):
    return [problem.code for problem in found(*args, **kwargs)]


def test_nothing_is_wrong_with_a_plain_request():
    assert found(make_service()) == []


@pytest.mark.parametrize("state", ["draft", "submitted", "rejected", "suspended"])
def test_provider_must_be_approved(state):
    service = make_service(make_branch(make_provider(state=state)))
    assert codes(service) == ["provider_unavailable"]


def test_service_must_be_active():
    service = services.update(make_service(), now=NOW, is_active=False)
    assert codes(service) == ["service_unavailable"]


@pytest.mark.parametrize(
    ("start", "code"),
    [
        (NOW, "in_the_past"),
        (NOW - dt.timedelta(days=1), "in_the_past"),
        (NOW + dt.timedelta(minutes=90), "too_soon"),
        (dt.datetime(2027, 2, 1, 10, tzinfo=dt.UTC), "too_far_ahead"),
        (AFTERNOON + dt.timedelta(minutes=10), "off_step"),
        (AFTERNOON + dt.timedelta(seconds=1), "off_step"),
    ],
)
def test_time_that_cannot_be_booked(start, code):
    service = make_service(minimum_notice_minutes=120, maximum_advance_days=60)
    assert [(problem.code, problem.field, problem.is_conflict) for problem in found(service, start=start)] == [
        (code, "start", False)
    ]


def test_notice_and_window_are_said_in_local_time():
    service = make_service(minimum_notice_minutes=120, maximum_advance_days=60)
    assert found(service, start=NOW + dt.timedelta(hours=1))[0].message == (
        "This needs 2 hours notice: Tue 17 Nov 2026, 11:00 (Europe/Berlin) or later."
    )
    late = dt.datetime(2027, 2, 1, 10, tzinfo=dt.UTC)
    assert found(service, start=late)[0].message == "Bookings are taken until Sat 16 Jan 2027."


def test_notice_counts_from_when_the_quote_was_asked():
    start = NOW + dt.timedelta(minutes=120)
    service = make_service(minimum_notice_minutes=120)
    assert codes(service, start=start) == []
    late = NOW + dt.timedelta(minutes=10)
    end = start + dt.timedelta(minutes=30)
    pets = [PetFactory()]
    arguments = {"starts_at": start, "ends_at": end, "pets": pets, "now": late}
    assert [one.code for one in problems.check(service, **arguments)] == ["too_soon"]
    assert problems.check(service, **arguments, asked_at=NOW) == []


def test_provider_is_bound_by_the_past_alone():
    service = make_service(minimum_notice_minutes=120)
    assert codes(service, start=NOW + dt.timedelta(minutes=7), is_by_provider=True) == []
    assert codes(service, start=NOW - dt.timedelta(minutes=7), is_by_provider=True) == ["in_the_past"]


def test_pets_must_be_there_and_not_too_many():
    service = make_service(max_pets=1)
    owner = UserFactory()
    assert found(service, []) == [Problem("pets_missing", "Choose at least one pet.", "pets")]
    assert found(service, [PetFactory(owner=owner), PetFactory(owner=owner)])[0].message == (
        "This service takes 1 pet at most."
    )


def test_species_and_weight_are_explained():
    service = make_service(species=["dog", "cat"], max_weight_kg="30.00")
    pets = [
        PetFactory(name="Polly", species="bird", weight_kg="0.10"),
        PetFactory(name="Bruno", weight_kg="30.01"),
        PetFactory(name="Mia", weight_kg=None),
        PetFactory(name="Rex", weight_kg="30.00"),
    ]
    for pet in pets:
        pet.refresh_from_db()
    service.max_pets = 4
    assert [(one.code, one.message) for one in found(service, pets)] == [
        ("species_refused", "Polly cannot come: this service takes dog and cat."),
        ("too_heavy", "Bruno is too heavy: this service takes pets up to 30 kg."),
        ("weight_unknown", "This service takes pets up to 30 kg. Add the weight of Mia to the profile."),
    ]


def test_archived_pet_is_refused():
    pet = make_booking().pets.get()
    assert codes(make_service(), [pets_domain.remove(pet, now=NOW)])[0] == "pet_archived"


class TestVaccinations:
    def stay(self):
        return make_service(kind="boarding", is_overnight=True, required_vaccines=["rabies", "dhpp"])

    def test_all_must_be_valid_to_the_end_of_the_stay(self):
        pet = PetFactory()
        for vaccine in ("rabies", "dhpp"):
            VaccinationFactory(
                pet=pet, vaccine=vaccine, given_on=dt.date(2026, 1, 1), valid_until=dt.date(2026, 11, 20)
            )
        assert codes(self.stay(), [pet]) == []

    def test_one_that_ends_in_the_stay_is_named_with_its_date(self):
        pet = PetFactory(name="Rex")
        VaccinationFactory(pet=pet, vaccine="rabies", given_on=dt.date(2025, 1, 1), valid_until=dt.date(2026, 1, 1))
        VaccinationFactory(pet=pet, vaccine="rabies", given_on=dt.date(2026, 1, 1), valid_until=dt.date(2026, 11, 19))
        assert found(self.stay(), [pet]) == [
            Problem(
                "vaccination_expires",
                "Rex: the vaccination for Rabies is valid until Thu 19 Nov 2026, and must be valid until"
                " Fri 20 Nov 2026.",
                "pets",
                True,
            ),
            Problem(
                "vaccination_missing",
                "Rex has no vaccination on record for Distemper, hepatitis, parvo (DHPP), which must be valid until"
                " Fri 20 Nov 2026.",
                "pets",
                True,
            ),
        ]

    def test_one_that_is_given_during_the_stay_does_not_count(self):
        pet = PetFactory()
        VaccinationFactory(pet=pet, vaccine="dhpp", given_on=dt.date(2026, 1, 1), valid_until=dt.date(2027, 1, 1))
        VaccinationFactory(pet=pet, vaccine="rabies", given_on=dt.date(2026, 11, 19), valid_until=dt.date(2027, 11, 19))
        assert codes(self.stay(), [pet]) == ["vaccination_missing"]


class TestElsewhere:
    @pytest.mark.parametrize("state", ["held", "pending", "confirmed"])
    def test_pet_is_in_one_place_at_a_time(self, state):
        booking = make_booking(state=state)
        problem = found(make_service(), list(booking.pets.all()))[0]
        assert (problem.code, problem.is_conflict) == ("pet_booked_then", True)
        assert booking.reference in problem.message

    def test_pet_is_free_again_after_a_cancellation_and_next_to_another_booking(self):
        booking = make_booking(state="cancelled")
        assert codes(make_service(), list(booking.pets.all())) == []
        live = make_booking()
        assert codes(make_service(), list(live.pets.all()), start=live.ends_at) == []

    def test_booking_that_is_moved_is_not_in_its_own_way(self):
        booking = make_booking()
        assert codes(make_service(), list(booking.pets.all()), ignoring=booking) == []


def test_refuse_names_the_first_wrong_input_and_all_fields():
    with pytest.raises(InvalidInput) as error:
        problems.refuse(
            [Problem("busy", "Busy.", "pets", True), Problem("a", "A.", "start"), Problem("b", "B.", "pets")]
        )
    assert (error.value.code, error.value.status) == ("a", 400)
    assert error.value.fields == {"start": ["A."], "pets": ["B."]}


def test_refuse_of_conflicts_alone_is_409():
    with pytest.raises(DomainError) as error:
        problems.refuse([Problem("busy", "Busy.", "pets", True)])
    assert (error.value.code, error.value.status, error.value.fields) == ("busy", 409, {"pets": ["Busy."]})


def test_suspension_after_the_quote_refuses_the_booking():
    service = make_service()
    applications.suspend(service.provider, by=None, reason="Look again.", now=NOW)
    service.refresh_from_db()
    assert codes(service) == ["provider_unavailable"]
