"""What both sides say after a visit, what is answered and objected to, and what is recorded by itself."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from accounts.models import User
from bookings.models import Booking
from petplace.models import PublicModel
from providers.models import Provider
from reviews.choices import ASPECTS, Aspect, Decision, FlagReason, FlagTarget, ReviewSide

FORMER_USER = "Former user"
STARS = (1, 5)
WRITTEN = Q(published_at__isnull=False, hidden_at__isnull=True)


def _stars() -> "models.PositiveSmallIntegerField[int | None, int | None]":
    return models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(5)]
    )


def _all_stars_possible() -> Q:
    possible = Q()
    for aspect in Aspect.values:
        possible &= Q(**{f"{aspect}__isnull": True}) | Q(**{f"{aspect}__range": STARS})
    return possible


def _aspects_of_side() -> Q:
    """Return that each side gives stars for its own aspects only."""
    fitting = Q()
    for side in ReviewSide:
        others = {f"{aspect}__isnull": True for aspect in Aspect if aspect not in ASPECTS[side]}
        fitting |= Q(side=side.value, **others)
    return fitting


@dataclass(frozen=True)
class Spread:
    """How many gave so many stars, and the share of all in percent."""

    stars: int
    count: int
    percent: int


@dataclass(frozen=True)
class Mean:
    """The mean of an aspect to one decimal."""

    aspect: str
    label: str
    value: float


class ReviewQuerySet(models.QuerySet["Review"]):
    def of(self, provider: Provider) -> Self:
        """Those that owners wrote about ``provider``."""
        return self.filter(provider=provider, side=ReviewSide.OWNER)

    def about(self, owner: User) -> Self:
        """Those that providers wrote about ``owner``: for providers' eyes only."""
        return self.filter(booking__owner=owner, side=ReviewSide.PROVIDER)

    def shown(self) -> Self:
        """Those that their readers can see now, newest first."""
        return self.filter(WRITTEN).order_by("-published_at", "-pk")

    def waiting(self) -> Self:
        """Those that nobody but their author sees yet."""
        return self.filter(published_at__isnull=True)

    def due(self, now: datetime) -> Self:
        return self.waiting().filter(due_at__lte=now)

    def with_author(self) -> Self:
        """Load what a list shows, in one query."""
        return self.select_related("author", "booking__service", "provider", "reply")

    def spread(self) -> list[Spread]:
        """Return the counts from five stars down to one."""
        counts = dict(self.order_by().values_list("rating").annotate(models.Count("pk")))
        total = sum(counts.values())
        return [
            Spread(stars, counts.get(stars, 0), round(100 * counts.get(stars, 0) / total) if total else 0)
            for stars in range(5, 0, -1)
        ]

    def means(self, side: ReviewSide) -> list[Mean]:
        """Return the mean of each aspect that somebody gave stars for."""
        found = self.order_by().aggregate(**{f"mean_{aspect}": models.Avg(aspect) for aspect in ASPECTS[side]})
        return [
            Mean(aspect.value, str(aspect.label), round(float(found[f"mean_{aspect}"]), 1))
            for aspect in ASPECTS[side]
            if found[f"mean_{aspect}"] is not None
        ]


class Review(PublicModel):
    """One per completed booking and side. Nothing in it changes once it is written.

    Seen by its author alone until ``published_at``: when both sides wrote, or at ``due_at``, when the time to write is
    over. ``hidden_at``: staff took it away. The owner's is public; the provider's is for providers.
    """

    booking = models.ForeignKey(Booking, on_delete=models.PROTECT, related_name="reviews")
    side = models.CharField(max_length=10, choices=ReviewSide)
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="reviews")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reviews")
    rating = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(5)])
    care = _stars()
    communication = _stars()
    punctuality = _stars()
    value = _stars()
    pet_as_described = _stars()
    text = models.TextField(max_length=4000, blank=True)
    due_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)
    hidden_at = models.DateTimeField(null=True, blank=True)

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-pk")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["booking", "side"], name="review_once_a_side"),
            models.CheckConstraint(condition=Q(side__in=ReviewSide.values), name="review_side_known"),
            models.CheckConstraint(condition=Q(rating__range=STARS), name="review_rating_one_to_five"),
            models.CheckConstraint(condition=_all_stars_possible(), name="review_aspects_one_to_five"),
            models.CheckConstraint(condition=_aspects_of_side(), name="review_aspects_of_its_side"),
            models.CheckConstraint(
                condition=Q(hidden_at__isnull=True) | Q(published_at__isnull=False), name="review_hidden_once_published"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                F("provider"),
                F("published_at").desc(),
                name="review_shown",
                condition=Q(side="owner", published_at__isnull=False, hidden_at__isnull=True),
            ),
            models.Index(fields=["due_at"], name="review_due", condition=Q(published_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.rating} for {self.provider}" if self.is_of_owner else f"{self.rating} by {self.provider}"

    @property
    def is_of_owner(self) -> bool:
        return self.side == ReviewSide.OWNER

    @property
    def is_shown(self) -> bool:
        return self.published_at is not None and self.hidden_at is None

    @property
    def is_counted(self) -> bool:
        """Whether it is part of the provider's figures."""
        return self.is_of_owner and self.is_shown

    @property
    def author_name(self) -> str:
        """The first name, which is all that the public gets to know; of a provider its name."""
        if not self.is_of_owner:
            return self.provider.name
        return self.author.get_short_name() if self.author.is_active else FORMER_USER

    @property
    def aspects(self) -> dict[str, int]:
        """The stars by aspect, those that were given."""
        given = {str(aspect.value): getattr(self, aspect) for aspect in ASPECTS[ReviewSide(self.side)]}
        return {aspect: stars for aspect, stars in given.items() if stars is not None}

    @property
    def aspect_rows(self) -> list[Mean]:
        return [Mean(aspect, str(Aspect(aspect).label), float(stars)) for aspect, stars in self.aspects.items()]

    @property
    def shown_reply(self) -> "Reply | None":
        """The public answer, unless there is none or staff hid it. A query where ``reply`` is not loaded."""
        reply: Reply | None = getattr(self, "reply", None)
        return reply if reply is not None and reply.hidden_at is None else None


class Reply(PublicModel):
    """The provider's one public answer to a review."""

    review = models.OneToOneField(Review, on_delete=models.PROTECT, related_name="reply")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(max_length=2000)
    made_at = models.DateTimeField()
    hidden_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = "replies"
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(text=""), name="reply_has_text")]

    def __str__(self) -> str:
        return f"Reply to {self.review}"


class Flag(PublicModel):
    """Somebody asks staff to look at a review or at its reply."""

    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="flags")
    target = models.CharField(max_length=10, choices=FlagTarget, default=FlagTarget.REVIEW)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=15, choices=FlagReason)
    note = models.TextField(max_length=1000, blank=True)
    made_at = models.DateTimeField()
    decision = models.CharField(max_length=5, choices=Decision, blank=True)
    answer = models.TextField(max_length=1000, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ("-pk",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["review", "target", "by"], name="flag_once_a_person"),
            models.CheckConstraint(condition=Q(target__in=FlagTarget.values), name="flag_target_known"),
            models.CheckConstraint(condition=Q(reason__in=FlagReason.values), name="flag_reason_known"),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True, closed_by__isnull=True, decision="")
                | Q(closed_at__isnull=False, closed_by__isnull=False, decision__in=Decision.values),
                name="flag_closed_with_decision",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["made_at"], name="flag_open", condition=Q(closed_at__isnull=True))]

    def __str__(self) -> str:
        return f"{self.get_reason_display()}: {self.review}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


class LateCancellationQuerySet(models.QuerySet["LateCancellation"]):
    def of(self, provider: Provider) -> Self:
        return self.filter(provider=provider)

    def shown(self) -> Self:
        return self.filter(hidden_at__isnull=True)


class LateCancellation(PublicModel):
    """A provider called off a confirmed visit five days or less before its start. Written by the system, public."""

    booking = models.OneToOneField(Booking, on_delete=models.PROTECT, related_name="late_cancellation")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="late_cancellations")
    cancelled_at = models.DateTimeField()
    # Calendar days at the place; negative when it was after the start's day.
    days_before = models.SmallIntegerField()
    hidden_at = models.DateTimeField(null=True, blank=True)

    objects = LateCancellationQuerySet.as_manager()

    class Meta:
        ordering = ("-cancelled_at", "-pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(days_before__lte=5), name="late_cancellation_is_late"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["provider", "-cancelled_at"], name="late_cancellation_of_provider"),
        ]

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        if self.days_before < 0:
            return "The provider cancelled after the visit should have begun"
        if self.days_before == 0:
            return "The provider cancelled on the day of the visit"
        days = "1 day" if self.days_before == 1 else f"{self.days_before} days"
        return f"The provider cancelled {days} before the visit"
