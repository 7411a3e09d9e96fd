"""One review for each completed visit, and figures that are its sum."""

import datetime as dt
import threading

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from bookings.models import Booking
from messaging.models import Notification
from petplace.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from providers.models import Provider
from reviews import domain
from reviews.models import Review, Spread
from tests.factories import StaffFactory, UserFactory, make_booking, manager_of

SECOND = dt.timedelta(seconds=1)


def completed():
    return make_booking(state="completed")


def write(booking, **options):
    options = {"by": booking.owner, "rating": 4, "text": " Very good. ", "now": booking.ends_at} | options
    return domain.write(booking, **options)


def figures():
    return list(Provider.objects.values_list("rating_sum", "review_count"))


@pytest.mark.django_db
def test_write_keeps_the_review_raises_the_figures_and_tells_the_manager():
    booking = completed()

    review = write(booking)

    review.refresh_from_db()
    assert (review.booking, review.provider, review.author) == (booking, booking.provider, booking.owner)
    assert (review.rating, review.text, review.created_at) == (4, "Very good.", booking.ends_at)
    assert figures() == [(4, 1)]
    told = Notification.objects.get(user=manager_of(booking), kind="review_written")
    assert told.title == f"{booking.owner.get_short_name()} gave {booking.provider.name} 4 stars"
    assert told.body == "Very good."
    assert told.url == f"/provider/{booking.provider.slug}/reviews/"


@pytest.mark.django_db
def test_text_may_be_left_out_and_one_star_is_singular():
    review = domain.write((booking := completed()), by=booking.owner, rating=1, now=booking.ends_at)

    assert review.text == ""
    assert Notification.objects.get(kind="review_written").title.endswith(" 1 star")


@pytest.mark.django_db
def test_a_visit_is_reviewed_once():
    booking = completed()
    write(booking)

    with pytest.raises(DomainError) as caught:
        write(booking, rating=1)
    assert (caught.value.code, caught.value.status) == ("already_reviewed", 409)
    assert figures() == [(4, 1)]


@pytest.mark.django_db
@pytest.mark.parametrize("who", [UserFactory, StaffFactory, None])
def test_only_the_owner_reviews(who):
    booking = completed()

    with pytest.raises(NotAllowed):
        write(booking, by=who() if who else manager_of(booking))
    assert not Review.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["held", "pending", "confirmed", "in_progress", "declined", "cancelled", "no_show"])
def test_only_a_completed_visit_is_reviewed(state):
    with pytest.raises(InvalidTransition):
        write(make_booking(state=state))


@pytest.mark.django_db
def test_the_time_to_write_ends(settings):
    settings.REVIEW_DAYS = 14
    booking = completed()
    end = booking.ends_at + dt.timedelta(days=14)

    with pytest.raises(DomainError) as caught:
        write(booking, now=end + SECOND)
    assert caught.value.code == "review_window_closed"
    assert write(booking, now=end).rating == 4


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "field"), [({"rating": 0}, "rating"), ({"rating": 6}, "rating"), ({"text": "x" * 4001}, "text")]
)
def test_wrong_input_names_the_field(options, field):
    booking = completed()

    with pytest.raises(InvalidInput) as caught:
        write(booking, **options)
    assert list(caught.value.fields) == [field]


def burst(booking, count=24):
    """Post ``count`` reviews of one visit at once. Returns the outcomes."""
    barrier, outcomes = threading.Barrier(count), []

    def post(rating: int) -> None:
        connection.ensure_connection()
        try:
            barrier.wait()
            write(booking, rating=rating)
            outcomes.append("written")
        except DomainError as error:
            outcomes.append(error.code)
        except IntegrityError:
            outcomes.append("integrity error")
        finally:
            connection.close()

    threads = [threading.Thread(target=post, args=[1 + number % 5]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_24_posts_at_once_make_one_review_and_true_figures():
    booking = completed()

    outcomes = burst(booking)

    assert outcomes == ["already_reviewed"] * 23 + ["written"]
    assert figures() == [(Review.objects.get().rating, 1)]


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_control_without_the_lock_the_burst_collides(monkeypatch):
    booking = completed()
    monkeypatch.setattr(type(Booking.objects.all()), "select_for_update", lambda self, **options: self)

    assert "integrity error" in burst(booking)
    assert Review.objects.count() == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_many_owners_at_once_add_up():
    first = completed()
    bookings = [first]
    for number in range(1, 8):
        starts_at = first.starts_at + dt.timedelta(weeks=number)
        bookings.append(make_booking(first.service, state="completed", starts_at=starts_at))
    barrier = threading.Barrier(len(bookings))

    def post(booking) -> None:
        connection.ensure_connection()
        barrier.wait()
        try:
            write(booking, rating=3)
        finally:
            connection.close()

    threads = [threading.Thread(target=post, args=[booking]) for booking in bookings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert figures() == [(24, 8)]


@pytest.mark.django_db
def test_spread_counts_each_star():
    booking = completed()
    assert booking.provider.reviews.all().spread() == [Spread(stars, 0, 0) for stars in (5, 4, 3, 2, 1)]
    write(booking)

    assert Review.objects.of(booking.provider).spread() == [
        Spread(5, 0, 0), Spread(4, 1, 100), Spread(3, 0, 0), Spread(2, 0, 0), Spread(1, 0, 0)
    ]  # fmt: skip


@pytest.mark.django_db
def test_author_is_named_by_first_name_while_the_account_lives():
    review = write(completed())
    review.author.full_name = "Anna Maria Smith"
    assert review.author_name == "Anna"

    review.author.is_active = False
    assert review.author_name == "Former user"
    assert str(review) == f"4 for {review.provider}"


@pytest.mark.django_db
@pytest.mark.parametrize("rating", [0, 6])
def test_database_refuses_impossible_stars(rating):
    write(completed())

    with pytest.raises(IntegrityError, match="review_rating_one_to_five"), transaction.atomic():
        Review.objects.update(rating=rating)


@pytest.mark.django_db
def test_database_refuses_a_second_review_and_impossible_figures():
    review = write(completed())

    with pytest.raises(IntegrityError, match="booking_id"), transaction.atomic():
        Review.objects.create(booking=review.booking, provider=review.provider, author=review.author, rating=5)
    with pytest.raises(IntegrityError, match="provider_rating_possible"), transaction.atomic():
        Provider.objects.update(rating_sum=F("rating_sum") + 2)
