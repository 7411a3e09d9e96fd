"""The conversation of a booking: opened with it, told of its steps, closed two weeks after it."""

import datetime as dt

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bookings.domain import allocations, lifecycle, reschedule, reservation
from bookings.models import Booking
from messaging.domain import conversations, moderation
from messaging.models import Conversation, Message
from petplace import invariants
from petplace.errors import DomainError
from tests.bookings.doors import api_of, client_of
from tests.factories import NOW, UserFactory, make_booking, make_quote, make_service, manager_of, write

pytestmark = pytest.mark.django_db
TWO_WEEKS = dt.timedelta(days=14)


def lines(booking: Booking) -> list[str]:
    return list(
        Message.objects.filter(conversation=booking.conversation_id).order_by("seq").values_list("text", flat=True)
    )


def talk_of(booking: Booking) -> Conversation:
    return Conversation.objects.get(booking=booking)


def test_a_hold_has_none_a_request_and_a_booking_have_one():
    assert make_booking(state="held").conversation is None
    request, booked = make_booking(state="pending"), make_booking(state="confirmed")
    assert lines(request)[0].startswith("Request sent: A walking service, Wed 18 Nov 2026, 15:00 (Europe/Berlin)")
    assert (talk_of(request).is_open_contact, talk_of(request).closes_at) == (False, None)
    assert lines(booked)[0].startswith("Booked: ")
    assert (talk_of(booked).is_open_contact, talk_of(booked).closes_at) == (True, booked.ends_at + TWO_WEEKS)
    assert (talk_of(booked).owner, talk_of(booked).provider) == (booked.owner, booked.provider)
    assert booked.reference in talk_of(booked).subject


def test_steps_are_told_and_contact_is_shown_when_it_is_agreed():
    booking = make_booking(state="pending")
    lifecycle.accept(booking, by=manager_of(booking), now=NOW)
    assert (talk_of(booking).is_open_contact, talk_of(booking).closes_at) == (True, booking.ends_at + TWO_WEEKS)
    lifecycle.start(booking, by=manager_of(booking), now=booking.starts_at)
    lifecycle.complete(booking, by=manager_of(booking), now=booking.ends_at)
    assert [line.split(":")[0].split(".")[0] for line in lines(booking)] == [
        "Request sent", "Confirmed by the provider", "The visit has started", "The visit is done",
    ]  # fmt: skip
    assert talk_of(booking).last_seq == 4
    after = booking.ends_at + TWO_WEEKS
    write(booking.conversation, booking.owner, now=after - dt.timedelta(seconds=1))
    with pytest.raises(conversations.ConversationClosedError):
        write(booking.conversation, booking.owner, now=after)


@pytest.mark.parametrize(
    ("state", "line", "is_open"),
    [
        ("declined", "Declined by the provider.", False),
        ("cancelled", "Cancelled by the owner.", True),
        ("no_show", "The provider reported that nobody came.", True),
    ],
)
def test_what_does_not_take_place_closes_two_weeks_later(state: str, line: str, is_open: bool):
    booking = make_booking(state=state)
    expected = booking.ends_at + TWO_WEEKS if state == "no_show" else NOW + TWO_WEEKS
    assert (lines(booking)[-1], talk_of(booking).is_open_contact) == (line, is_open)
    assert talk_of(booking).closes_at == expected


def test_moving_moves_the_end_and_asking_again_leaves_contact_open():
    booking = make_booking(make_service(is_instant=True))
    later = booking.starts_at + dt.timedelta(days=3)
    booking = reschedule.move(booking, by=booking.owner, starts_at=later, now=NOW)
    assert talk_of(booking).closes_at == booking.ends_at + TWO_WEEKS
    assert lines(booking)[-1] == "Moved to Sat 21 Nov 2026, 15:00 (Europe/Berlin)."
    asked = make_booking(make_service(is_instant=False))
    asked = reschedule.move(asked, by=asked.owner, starts_at=later, now=NOW)
    assert (talk_of(asked).closes_at, talk_of(asked).is_open_contact) == (None, True)
    assert lines(asked)[-1].startswith("A move to Sat 21 Nov 2026")


def test_an_unanswered_request_says_so():
    booking = make_booking(state="pending")
    due_at = booking.due_at
    lifecycle.expire(booking, now=due_at)
    assert lines(booking)[-1] == "The request was not answered in time."
    assert talk_of(booking).closes_at == due_at + TWO_WEEKS


def test_opening_costs_two_statements_and_a_refused_booking_none():
    service = make_service(is_instant=True)
    held, other = make_quote(service), make_quote(service)
    with CaptureQueriesContext(connection) as caught:
        reservation.book(held, by=held.owner, now=NOW)
    about = [
        one["sql"] for one in caught if "messaging_conversation" in one["sql"] or "messaging_message" in one["sql"]
    ]
    assert [sql.split(" (")[0] for sql in about] == [
        'INSERT INTO "messaging_conversation"', 'INSERT INTO "messaging_message"',
    ]  # fmt: skip
    with CaptureQueriesContext(connection) as caught, pytest.raises(allocations.SlotTakenError), transaction.atomic():
        reservation.book(other, by=other.owner, now=NOW)
    assert not [one for one in caught if "messaging_" in one["sql"]]
    assert Conversation.objects.count() == 1


def test_pages_and_api_lead_to_it():
    booking = make_booking()
    talk = talk_of(booking)
    owner_page = client_of(booking.owner).get(booking.get_absolute_url()).content.decode()
    assert reverse("conversations:conversation", args=[talk.uid]) in owner_page
    manager, slug = manager_of(booking), booking.provider.slug
    team_page = client_of(manager).get(reverse("provider:booking", args=[slug, booking.reference])).content.decode()
    assert reverse("provider:conversation", args=[slug, talk.uid]) in team_page
    shown = client_of(booking.owner).get(reverse("conversations:conversation", args=[talk.uid])).content.decode()
    assert booking.get_absolute_url() in shown
    shown = client_of(manager).get(reverse("provider:conversation", args=[slug, talk.uid])).content.decode()
    assert reverse("provider:booking", args=[slug, booking.reference]) in shown
    answer = api_of(booking.owner).get(f"/api/v1/bookings/{booking.uid}/").json()
    assert answer["conversation"] == str(talk.uid)


def test_invariants_find_what_is_broken():
    booking = make_booking()
    stranger = UserFactory()
    names = {
        "the messages of a conversation are numbered from 1 without a gap": lambda: Message.objects.all().update(seq=2),
        "a conversation knows what each side wrote last": lambda: Conversation.objects.update(owner_last_seq=1),
        "a seat belongs to the owner or to somebody of the team, and is not ahead of its conversation": lambda: (
            booking.conversation.seats.create(user=stranger)
        ),
        "what is agreed shows how to reach each other, and closes two weeks after its end": lambda: (
            Conversation.objects.update(closes_at=None)
        ),
        "every booking that waits, is agreed or under way has the conversation of its owner and provider": lambda: (
            Booking.objects.update(conversation=None)
        ),
    }
    for name, spoil in names.items():
        with transaction.atomic():
            assert name not in broken()
            spoil()
            assert name in broken()
            transaction.set_rollback(True)


def broken() -> list[str]:
    return [finding.invariant.name for finding in invariants.check() if not finding.is_ok]


# --- Blocked --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "text"), [("owner", "You have blocked Happy Paws"), ("provider", "from you")])
def test_who_is_blocked_or_has_blocked_books_nothing_more(side: str, text: str):
    booking = make_booking(state="confirmed")
    by = booking.owner if side == "owner" else manager_of(booking)
    moderation.block(talk_of(booking), by=by)
    with pytest.raises(DomainError, match=text) as error:
        make_quote(booking.service, owner=booking.owner)
    assert error.value.code == "blocked"
    assert lifecycle.start(booking, by=manager_of(booking), now=booking.starts_at).state == "in_progress"
    stranger = make_quote(booking.service)
    assert stranger.owner != booking.owner

    moderation.unblock(talk_of(booking), by=by)
    assert make_quote(booking.service, owner=booking.owner)


def test_a_block_after_the_price_refuses_the_booking_and_leaves_the_hold():
    booking = make_booking(make_service(is_instant=True), state="confirmed")
    later = booking.starts_at + dt.timedelta(days=7)
    quote = make_quote(booking.service, owner=booking.owner, starts_at=later)
    held = reservation.hold(quote, by=booking.owner, now=NOW)
    moderation.block(talk_of(booking), by=manager_of(booking))
    with pytest.raises(DomainError, match="takes no bookings from you"):
        reservation.place(held, by=booking.owner, now=NOW)
    held.refresh_from_db()
    assert (held.state, held.conversation_id) == ("held", None)


def test_the_api_says_that_they_are_blocked():
    booking = make_booking(state="confirmed")
    moderation.block(talk_of(booking), by=manager_of(booking))
    start = booking.starts_at + dt.timedelta(days=7)
    body = {
        "service": str(booking.service.uid),
        "start": start.isoformat(),
        "pets": [str(pet.uid) for pet in booking.pets.all()],
    }
    answer = api_of(booking.owner).post("/api/v1/quotes/", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "blocked")
