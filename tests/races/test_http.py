"""The same races through the whole API: two server processes, two dozen requests let go at once."""

from accounts.api import tokens
from bookings.domain import reservation
from bookings.models import Allocation
from tests.races import server
from tests.races.burst import SIZE
from tests.races.server import Request
from tests.races.world import World


def token_of(user, now):
    return tokens.start(user, user_agent="races", now=now).access


def warm(ports, token):
    """Let each process load what its first requests need, a connection for each thread too: that is no race."""
    for port in ports:
        server.burst([port], [Request("/api/v1/quotes/", token, {})] * SIZE)


def test_one_slot_over_the_api(slots, host, report):
    world = World.build(SIZE)
    world.resource("table")
    service = world.service(["table"])
    bearers = [token_of(owner, world.now) for owner in world.owners]
    with server.running(host) as ports:
        warm(ports, bearers[0])
        for start in world.starts(slots):
            requests = [
                Request(
                    "/api/v1/bookings/",
                    bearer,
                    {"service": str(service.uid), "start": start.isoformat(), "pets": [str(pet.uid)]},
                )
                for bearer, pet in zip(bearers, world.pets, strict=True)
            ]
            tally = server.burst(ports, requests)
            report.add(tally)
            assert tally.counts == {"won": 1, "slot_taken": SIZE - 1}
            losers = [body for outcome, body in zip(tally.outcomes, tally.results, strict=True) if outcome != "won"]
            assert all(loser["alternatives"] for loser in losers)
    assert report.won == slots == Allocation.objects.filter(is_live=True).count()


def test_confirm_against_decline_over_the_api(slots, host, report):
    world = World.build(1)
    world.resource("table")
    service = world.service(["table"], is_instant=False)
    bearer = token_of(world.manager, world.now)
    with server.running(host) as ports:
        warm(ports, bearer)
        for start in world.starts(slots):
            quote = world.quotes(service, start)[0]
            booking = reservation.book(quote, by=quote.owner, now=world.now)
            path = f"/api/v1/bookings/{booking.uid}"
            pair = [
                Request(f"{path}/confirm/", bearer, {}),
                Request(f"{path}/decline/", bearer, {"reason": "No room."}),
            ]
            tally = server.burst(ports, pair * (SIZE // 2))
            report.add(tally, ["invalid_transition"])
            assert tally.counts == {"won": 1, "invalid_transition": SIZE - 1}
            assert booking.events.filter(action__in=["accept", "decline"]).count() == 1
