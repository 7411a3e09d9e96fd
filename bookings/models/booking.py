"""The heart: bookings, and the allocations that no two of them can share."""

from datetime import datetime
from typing import ClassVar, Self
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField
from django.db import models
from django.db.models import F, Func, Q
from django.urls import reverse

from accounts.models import User
from bookings.models.quote import Quote
from bookings.states import FINAL_STATES, LIVE_STATES, UPCOMING_STATES, Action, BookingState, CancelReason, Side
from messaging.models import Conversation
from payments.models import Invoice
from petplace.db import keys_of_either
from petplace.models import PublicModel
from petplace.roles import Right, may
from pets.models import Pet
from providers.models import Provider, Resource, Service
from providers.models.hours import same


class BookingQuerySet(models.QuerySet["Booking"]):
    def owned_by(self, user: User) -> Self:
        return self.filter(owner_id=user.pk)

    def provided_by(self, user: User) -> Self:
        """Those of providers in whose team ``user`` is. What is only held is nobody's business yet."""
        return self.filter(provider__in=Provider.objects.run_by(user)).exclude(state=BookingState.HELD)

    def of_both_sides(self, user: User) -> Self:
        """Those that ``user`` owns, and those of the user's teams."""
        return self.filter(pk__in=keys_of_either(self.owned_by(user), self.provided_by(user)))

    def visible_to(self, user: User) -> Self:
        if may(user, Right.READ):
            return self
        team = Provider.objects.run_by(user).values("pk")
        return self.filter(Q(owner_id=user.pk) | Q(provider__in=team) & ~Q(state=BookingState.HELD))

    def live(self) -> Self:
        return self.filter(state__in=LIVE_STATES)

    def upcoming(self, now: datetime) -> Self:
        return self.filter(state__in=UPCOMING_STATES, ends_at__gt=now).order_by("starts_at", "pk")

    def past(self, now: datetime) -> Self:
        return self.exclude(state=BookingState.HELD).filter(Q(ends_at__lte=now) | Q(state__in=FINAL_STATES))

    def due(self, now: datetime) -> Self:
        """Those that the system must act on now: expired holds and requests, visits to close."""
        return self.filter(due_at__lte=now)

    def with_everything(self) -> Self:
        """Load what a list or a detail shows, in a constant number of queries."""
        found = self.select_related(
            "service__branch", "provider", "owner", "invoice", "quote", "complaint", "conversation"
        )
        return found.prefetch_related("pets", "allocations__resource")


class Booking(PublicModel):
    """``state`` changes in ``bookings.domain`` alone, with an event row each time.

    ``due_at`` is when the system must look at it again (hold or request expiry, automatic completion), null when never.
    ``terms`` is the snapshot of the cancellation table, ``sequence`` the iCalendar SEQUENCE.
    """

    AUDIT_LABEL = "reference"

    reference = models.CharField(max_length=12, unique=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="bookings")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="bookings")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="bookings")
    pets = models.ManyToManyField(Pet, through="BookingPet", related_name="bookings")
    note = models.TextField(max_length=2000, blank=True)
    # How to get in, for visits at home. Shown by ``bookings.domain.revealing`` alone, and blanked after the visit.
    access_note = models.TextField(max_length=1000, blank=True, db_default="")

    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    time_zone = models.CharField(max_length=64)

    state = models.CharField(max_length=15, choices=BookingState, default=BookingState.HELD)
    cancel_reason = models.CharField(max_length=20, choices=CancelReason, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)

    quote = models.ForeignKey(Quote, on_delete=models.PROTECT, related_name="bookings")
    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, null=True, blank=True, related_name="booking")
    # Opened when it is placed.
    conversation = models.OneToOneField(
        Conversation, on_delete=models.PROTECT, null=True, blank=True, related_name="booking"
    )
    currency = models.CharField(max_length=3)
    total = models.BigIntegerField()
    terms = models.JSONField()
    # The person whom the owner asked for by name, if any.
    asked_resource = models.ForeignKey(Resource, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    sequence = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    objects = BookingQuerySet.as_manager()

    class Meta:
        ordering = ("-starts_at", "-pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=BookingState.values), name="booking_state_known"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="booking_ends_after_start"),
            models.CheckConstraint(condition=Q(total__gte=0), name="booking_total_not_negative"),
            models.CheckConstraint(
                condition=Q(state="cancelled") ^ Q(cancel_reason=""), name="booking_cancelled_has_reason"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["held", "pending"]) | Q(due_at__isnull=False), name="booking_open_has_due_time"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["owner", "-starts_at"], name="booking_of_owner"),
            models.Index(fields=["provider", "starts_at"], name="booking_of_provider"),
            models.Index(fields=["due_at"], name="booking_due", condition=Q(due_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.reference

    def get_absolute_url(self) -> str:
        return reverse("bookings:detail", args=[self.reference])

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def local_start(self) -> datetime:
        """The start as the clock at the place shows it, without a zone: for templates that print parts of it."""
        return self.starts_at.astimezone(self.zone).replace(tzinfo=None)

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES

    @property
    def is_held(self) -> bool:
        return self.state == BookingState.HELD

    @property
    def is_pending(self) -> bool:
        return self.state == BookingState.PENDING

    @property
    def is_confirmed(self) -> bool:
        return self.state == BookingState.CONFIRMED

    @property
    def is_completed(self) -> bool:
        return self.state == BookingState.COMPLETED


class Complaint(PublicModel):
    """The owner says that something went wrong with a visit: its payout waits until Pet Place has decided."""

    booking = models.OneToOneField(Booking, on_delete=models.PROTECT, related_name="complaint")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(max_length=2000)
    made_at = models.DateTimeField()
    answer = models.TextField(max_length=2000, blank=True)
    refund_amount = models.BigIntegerField(default=0)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ("-pk",)
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(text=""), name="complaint_has_text"),
            models.CheckConstraint(condition=Q(refund_amount__gte=0), name="complaint_refund_not_negative"),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) ^ Q(closed_by__isnull=False), name="complaint_closed_by_somebody"
            ),
        ]

    def __str__(self) -> str:
        return f"Complaint about {self.booking}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


class BookingPet(models.Model):
    booking = models.ForeignKey(Booking, on_delete=models.CASCADE, related_name="booking_pets")
    pet = models.ForeignKey(Pet, on_delete=models.PROTECT, related_name="booking_pets")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["booking", "pet"], name="booking_pet_once")]

    def __str__(self) -> str:
        return f"{self.pet_id} in {self.booking_id}"


class Allocation(models.Model):
    """One resource, taken by one booking for a span (buffers included). The database refuses an overlap.

    Written only by ``bookings.domain.allocations``, with ``INSERT ... ON CONFLICT DO NOTHING``: a plain insert that
    meets another one deadlocks. The GiST constraint guarantees, the B-tree index reads.
    """

    booking = models.ForeignKey(Booking, on_delete=models.CASCADE, related_name="allocations")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="allocations", db_index=False)
    during = DateTimeRangeField()
    is_live = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar = [
            ExclusionConstraint(
                name="allocation_no_overlap",
                expressions=[(same("resource"), "&&"), ("during", "&&")],
                condition=Q(is_live=True),
                index_type="GIST",
            ),
            models.CheckConstraint(
                condition=Q(during__isempty=False, during__lower_inf=False, during__upper_inf=False),
                name="allocation_bounded",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                F("resource"),
                Func(F("during"), function="upper"),
                Func(F("during"), function="lower"),
                name="allocation_live",
                condition=Q(is_live=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resource_id} {self.during}"


class BookingEvent(PublicModel):
    """One step in the life of a booking: who, from where, to where, why. Never changed; both sides can read it."""

    booking = models.ForeignKey(Booking, on_delete=models.CASCADE, related_name="events")
    action = models.CharField(max_length=15, choices=Action)
    from_state = models.CharField(max_length=15, choices=BookingState, blank=True)
    to_state = models.CharField(max_length=15, choices=BookingState)
    side = models.CharField(max_length=10, choices=Side)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=1000, blank=True)
    detail = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField()

    class Meta:
        # In the order of the booking's lock. ``at`` is the actor's clock, read before the wait for it.
        ordering = ("pk",)
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(to_state__in=BookingState.values), name="booking_event_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.action} to {self.to_state}"
