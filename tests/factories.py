"""Objects for tests, one section per app. What has rules is made through the domain, not here."""

import datetime as dt
import uuid
from typing import Any
from unittest import mock

import factory
from django.contrib.auth.models import Group
from factory.django import DjangoModelFactory

from accounts.domain import rights
from accounts.models import User
from bookings.domain import lifecycle, quotes, reservation
from bookings.models import Booking, Quote
from messaging.domain import conversations
from messaging.models import Conversation, Device, Message
from payments.domain import promo_codes
from payments.models import PromoCode
from petplace.roles import GROUPS, Role
from pets.models import CareRecord, Pet, Vaccination
from providers.domain import applications, branches, expansion, hours, resources, services
from providers.models import Branch, Provider, Resource, Service

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


def make_support(**fields: Any) -> User:
    """Return somebody of the platform's support."""
    return _staff(Role.SUPPORT, fields)


def make_admin(**fields: Any) -> User:
    """Return an admin of the platform by role: no superuser."""
    return _staff(Role.ADMIN, fields)


def _staff(role: Role, fields: dict[str, Any]) -> User:
    user: User = UserFactory(is_staff=True, **fields)
    rights.sync_groups()
    user.groups.add(Group.objects.get(name=GROUPS[role]))
    return user


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


# --- providers (through the domain: a provider is more than its row) -----------------------------

LONG_AGO = dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC)


def make_provider(
    manager: User | None = None,
    *,
    kind: str = "sitter",
    currency: str = "EUR",
    state: str = "approved",
    now: dt.datetime = LONG_AGO,
    is_told: bool = False,
    **fields: Any,
) -> Provider:
    """Return a provider in ``draft``, ``submitted``, ``approved``, ``rejected`` or ``suspended``; no branch yet.

    ``is_told`` lets people hear of each step: the subject of few tests, and half of the time of making a provider.
    """
    manager = manager or UserFactory()
    name = fields.pop("name", "Happy Paws")
    with mock.patch.object(applications, "listeners", applications.listeners if is_told else []):
        return _bring_to(state, manager, name, kind=kind, currency=currency, now=now, **fields)


def _bring_to(state: str, manager: User, name: str, *, now: dt.datetime, **fields: Any) -> Provider:
    provider = applications.start(manager, name=name, now=now, **fields)
    if state != "draft":
        provider = applications.submit(provider, by=manager, now=now)
    if state == "rejected":
        provider = applications.reject(provider, by=None, reason="Not yet.", now=now)
    if state in ("approved", "suspended"):
        provider = applications.approve(provider, by=None, now=now)
    if state == "suspended":
        provider = applications.suspend(provider, by=None, reason="For now.", now=now)
    return provider


def make_branch(provider: Provider | None = None, *, now: dt.datetime = LONG_AGO, **fields: Any) -> Branch:
    """Return a branch in Berlin. The first one of a provider of one person comes with that person as a resource."""
    values = {"name": "Home", "address": "Example Street 1", "latitude": 52.52, "longitude": 13.405}
    values |= {"time_zone": "Europe/Berlin", "city": "Berlin", "country": "DE"}
    return branches.create(provider or make_provider(), now=now, **(values | fields))


def make_resource(
    branch: Branch, *, kind: str = "person", always: bool = True, now: dt.datetime = LONG_AGO, **fields: Any
) -> Resource:
    """Return a resource that is always open, or (``always=False``) has the default hours of its kind."""
    with expansion.postponed(now=now):
        resource = resources.create(branch, kind=kind, name=fields.pop("name", f"A {kind}"), now=now, **fields)
        if always:
            hours.set_weekly(resource, hours.ALWAYS, now=now)
    return resource


def make_service(
    branch: Branch | None = None, *, kind: str = "walking", now: dt.datetime = LONG_AGO, **fields: Any
) -> Service:
    """Return a service (30 minutes of walking for dogs and cats by default) at ``branch``."""
    branch = branch or make_branch()
    values: dict[str, Any] = {"name": f"A {kind} service", "price": 2500, "species": ["dog", "cat"], "max_pets": 3}
    if not fields.get("is_overnight") and kind != "boarding":
        values["duration_minutes"] = 30
    return services.create(branch.provider, branch=branch, kind=kind, now=now, **(values | fields))


# --- bookings: by the steps that lead there -----------------------------------------------------

# A Tuesday, 09:00 in Berlin. Tests book from here on.
NOW = dt.datetime(2026, 11, 17, 8, 0, tzinfo=dt.UTC)


def make_quote(service: Service, *, owner: User | None = None, now: dt.datetime = NOW, **fields: Any) -> Quote:
    """Return a quote for one dog of ``owner`` at 15:00 in Berlin of the day after ``NOW``."""
    owner = owner or UserFactory()
    if "pets" not in fields:
        fields["pets"] = [PetFactory(owner=owner)]
    fields = {"starts_at": NOW + dt.timedelta(days=1, hours=6)} | fields
    return quotes.create(owner=owner, service=service, now=now, **fields)


def make_booking(
    service: Service | None = None, *, state: str = "confirmed", now: dt.datetime = NOW, **fields: Any
) -> Booking:
    """Return a booking that was brought to ``state`` by the steps that lead there."""
    by_request = state in ("pending", "declined")
    service = service or make_service(is_instant=not by_request)
    rest = {key: fields.pop(key) for key in ("note", "resource") if key in fields}
    quote = make_quote(service, now=now, **fields)
    booking = reservation.hold(quote, by=quote.owner, now=now, **rest)
    if state == "held":
        return booking
    booking = reservation.place(booking, by=quote.owner, now=now)
    if state == "pending" or (state == "confirmed" and booking.is_confirmed):
        return booking
    manager = manager_of(booking)
    if state == "declined":
        return lifecycle.decline(booking, by=manager, now=now, reason="No room.")
    if booking.is_pending:
        booking = lifecycle.accept(booking, by=manager, now=now)
    if state == "cancelled":
        return lifecycle.cancel(booking, by=booking.owner, now=now)
    if state == "no_show":
        return lifecycle.report_no_show(booking, by=manager, now=booking.starts_at)
    if state in ("in_progress", "completed"):
        booking = lifecycle.start(booking, by=manager, now=booking.starts_at)
    if state == "completed":
        booking = lifecycle.complete(booking, by=manager, now=booking.ends_at)
    return booking


def manager_of(booking: Booking) -> User:
    return User.objects.filter(memberships__provider=booking.provider_id, memberships__role="manager").earliest("pk")


# --- payments -----------------------------------------------------------------------------------


def make_promo(code: str = "SPRING", *, provider: Provider | None = None, **fields: Any) -> PromoCode:
    """Return a code of 10 % without limits; the platform's own unless a provider is named."""
    return promo_codes.create(code=code, provider=provider, **({"percent_bp": 1_000} | fields))


# --- messaging ----------------------------------------------------------------------------------

# A public key (a point of P-256, here its generator) and a secret as browsers give them.
DEVICE_KEYS = (
    "BGsX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
    "AAECAwQFBgcICQoLDA0ODw",
)


class DeviceFactory(DjangoModelFactory[Device]):
    class Meta:
        model = Device

    user = factory.SubFactory(UserFactory)
    kind = "webpush"
    address = factory.Sequence(lambda n: f"https://push.example.test/send/{n}")
    p256dh, auth = DEVICE_KEYS
    label = "Firefox on Linux"
    last_seen_at = LONG_AGO


def make_talk(provider: Provider | None = None, *, owner: User | None = None, **fields: Any) -> Conversation:
    """Return the open talk of a booking (without the booking), with the first step in it."""
    values: dict[str, Any] = {"subject": "Dog walking, BK-234567", "event": "Request sent.", "now": NOW}
    return conversations.open_for(provider or make_provider(), owner or UserFactory(), **(values | fields))


def write(
    talk: Conversation, by: User, text: str = "Hello!", *, now: dt.datetime = NOW, client_id: Any = None, **fields: Any
) -> Message:
    """Return a message of ``by`` that was posted."""
    return conversations.post(talk, by=by, text=text, client_id=client_id or uuid.uuid4(), now=now, **fields)


def a_manager(provider: Provider) -> User:
    return User.objects.filter(memberships__provider=provider, memberships__role="manager").earliest("pk")
