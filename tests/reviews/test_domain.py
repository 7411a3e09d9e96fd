"""Double-blind reviews of completed visits, and figures that are the sum of what can be seen."""

import datetime as dt

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.audit import AuditEntry
from accounts.domain import closing
from bookings.domain import lifecycle
from bookings.states import BookingState
from messaging.models import Notification
from petplace.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from petplace.invariants import check
from providers.domain import team
from providers.models import Provider
from reviews.domain import cancellations, forgetting, moderation, publishing, queues, replies
from reviews.models import Flag, LateCancellation, Mean, Reply, Review, Spread
from tests.factories import (
    NOW,
    StaffFactory,
    UserFactory,
    make_booking,
    make_branch,
    make_resource,
    make_service,
    manager_of,
)
from tests.reviews.world import (
    DAY,
    HOUR,
    SECOND,
    after,
    answer,
    completed,
    figures,
    publish_all,
    published,
    write,
)

pytestmark = pytest.mark.django_db


def breaches():
    """Return what is broken of what is said of reviews: clocks stand still here, so others look overdue."""
    return [one.invariant.name for one in check() if not one.is_ok and "reviews_" in one.invariant.sql]


def told(user, kind):
    return list(Notification.objects.filter(user=user, kind=kind, cancelled_at=None).values_list("title", flat=True))


# --- Writing ------------------------------------------------------------------------------------


def test_what_the_owner_writes_is_sealed():
    booking = completed()

    review = write(booking, aspects={"care": 5, "value": 3})

    assert (review.booking, review.provider, review.author, review.side) == (
        booking, booking.provider, booking.owner, "owner",
    )  # fmt: skip
    assert (review.rating, review.text, review.created_at) == (4, "Very good.", booking.ends_at)
    assert (review.aspects, review.care, review.communication) == ({"care": 5, "value": 3}, 5, None)
    assert (review.published_at, review.due_at) == (None, after(booking))
    assert figures() == [(0, 0)]
    assert list(Review.objects.shown()) == []
    [title] = told(manager_of(booking), "review_waiting")
    assert title == f"{booking.owner.get_short_name()} has reviewed the visit {booking.reference}"
    said = Notification.objects.get(kind="review_waiting")
    assert "4" not in said.title.replace(booking.reference, "") + said.body.replace("14", "")
    assert "Very good" not in said.body


def test_both_are_published_when_both_wrote():
    booking = completed()
    write(booking)

    answer(booking, aspects={"pet_as_described": 4}, now=booking.ends_at + HOUR)

    of_owner, of_provider = Review.objects.order_by("pk")
    assert of_owner.published_at == of_provider.published_at == booking.ends_at + HOUR
    assert figures() == [(4, 1)]
    assert told(manager_of(booking), "review_written") == [
        f"{booking.owner.get_short_name()} gave {booking.provider.name} 4 stars"
    ]
    assert told(booking.owner, "review_published") == [f"Your review of {booking.provider.name} is published"]
    assert breaches() == []


def test_the_provider_may_be_first_and_nobody_is_told():
    booking = completed()

    review = answer(booking)

    assert (review.published_at, review.author, review.side) == (None, manager_of(booking), "provider")
    assert not Notification.objects.filter(kind__startswith="review_").exclude(kind="review_request").exists()
    write(booking, rating=1, text="")
    assert told(manager_of(booking), "review_written")[0].endswith(" 1 star")
    assert figures() == [(1, 1)]


def test_what_one_side_wrote_is_published_when_the_time_is_over():
    booking = completed()
    review = write(booking)

    assert publish_all(after(booking) - SECOND) == 0
    assert publish_all(after(booking)) == 1
    assert publish_all(after(booking) + DAY) == 0
    review.refresh_from_db()
    assert review.published_at == after(booking)
    assert figures() == [(4, 1)]
    assert told(booking.owner, "review_published") != []


def test_nobody_writes_having_seen_the_other_one():
    booking = completed()
    write(booking)
    publish_all(after(booking))

    with pytest.raises(DomainError) as caught:
        answer(booking, now=after(booking))
    assert caught.value.code == "review_window_closed"
    assert answer_in_time_publishes(completed(service=booking.service, starts_at=booking.starts_at + 7 * DAY))


def answer_in_time_publishes(booking):
    return answer(booking, now=after(booking) - SECOND).published_at is None


def test_a_failing_visit_does_not_stop_the_others(monkeypatch, caplog):
    first = completed()
    second = completed(service=first.service, starts_at=first.starts_at + DAY)
    for booking in (first, second):
        write(booking)
    real = publishing.publish_if_ready

    def fail_first(booking, *, now):
        if booking.pk == first.pk:
            raise RuntimeError("broken")
        return real(booking, now=now)

    monkeypatch.setattr(publishing, "publish_if_ready", fail_first)
    assert publish_all(after(second)) == 1
    assert "could not be published" in caplog.text
    assert figures() == [(4, 1)]


def test_each_side_writes_once():
    booking = completed()
    write(booking)
    answer(booking)

    for again in (write, answer):
        with pytest.raises(DomainError) as caught:
            again(booking, rating=1)
        assert (caught.value.code, caught.value.status) == ("already_reviewed", 409)
    assert figures() == [(4, 1)]


@pytest.mark.parametrize("who", [UserFactory, StaffFactory])
def test_only_the_two_sides_write(who):
    with pytest.raises(NotAllowed):
        write(completed(), by=who())
    assert not Review.objects.exists()


def test_nobody_rates_their_own_business():
    service = make_service(is_instant=True)
    manager = service.provider.memberships.get().user
    booking = completed(service=service, owner=manager)

    with pytest.raises(NotAllowed):
        write(booking)


def test_a_colleague_writes_for_the_provider():
    booking = completed()
    colleague = UserFactory()
    team.add(booking.provider, email=colleague.email, role="staff", by=manager_of(booking))

    assert answer(booking, by=colleague).author == colleague


@pytest.mark.parametrize("state", ["held", "pending", "confirmed", "in_progress", "declined", "cancelled", "no_show"])
def test_only_a_completed_visit_is_reviewed(state):
    booking = make_booking(state=state)
    for by_side in (write, answer):
        with pytest.raises(InvalidTransition):
            by_side(booking)


def test_the_time_to_write_ends():
    booking = completed()

    with pytest.raises(DomainError) as caught:
        write(booking, now=after(booking))
    assert caught.value.code == "review_window_closed"
    assert write(booking, now=after(booking) - SECOND).rating == 4


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"rating": 0}, "rating"),
        ({"rating": 6}, "rating"),
        ({"text": "x" * 4001}, "text"),
        ({"aspects": {"care": 0}}, "aspects"),
        ({"aspects": {"care": 6}}, "aspects"),
        ({"aspects": {"pet_as_described": 5}}, "aspects"),
        ({"aspects": {"rating": 5}}, "aspects"),
    ],
)
def test_wrong_input_names_the_field(options, field):
    with pytest.raises(InvalidInput) as caught:
        write(completed(), **options)
    assert list(caught.value.fields) == [field]
    assert not Review.objects.exists()


def test_the_provider_has_aspects_of_its_own():
    with pytest.raises(InvalidInput, match="correct"):
        answer(completed(), aspects={"value": 5})


def test_what_can_still_be_written_about():
    booking = completed()
    other = completed(service=booking.service, starts_at=booking.starts_at + DAY)

    assert list(queues.to_write(booking.provider, now=other.ends_at)) == [booking, other]
    answer(booking)
    assert list(queues.to_write(booking.provider, now=other.ends_at)) == [other]
    assert list(queues.to_write(booking.provider, now=after(other))) == []


# --- Reading ------------------------------------------------------------------------------------


def test_spread_and_means_count_what_is_shown():
    booking = completed()
    of = Review.objects.of(booking.provider)
    assert of.spread() == [Spread(stars, 0, 0) for stars in (5, 4, 3, 2, 1)]
    assert of.means("owner") == []
    published(booking, aspects={"care": 4, "value": 5})
    published(completed(service=booking.service, starts_at=booking.starts_at + DAY), aspects={"care": 5})

    assert of.shown().spread() == [
        Spread(5, 0, 0), Spread(4, 2, 100), Spread(3, 0, 0), Spread(2, 0, 0), Spread(1, 0, 0)
    ]  # fmt: skip
    assert of.shown().means("owner") == [Mean("care", "Care", 4.5), Mean("value", "Value for money", 5.0)]


def test_author_is_named_by_first_name_while_the_account_lives():
    review = write(completed())
    review.author.full_name = "Anna Maria Smith"
    assert review.author_name == "Anna"

    review.author.is_active = False
    assert review.author_name == "Former user"
    assert str(review) == f"4 for {review.provider}"


def test_a_providers_review_is_signed_by_the_business():
    review = answer(completed())
    assert (review.author_name, str(review)) == (review.provider.name, f"5 by {review.provider}")


# --- Replies ------------------------------------------------------------------------------------


def test_a_manager_answers_once_in_public():
    review = published()
    manager = manager_of(review.booking)

    made = replies.reply(review, by=manager, text=" Thank you! ", now=review.published_at + HOUR)

    assert (made.text, made.by, made.made_at) == ("Thank you!", manager, review.published_at + HOUR)
    assert told(review.author, "review_replied") == [f"{review.provider.name} answered your review"]
    assert str(made) == f"Reply to 4 for {review.provider}"
    with pytest.raises(DomainError) as caught:
        replies.reply(review, by=manager, text="Again.", now=NOW)
    assert caught.value.code == "already_replied"
    assert breaches() == []


def test_nobody_else_answers():
    review = published()
    colleague = UserFactory()
    team.add(review.provider, email=colleague.email, role="staff", by=manager_of(review.booking))

    for person in (review.author, UserFactory(), StaffFactory(), colleague):
        with pytest.raises(NotAllowed):
            replies.reply(review, by=person, text="No.", now=NOW)
    of_provider = Review.objects.get(side="provider")
    with pytest.raises(NotAllowed):
        replies.reply(of_provider, by=manager_of(review.booking), text="No.", now=NOW)


def test_what_is_sealed_or_hidden_is_not_answered():
    sealed = write(completed())
    with pytest.raises(InvalidTransition):
        replies.reply(sealed, by=manager_of(sealed.booking), text="Thanks.", now=NOW)


@pytest.mark.parametrize("text", ["", " \0 ", "x" * 2001])
def test_an_answer_has_words(text):
    review = published()
    with pytest.raises(InvalidInput):
        replies.reply(review, by=manager_of(review.booking), text=text, now=NOW)


# --- Objections ---------------------------------------------------------------------------------


def object_to(review, by=None, **options):
    options = {"reason": "insult", "now": (review.published_at or NOW) + HOUR} | options
    return moderation.flag(review, by=by or manager_of(review.booking), **options)


def decide(flag, decision="hide", by=None, answer="It is against our rules."):
    return moderation.decide(flag, by=by or StaffFactory(), decision=decision, answer=answer, now=flag.made_at + HOUR)


def test_an_objection_goes_to_staff_and_hides_nothing():
    review, staff = published(), StaffFactory()

    made = object_to(review, note=" See the second line. ")

    assert (made.reason, made.note, made.target, made.is_open) == ("insult", "See the second line.", "review", True)
    assert told(staff, "review_flagged") == ["Reported: It insults or threatens somebody"]
    assert figures() == [(4, 1)]
    assert str(made) == f"It insults or threatens somebody: 4 for {review.provider}"


def test_hiding_takes_the_review_out_of_lists_and_figures_and_tells_both():
    review = published()
    flag = object_to(review)
    other = object_to(review, by=UserFactory(), reason="spam")
    staff = StaffFactory()

    decide(flag, by=staff)

    review.refresh_from_db()
    other.refresh_from_db()
    assert (review.hidden_at, review.is_shown) == (flag.made_at + HOUR, False)
    assert list(Review.objects.of(review.provider).shown()) == []
    assert figures() == [(0, 0)]
    assert (other.decision, other.closed_by, other.answer) == ("hide", staff, "It is against our rules.")
    assert told(flag.by, "review_flag_decided") == ["We have looked: the review has been taken away"]
    assert told(other.by, "review_flag_decided") == ["We have looked: the review has been taken away"]
    assert told(review.author, "review_moderated") == ["Your review has been taken away"]
    assert breaches() == []
    entry = AuditEntry.objects.get(action="moderate_review")
    assert (entry.actor, entry.target_uid, entry.reason) == (staff, str(review.uid), "It is against our rules.")
    assert (entry.before, entry.after) == (
        {"target": "review", "is_hidden": False}, {"target": "review", "is_hidden": True, "decision": "hide"}
    )  # fmt: skip


def test_keeping_tells_both_and_changes_nothing():
    review = published()
    decide(flag := object_to(review), decision="keep")

    assert told(flag.by, "review_flag_decided") == ["We have looked: the review stays"]
    assert told(review.author, "review_moderated") == ["Your review stays"]
    assert figures() == [(4, 1)]


def test_a_hidden_review_is_shown_again():
    review = published()
    decide(object_to(review))
    staff = StaffFactory()

    moderation.show_again(review, by=staff, reason="A mistake of ours.", now=NOW)

    assert figures() == [(4, 1)]
    assert AuditEntry.objects.filter(action="moderate_review").count() == 2
    with pytest.raises(InvalidTransition):
        moderation.show_again(review, by=staff, reason="Again.", now=NOW)
    with pytest.raises(NotAllowed):
        moderation.show_again(review, by=review.author, reason="Mine.", now=NOW)
    assert breaches() == []


def test_a_reply_is_hidden_by_itself():
    review = published()
    made = replies.reply(review, by=manager_of(review.booking), text="You lie.", now=NOW)

    decide(object_to(review, by=review.author, target="reply"))

    review = Review.objects.with_author().get(pk=review.pk)
    assert (review.is_shown, review.shown_reply) == (True, None)
    assert figures() == [(4, 1)]
    assert told(made.by, "review_moderated") == ["Your reply has been taken away"]
    with pytest.raises(NotAllowed):
        object_to(review, by=UserFactory(), target="reply")
    moderation.show_again(Reply.objects.get(), by=StaffFactory(), reason="It is fine.", now=NOW)
    assert Review.objects.get(pk=review.pk).shown_reply == made


def test_a_review_of_an_owner_is_hidden_without_figures():
    review = published()
    of_owner = Review.objects.get(side="provider")
    colleague = UserFactory()
    team.add(review.provider, email=colleague.email, role="staff", by=manager_of(review.booking))

    decide(object_to(of_owner, by=colleague))

    assert Review.objects.get(pk=of_owner.pk).hidden_at is not None
    assert figures() == [(4, 1)]


def test_only_who_sees_it_objects_and_nobody_to_their_own():
    review = published()
    of_owner = Review.objects.get(side="provider")
    sealed = write(completed(service=review.booking.service, starts_at=review.booking.starts_at + DAY))

    for target, person in ((review, review.author), (of_owner, review.author), (of_owner, UserFactory())):
        with pytest.raises(NotAllowed):
            object_to(target, by=person, now=NOW)
    for person in (manager_of(sealed.booking), UserFactory()):
        with pytest.raises(NotAllowed):
            object_to(sealed, by=person, now=NOW)
    with pytest.raises(InvalidTransition):
        object_to(sealed, by=StaffFactory(), now=NOW)


def test_one_objects_once_and_not_to_everything(monkeypatch):
    review = published()
    object_to(review)
    with pytest.raises(DomainError) as caught:
        object_to(review)
    assert caught.value.code == "already_flagged"

    monkeypatch.setattr(moderation, "FLAGS_A_DAY", 1)
    other = published(completed(service=review.booking.service, starts_at=review.booking.starts_at + DAY))
    with pytest.raises(DomainError) as caught:
        object_to(other, now=review.published_at + 2 * HOUR)
    assert caught.value.code == "too_many_flags"
    assert object_to(other, now=review.published_at + 26 * HOUR).is_open


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"reason": "boring"}, "reason"),
        ({"reason": "other"}, "note"),
        ({"note": "x" * 1001}, "note"),
        ({"target": "photo"}, "target"),
    ],
)
def test_an_objection_has_a_reason(options, field):
    review = published()
    with pytest.raises(InvalidInput) as caught:
        object_to(review, **options)
    assert list(caught.value.fields) == [field]


def test_only_staff_decides_and_once():
    flag = object_to(published())
    with pytest.raises(NotAllowed):
        decide(flag, by=manager_of(flag.review.booking))
    for options in ({"answer": " "}, {"decision": "maybe"}):
        with pytest.raises(InvalidInput):
            decide(flag, **options)
    decide(flag)
    with pytest.raises(DomainError) as caught:
        decide(flag, decision="keep")
    assert caught.value.code == "already_closed"


# --- Late cancellations -------------------------------------------------------------------------


def cancelled_by_provider(before, **fields):
    booking = make_booking(starts_at=NOW + 20 * DAY, **fields)
    return lifecycle.cancel(booking, by=manager_of(booking), now=booking.starts_at - before, reason="Ill.")


@pytest.mark.parametrize(
    ("before", "days", "text"),
    [
        (5 * DAY, 5, "The provider cancelled 5 days before the visit"),
        (26 * HOUR, 1, "The provider cancelled 1 day before the visit"),
        (HOUR, 0, "The provider cancelled on the day of the visit"),
        (dt.timedelta(0), -1, "The provider cancelled after the visit should have begun"),
        (-2 * DAY, -1, "The provider cancelled after the visit should have begun"),
    ],
)
def test_a_late_cancellation_is_recorded_by_itself(before, days, text):
    booking = cancelled_by_provider(before)

    record = LateCancellation.objects.get()

    assert (record.booking, record.provider, record.cancelled_at) == (
        booking, booking.provider, booking.starts_at - before
    )  # fmt: skip
    assert (record.days_before, record.text, str(record)) == (days, text, text)
    assert figures() == [(0, 0)]
    assert breaches() == []


def test_five_days_over_the_night_of_a_clock_change_are_five():
    # 2027-03-28 has 23 hours in Berlin: 120 hours before 00:30 on the 30th it is 23:30 on the 24th.
    asked = dt.datetime(2027, 3, 10, 8, tzinfo=dt.UTC)
    branch = make_branch(now=asked)
    make_resource(branch, now=asked)
    start = dt.datetime(2027, 3, 29, 22, 30, tzinfo=dt.UTC)
    booking = make_booking(make_service(branch, is_instant=True, now=asked), now=asked, starts_at=start)
    lifecycle.cancel(booking, by=manager_of(booking), now=start - 5 * DAY)
    assert LateCancellation.objects.get().days_before == 5


def test_an_early_cancellation_leaves_no_record():
    cancelled_by_provider(5 * DAY + SECOND)
    assert not LateCancellation.objects.exists()
    assert breaches() == []


def test_nobody_elses_cancellation_leaves_a_record():
    service = make_service(is_instant=True)
    for day, who in ((1, "owner"), (2, "staff")):
        booking = make_booking(service, starts_at=NOW + day * DAY)
        lifecycle.cancel(booking, by=booking.owner if who == "owner" else StaffFactory(), now=NOW)
    asked = make_booking(state="pending")
    lifecycle.cancel(asked, by=manager_of(asked), now=NOW)
    assert not LateCancellation.objects.exists()
    assert cancellations.LATE == 5 * DAY


def test_staff_takes_a_record_off_and_puts_it_back():
    cancelled_by_provider(DAY)
    record, staff = LateCancellation.objects.get(), StaffFactory()

    moderation.hide_cancellation(record, by=staff, reason="A flood.", is_hidden=True, now=NOW)
    assert list(LateCancellation.objects.of(record.provider).shown()) == []
    with pytest.raises(InvalidTransition):
        moderation.hide_cancellation(record, by=staff, reason="Again.", is_hidden=True, now=NOW)
    moderation.hide_cancellation(record, by=staff, reason="No flood.", is_hidden=False, now=NOW)
    assert list(
        AuditEntry.objects.filter(action="moderate_review").order_by("pk").values_list("reason", flat=True)
    ) == ["A flood.", "No flood."]
    assert list(LateCancellation.objects.of(record.provider).shown()) == [record]
    for person, reason, error in ((UserFactory(), "Mine.", NotAllowed), (staff, " ", InvalidInput)):
        with pytest.raises(error):
            moderation.hide_cancellation(record, by=person, reason=reason, is_hidden=True, now=NOW)


# --- Closing an account -------------------------------------------------------------------------


def test_a_closed_account_leaves_what_is_public_without_a_name():
    review = published()
    visits = [
        completed(service=review.booking.service, owner=review.author, starts_at=review.booking.starts_at + day * DAY)
        for day in (1, 2)
    ]
    sealed, hidden = write(visits[0]), published(visits[1])
    decide(object_to(hidden))
    flag = object_to(published(completed(starts_at=review.booking.starts_at + 3 * DAY)), by=review.author, note="Rude.")

    closing.close(review.author, now=NOW + 10 * DAY)

    mine = Review.objects.filter(booking__owner=review.author)
    assert dict(mine.filter(side="owner").values_list("pk", "text")) == {
        review.pk: "Very good.", sealed.pk: "Very good.", hidden.pk: "",
    }  # fmt: skip
    assert set(mine.filter(side="provider").values_list("text", flat=True)) == {""}
    assert Review.objects.with_author().get(pk=review.pk).author_name == "Former user"
    flag.refresh_from_db()
    assert flag.note == ""
    publish_all(after(sealed.booking))
    assert figures()[0] == (8, 2)
    assert breaches() == []


def test_words_for_a_business_go_with_its_last_manager():
    review = published()
    manager, other = manager_of(review.booking), UserFactory()
    replies.reply(review, by=manager, text="Thanks.", now=NOW)
    team.add(review.provider, email=other.email, role="manager", by=manager)

    closing.close(manager, now=NOW + 10 * DAY)
    assert Reply.objects.get().text == "Thanks."
    assert Review.objects.get(side="provider").text == "A friendly owner."


def test_words_for_a_business_of_nobody_are_blanked():
    review = published()
    manager = manager_of(review.booking)
    replies.reply(review, by=manager, text="Thanks.", now=NOW)
    forgetting.forget(manager, NOW)
    assert Review.objects.with_author().get(pk=review.pk).shown_reply is None
    assert Reply.objects.get().text == "(removed)"
    assert Review.objects.get(side="provider").text == ""


# --- The database's own rules -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"rating": 0}, "review_rating_one_to_five"),
        ({"rating": 6}, "review_rating_one_to_five"),
        ({"care": 6}, "review_aspects_one_to_five"),
        ({"pet_as_described": 5}, "review_aspects_of_its_side"),
        ({"side": "staff"}, "review_side_known|review_aspects_of_its_side"),
        ({"hidden_at": NOW}, "review_hidden_once_published"),
    ],
)
def test_database_refuses_impossible_reviews(change, name):
    write(completed())
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        Review.objects.update(**change)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"reason": "boring"}, "flag_reason_known"),
        ({"target": "photo"}, "flag_target_known"),
        ({"closed_at": NOW}, "flag_closed_with_decision"),
        ({"decision": "hide"}, "flag_closed_with_decision"),
    ],
)
def test_database_refuses_impossible_objections(change, name):
    object_to(published())
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        Flag.objects.update(**change)


def test_database_refuses_seconds_and_impossible_figures():
    review = published()
    by = manager_of(review.booking)
    flag = object_to(review)
    replies.reply(review, by=by, text="Thanks.", now=NOW)
    cancelled_by_provider(DAY)
    copies = [
        (lambda: Review.objects.create(
            booking=review.booking, provider=review.provider, author=review.author, rating=5, side="owner", due_at=NOW
        ), "review_once_a_side"),
        (lambda: Reply.objects.create(review=review, by=by, text="Again.", made_at=NOW), "review_id"),
        (lambda: Flag.objects.create(review=review, by=flag.by, reason="spam", made_at=NOW), "flag_once_a_person"),
        (lambda: Reply.objects.update(text=""), "reply_has_text"),
        (lambda: LateCancellation.objects.update(days_before=6), "late_cancellation_is_late"),
        (lambda: Provider.objects.update(rating_sum=F("rating_sum") + 2), "provider_rating_possible"),
    ]  # fmt: skip
    for act, name in copies:
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            act()


# --- What the invariants see --------------------------------------------------------------------


def test_invariants_find_what_is_wrong():
    review = published()
    sealed = write(completed(service=review.booking.service, starts_at=review.booking.starts_at + DAY))
    booking = cancelled_by_provider(DAY)

    def found(act):
        with transaction.atomic():
            act()
            names = breaches()
            transaction.set_rollback(True)
        return names

    one = Review.objects.filter(pk=review.pk)
    assert found(lambda: one.update(hidden_at=NOW)) == [
        "a provider's rating figures are the sum and the number of its visible reviews"
    ]
    assert "no review waits once both sides wrote" in found(lambda: one.update(published_at=None))
    assert found(lambda: Review.objects.filter(pk=sealed.pk).update(due_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))) == [
        "no review waits for an hour after its time"
    ]
    assert "no review is seen before both sides wrote or the time to write was over" in found(
        lambda: Review.objects.filter(pk=sealed.pk).update(published_at=NOW)
    )
    assert found(lambda: one.update(author=manager_of(review.booking))) == [
        "only completed bookings have reviews, the owner's by the owner and the provider's by somebody else"
    ]
    assert found(
        lambda: Reply.objects.create(
            review=Review.objects.filter(side="provider").get(), by=review.author, text="No.", made_at=NOW
        )
    ) == ["replies are to published reviews of owners"]
    late = "every late cancellation by a provider is on record, and nothing else is"
    assert found(lambda: LateCancellation.objects.all().delete()) == [late]
    assert found(
        lambda: LateCancellation.objects.create(
            booking=review.booking, provider=review.provider, cancelled_at=NOW, days_before=1
        )
    ) == [late]
    assert booking.state == BookingState.CANCELLED
    assert breaches() == []
