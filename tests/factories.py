"""Objects for tests, one section per app. What has rules is made through the domain, not here."""

import datetime as dt
from typing import Any

import factory
from factory.django import DjangoModelFactory

from accounts.models import User
from pets.models import CareRecord, Pet, Vaccination

# --- accounts -----------------------------------------------------------------------------------


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"user{n}@example.test")
    full_name = factory.Sequence(lambda n: f"Person {n}")
    time_zone = "Europe/Berlin"

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        return User.objects.create_user(kwargs.pop("email"), kwargs.pop("password", "a-good-password-1"), **kwargs)


class StaffFactory(UserFactory):
    is_staff = True
    is_superuser = True


# --- pets ---------------------------------------------------------------------------------------


class PetFactory(DjangoModelFactory[Pet]):
    class Meta:
        model = Pet

    owner = factory.SubFactory(UserFactory)
    name = factory.Sequence(lambda n: f"Rex {n}")
    species = "dog"
    weight_kg = "12.50"


class VaccinationFactory(DjangoModelFactory[Vaccination]):
    class Meta:
        model = Vaccination

    pet = factory.SubFactory(PetFactory)
    vaccine = "rabies"
    given_on = dt.date(2026, 6, 1)
    valid_until = dt.date(2027, 6, 1)


class CareRecordFactory(DjangoModelFactory[CareRecord]):
    class Meta:
        model = CareRecord

    pet = factory.SubFactory(PetFactory)
    kind = "checkup"
    on = dt.date(2026, 6, 1)
    note = "All fine."
