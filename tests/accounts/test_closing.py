"""Closing an account over all apps: nothing of the person stays but what history needs, without a name."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from accounts.domain import closing, credentials, events
from accounts.domain.events import AccountEvent
from accounts.models import User
from bookings.models import CalendarFeed
from messaging.models import Notification
from petplace.errors import DomainError, NotAllowed
from pets.models import Pet, Vaccination
from providers.choices import MembershipRole
from providers.domain import documents, team
from providers.models import Membership
from providers.states import ProviderState
from tests.factories import (
    NOW,
    CareRecordFactory,
    PetFactory,
    UserFactory,
    VaccinationFactory,
    make_booking,
    make_branch,
    make_provider,
    make_quote,
    make_service,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def files(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def _stored(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_pets_feeds_and_messages_go_with_their_owner(files: Path, django_capture_on_commit_callbacks: Any) -> None:
    user = UserFactory()
    VaccinationFactory(pet=PetFactory(owner=user, photo=ContentFile(b"x", "rex.png")))
    CalendarFeed.objects.create(user=user, audience="owner")
    Notification.objects.create(user=user, kind="x", key="x", title="x", due_at=NOW)
    other = PetFactory()

    with django_capture_on_commit_callbacks(execute=True):
        closing.close(user, now=NOW)

    assert list(Pet.objects.all()) == [other]
    assert not CalendarFeed.objects.exists()
    assert not Notification.objects.filter(user=user).exists()
    assert _stored(files) == []


def test_pet_that_a_booking_names_stays_without_its_story(files: Path, django_capture_on_commit_callbacks: Any) -> None:
    user = UserFactory()
    pet = PetFactory(owner=user, name="Marker", notes="Marker", vet_name="Marker", photo=ContentFile(b"x", "rex.png"))
    VaccinationFactory(pet=pet, document=ContentFile(b"x", "paper.pdf"))
    CareRecordFactory(pet=pet, note="Marker")
    booking = make_booking(state="completed", owner=user, pets=[pet], note="Marker")

    with django_capture_on_commit_callbacks(execute=True):
        closing.close(user, now=NOW)

    kept = Pet.objects.get(pk=pet.pk)
    assert (kept.name, kept.notes, kept.vet_name, kept.is_archived) == ("Former pet", "", "", True)
    assert not Vaccination.objects.exists()
    assert not kept.care_records.exists()
    assert _stored(files) == []
    booking.refresh_from_db()
    assert (booking.note, booking.owner.get_full_name()) == ("", "Former user")


@pytest.mark.parametrize("state", ["held", "pending", "confirmed", "in_progress"])
@pytest.mark.parametrize("side", ["owner", "provider"])
def test_open_booking_keeps_both_sides_here(state: str, side: str) -> None:
    booking = make_booking(state=state)
    user = booking.owner if side == "owner" else User.objects.get(memberships__provider=booking.provider)

    with pytest.raises(DomainError) as refused:
        closing.close(user, now=NOW)

    assert (refused.value.code, refused.value.extra) == ("open_bookings", {"bookings": [booking.reference]})
    user.refresh_from_db()
    assert user.is_active


def test_business_of_one_leaves_the_search_and_loses_its_name(
    files: Path, django_capture_on_commit_callbacks: Any
) -> None:
    user = UserFactory(full_name="Marker")
    provider = make_provider(user, name="Marker", bio="Marker")
    branch = make_branch(provider, address="Marker")
    make_service(branch)
    documents.set_avatar(provider, ContentFile(b"x", "face.png"))

    with django_capture_on_commit_callbacks(execute=True):
        closing.close(user, now=NOW)

    provider.refresh_from_db()
    branch.refresh_from_db()
    assert (provider.name, provider.bio, provider.state) == ("Former provider", "", ProviderState.SUSPENDED)
    assert "marker" not in provider.slug
    assert (branch.address, branch.is_listed) == ("", False)
    assert {resource.name for resource in branch.resources.all()} == {"Former member"}
    assert not Membership.objects.exists()
    assert _stored(files) == []


def test_only_manager_hands_over_first_and_staff_may_go() -> None:
    manager, staff = UserFactory(), UserFactory()
    provider = make_provider(manager)
    membership = team.add(provider, email=staff.email, by=manager)

    with pytest.raises(DomainError) as refused:
        closing.close(manager, now=NOW)
    assert refused.value.code == "last_manager"

    team.change_role(membership, role=MembershipRole.MANAGER, by=manager)
    closing.close(manager, now=NOW)

    assert list(provider.memberships.values_list("user", flat=True)) == [staff.pk]
    provider.refresh_from_db()
    assert provider.is_public


def test_closed_account_books_nothing_more() -> None:
    quote = make_quote(make_service())
    owner = quote.owner
    closing.close(owner, now=NOW)

    from bookings.domain import reservation

    with pytest.raises(NotAllowed):
        reservation.lock_owner(owner)


def test_security_events_are_told_once_each() -> None:
    user = UserFactory()

    credentials.set_password(user, "quite-another-word-3", now=NOW)
    events.tell(user, AccountEvent.TOKEN_REUSED, now=NOW)
    events.tell(user, AccountEvent.TOKEN_REUSED, now=NOW + timedelta(minutes=1))

    kinds = Notification.objects.filter(user=user).order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["account_password_changed", "account_token_reused", "account_token_reused"]
