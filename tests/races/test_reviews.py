"""Reviews at the same moment: one a side, both published once, one reply, and figures that add up."""

import datetime as dt
import threading
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from bookings.models import Booking
from messaging.models import Notification
from providers.models import Provider
from reviews.domain import figures, moderation, publishing, replies
from reviews.models import Flag, Reply, Review
from tests.factories import StaffFactory, UserFactory, make_booking
from tests.races.burst import PATIENCE, SIZE, Crew
from tests.races.conftest import ASKED
from tests.races.world import World
from tests.reviews.world import after, answer, published, write

VISITS = ASKED or 5
CONTROLS = 4
STARS = 3


class Visits:
    """Completed visits at one business, two hours apart."""

    def __init__(self, number: int) -> None:
        self.world = World.build(1)
        self.world.resource("table")
        service = self.world.service(["table"])
        options = {"state": "completed", "now": self.world.now, "owner": self.world.owners[0], "pets": self.world.pets}
        self.all = [make_booking(service, starts_at=start, **options) for start in self.world.starts(number)]
        self.end = max(booking.ends_at for booking in self.all)
        # They were ended before their time: by the clock on the wall their reminders are still to come.
        Notification.objects.filter(kind__startswith="booking_reminder").update(cancelled_at=self.world.now)

    @property
    def figures(self) -> tuple[int, int]:
        return Provider.objects.values_list("rating_sum", "review_count").get(pk=self.world.branch.provider_id)

    @property
    def shown(self) -> tuple[int, int]:
        """What the figures must be."""
        shown = list(Review.objects.of(self.world.branch.provider).shown().values_list("rating", flat=True))
        return sum(shown), len(shown)


def by_owner(booking: Booking) -> Callable[[], Review]:
    """Return an attempt with an instance of its own, as each request of a server has."""
    return lambda: write(Booking.objects.get(pk=booking.pk), rating=STARS)


def by_provider(booking: Booking) -> Callable[[], Review]:
    return lambda: answer(Booking.objects.get(pk=booking.pk))


def hidings(flags: Sequence[Flag], now: dt.datetime) -> list[Callable[[], Flag]]:
    staff = StaffFactory()
    return [
        lambda flag=flag: moderation.decide(
            Flag.objects.get(pk=flag.pk), by=staff, decision="hide", answer="Spam.", now=now
        )
        for flag in flags
    ]


def objections(review: Review, number: int) -> list[Flag]:
    now = review.published_at
    assert now is not None
    return [moderation.flag(review, by=UserFactory(), reason="spam", now=now) for _ in range(number)]


def test_many_reviews_of_one_business_and_some_taken_away(host, report):
    """Each burst publishes some and hides others, of one provider: its figures are those of what is left."""
    visits = Visits(2 * VISITS)
    half = len(visits.all) // 2
    old = [published(booking, rating=STARS) for booking in visits.all[:half]]
    for booking in visits.all[half:]:
        answer(booking)
    acts = [by_owner(booking) for booking in visits.all[half:]]
    acts += hidings([objections(review, 1)[0] for review in old[::2]], visits.end)
    with Crew(host=host) as crew:
        for first in range(0, len(acts), SIZE):
            report.add(crew.burst(acts[first : first + SIZE]))
    assert visits.figures == visits.shown
    assert visits.shown[1] == len(visits.all) - len(old[::2])


@pytest.mark.control
def test_control_figures_read_and_written(control_host, report, monkeypatch):
    def read_and_write(review: Review) -> None:
        if review.is_of_owner:
            provider = Provider.objects.get(pk=review.provider_id)
            provider.rating_sum += review.rating
            provider.review_count += 1
            provider.save(update_fields=["rating_sum", "review_count"])

    visits = Visits(CONTROLS)
    for booking in visits.all:
        answer(booking)
    monkeypatch.setattr(figures, "add", read_and_write)
    with Crew(host=control_host) as crew:
        report.add(crew.burst([by_owner(booking) for booking in visits.all]))
    report.name += f": {visits.figures[1]} of {visits.shown[1]} counted"
    assert visits.figures != visits.shown


def test_both_sides_many_times(host, report):
    visits = Visits(VISITS)
    with Crew(host=host) as crew:
        for booking in visits.all:
            tally = crew.burst([by_owner(booking), by_provider(booking)] * (SIZE // 2))
            report.add(tally, ["already_reviewed"])
            assert tally.counts == {"won": 2, "already_reviewed": SIZE - 2}
            assert booking.reviews.filter(published_at__isnull=False).count() == 2
    assert visits.figures == visits.shown == (STARS * VISITS, VISITS)


@pytest.mark.control
def test_control_both_sides_without_locks(control_host, report, settings, monkeypatch):
    """Each side looks before the other one has committed: both stay sealed."""
    settings.DISABLE_BOOKING_LOCKS = True
    looked, real = threading.Barrier(2, timeout=PATIENCE), publishing.publish_if_ready

    def look_and_wait(booking: Booking, *, now: dt.datetime) -> bool:
        found = real(booking, now=now)
        looked.wait()
        return found

    monkeypatch.setattr(publishing, "publish_if_ready", look_and_wait)
    visits = Visits(CONTROLS)
    with Crew(2, host=control_host) as crew:
        for booking in visits.all:
            report.add(crew.burst([by_owner(booking), by_provider(booking)]))
    sealed = Review.objects.filter(published_at__isnull=True).count()
    report.name += f": {sealed} of {2 * CONTROLS} left sealed"
    assert sealed == 2 * CONTROLS


def test_four_sweeps_of_reviews_at_once(host, report):
    visits = Visits(VISITS)
    for booking in visits.all:
        write(booking, rating=STARS)
    due = max(after(booking) for booking in visits.all)
    with Crew(4, host=host) as crew:
        tally = crew.burst([partial(publishing.publish_due, due)] * 4)
    report.add(tally, timed=False)
    assert sum(tally.results) == VISITS
    assert visits.figures == visits.shown == (STARS * VISITS, VISITS)


@pytest.mark.control
def test_control_sweeps_of_reviews_without_locks(control_host, report, settings):
    settings.DISABLE_BOOKING_LOCKS = True
    visits = Visits(CONTROLS)
    for booking in visits.all:
        write(booking, rating=STARS)
    due = max(after(booking) for booking in visits.all)
    with Crew(4, host=control_host) as crew:
        report.add(crew.burst([partial(publishing.publish_due, due)] * 4), timed=False)
    report.name += f": {visits.figures[1]} counted of {visits.shown[1]}"
    assert visits.figures[1] > visits.shown[1] == CONTROLS


def test_one_review_hidden_many_times(host, report):
    """Each decision closes all open objections to the same: the review leaves the figures once."""
    visits = Visits(2)
    hidden, kept = (published(booking, rating=STARS) for booking in visits.all)
    flags = objections(hidden, SIZE)
    with Crew(host=host) as crew:
        tally = crew.burst(hidings(flags, visits.end))
    report.add(tally, ["already_closed"])
    assert tally.counts == {"won": 1, "already_closed": SIZE - 1}
    assert visits.figures == visits.shown == (kept.rating, 1)


@pytest.mark.control
def test_control_hidden_without_locks(control_host, report, settings):
    visits = Visits(2 * CONTROLS)
    old = [published(booking, rating=STARS) for booking in visits.all]
    flags = [objections(review, 4) for review in old[:CONTROLS]]
    settings.DISABLE_BOOKING_LOCKS = True
    taken = 0
    with Crew(4, host=control_host) as crew:
        for alike in flags:
            before = visits.figures[1]
            report.add(crew.burst(hidings(alike, visits.end)), ["already_closed"])
            taken += before - visits.figures[1] > 1
    report.name += f": {taken} of {CONTROLS} taken out more than once"
    assert taken or report.odd  # figures below zero are refused by the database


def replying(review: Review, world: World) -> Callable[[], Reply]:
    return lambda: replies.reply(Review.objects.get(pk=review.pk), by=world.manager, text="Thanks.", now=world.now)


def test_one_reply(host, report):
    visits = Visits(1)
    review = published(visits.all[0])
    with Crew(host=host) as crew:
        tally = crew.burst([replying(review, visits.world)] * SIZE)
    report.add(tally, ["already_replied"])
    assert tally.counts == {"won": 1, "already_replied": SIZE - 1}


@pytest.mark.control
def test_control_replies_without_locks(control_host, report, settings):
    """The database still keeps a second one out, with an error that nobody was told of."""
    settings.DISABLE_BOOKING_LOCKS = True
    visits = Visits(1)
    review = published(visits.all[0])
    with Crew(host=control_host) as crew:
        report.add(crew.burst([replying(review, visits.world)] * SIZE), ["already_replied"])
    assert report.odd.total() > 0
    assert Reply.objects.count() == 1
