"""What people are told of reviews. Nothing of what is not published yet."""

from collections.abc import Iterable
from datetime import datetime

from django.urls import reverse

from accounts.models import User
from bookings.models import Booking
from messaging import domain as messaging
from messaging.choices import Channel
from petplace.roles import Right
from providers.choices import MembershipRole
from reviews import kinds
from reviews.choices import Decision, FlagTarget
from reviews.models import Flag, Reply, Review

PREVIEW = 200


def topic(booking: Booking) -> str:
    return f"booking:{booking.uid}"


def managers(review: Review) -> Iterable[User]:
    return User.objects.filter(
        memberships__provider=review.provider_id, memberships__role=MembershipRole.MANAGER, is_active=True
    ).order_by("pk")


def tell_waiting(review: Review, *, now: datetime) -> None:
    """Tell the managers that the owner wrote, and that both are published when they write, too."""
    booking, who = review.booking, review.author.get_short_name()
    messaging.notify_all(
        [
            messaging.Notice(
                manager,
                kinds.WAITING,
                key=f"review:{review.uid}:waiting",
                topic=topic(booking),
                title=f"{who} has reviewed the visit {booking.reference}",
                body="You can read it when you have written about the visit, too, or when the time to write is over.",
                url=reverse("provider:review", args=[review.provider.slug, booking.reference]),
                useless_after=review.due_at,
            )
            for manager in managers(review)
        ],
        now=now,
    )


def tell_published(review: Review, *, now: datetime) -> None:
    """Tell the managers what an owner wrote, and the owner that it can be read now. Of a provider's nobody is told."""
    if not review.is_of_owner:
        return
    booking, provider = review.booking, review.provider
    stars = f"{review.rating} star{'s' if review.rating != 1 else ''}"
    notices = [
        messaging.Notice(
            manager,
            kinds.WRITTEN,
            key=f"review:{review.uid}",
            topic=topic(booking),
            title=f"{review.author_name} gave {provider.name} {stars}",
            body=review.text,
            url=f"{reverse('provider:reviews', args=[provider.slug])}#r-{review.uid}",
        )
        for manager in managers(review)
    ]
    notices.append(
        messaging.Notice(
            review.author,
            kinds.PUBLISHED,
            key=f"review:{review.uid}:published",
            topic=topic(booking),
            title=f"Your review of {provider.name} is published",
            body="",
            url=reverse("provider_reviews", args=[provider.slug]),
        )
    )
    messaging.notify_all([notice for notice in notices if notice.user.is_active], now=now)


def tell_reply(reply: Reply, *, now: datetime) -> None:
    review = reply.review
    if review.author.is_active:
        messaging.notify_all(
            [
                messaging.Notice(
                    review.author,
                    kinds.REPLIED,
                    key=f"review:{review.uid}:reply",
                    topic=topic(review.booking),
                    title=f"{review.provider.name} answered your review",
                    body=reply.text[:PREVIEW],
                    url=reverse("reviews:write", args=[review.booking.reference]),
                )
            ],
            now=now,
        )


def tell_flag(flag: Flag, *, now: datetime) -> None:
    """Tell staff that something is to be looked at."""
    url = reverse("admin:reviews_flag_change", args=[flag.pk])
    messaging.notify_all(
        [
            messaging.Notice(
                person,
                kinds.FLAGGED,
                key=f"flag:{flag.uid}",
                topic=f"review:{flag.review.uid}",
                title=f"Reported: {flag.get_reason_display()}",
                body=f"{flag.get_target_display()} of a visit at {flag.review.provider.name} is to be looked at.",
                url=url,
                channels=(Channel.IN_APP,),
            )
            for person in User.objects.who_may(Right.MODERATE)
        ],
        now=now,
    )


def tell_decided(flag: Flag, *, now: datetime) -> None:
    """Tell whoever objected what was decided."""
    what = "review" if flag.target == FlagTarget.REVIEW else "reply"
    said = "has been taken away" if flag.decision == Decision.HIDE else "stays"
    if flag.by.is_active:
        messaging.notify_all(
            [
                messaging.Notice(
                    flag.by,
                    kinds.DECIDED,
                    key=f"flag:{flag.uid}:decided",
                    topic=f"review:{flag.review.uid}",
                    title=f"We have looked: the {what} {said}",
                    body=flag.answer,
                    url=reverse("provider_reviews", args=[flag.review.provider.slug]),
                )
            ],
            now=now,
        )


def tell_author(flag: Flag, *, now: datetime) -> None:
    """Tell whoever wrote it that somebody objected, and what was decided. Not who objected."""
    review, is_review = flag.review, flag.target == FlagTarget.REVIEW
    author = review.author if is_review else review.reply.by
    what = "review" if is_review else "reply"
    is_gone = flag.decision == Decision.HIDE
    is_owners = is_review and review.is_of_owner
    here = (
        reverse("reviews:write", args=[review.booking.reference])
        if is_owners
        else reverse("provider:reviews", args=[review.provider.slug])
    )
    if author.is_active:
        messaging.notify_all(
            [
                messaging.Notice(
                    author,
                    kinds.MODERATED,
                    key=f"flag:{flag.uid}:author",
                    topic=f"review:{review.uid}",
                    title=f"Your {what} has been taken away" if is_gone else f"Your {what} stays",
                    body=" ".join(
                        filter(None, (f"Somebody objected: {flag.get_reason_display().lower()}.", flag.answer))
                    ),
                    url=here,
                )
            ],
            now=now,
        )
