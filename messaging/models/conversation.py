"""What people say to each other: an owner on one side, the team of a provider on the other."""

from datetime import datetime
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, Count, Exists, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.urls import reverse

from accounts.models import User
from messaging.choices import OTHER_SIDE, ConversationKind, MessageKind, ReportReason, Side
from petplace.db import keys_of_either
from petplace.models import PublicModel
from providers.models import Provider

TEXT_LENGTH = 2000
# The counter of the side that must read, named by the side that reads.
WRITTEN_FOR = {Side.OWNER: "provider_last_seq", Side.PROVIDER: "owner_last_seq"}


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def of_owner(self, user: User) -> Self:
        """Those in which ``user`` is the owner, unless the provider has blocked them."""
        return self.filter(~_blocked_by(Side.PROVIDER), owner_id=user.pk)

    def of_team(self, user: User) -> Self:
        """Those of providers in whose team ``user`` is now, unless the owner has blocked the provider."""
        teams = Provider.objects.run_by(user).values("pk")
        return self.filter(~_blocked_by(Side.OWNER), provider__in=teams)

    def of(self, user: User, side: str) -> Self:
        return self.of_owner(user) if side == Side.OWNER else self.of_team(user)

    def visible_to(self, user: User) -> Self:
        """Those that ``user`` may read on either side. Staff of the platform read only what was reported, elsewhere."""
        return self.filter(pk__in=keys_of_either(self.of_owner(user), self.of_team(user)))

    def unread_by(self, user: User, side: str) -> Self:
        """Of these, those where the other side wrote something that ``user`` has not read.

        Steps of a booking do not count: people hear of them as notifications.
        """
        written = WRITTEN_FOR[Side(side)]
        has_read = Seat.objects.filter(conversation=OuterRef("pk"), user_id=user.pk, read_seq__gte=OuterRef(written))
        return self.filter(~Exists(has_read), **{f"{written}__gt": 0})

    def for_list(self, user: User, side: str) -> Self:
        """Newest first, with ``unread`` (how many messages) and ``read_seq`` of ``user``."""
        other = Value(OTHER_SIDE[Side(side)])
        return self._counted(user, other).order_by("-last_message_at", "-uid")

    def for_caller(self, user: User) -> Self:
        """With ``unread`` and ``read_seq`` of ``user`` on whichever side they are."""
        return self._counted(user, Case(When(owner_id=user.pk, then=Value(Side.PROVIDER)), default=Value(Side.OWNER)))

    def _counted(self, user: User, other: Value | Case) -> Self:
        seat = Seat.objects.filter(conversation=OuterRef("pk"), user_id=user.pk)
        read_seq = Coalesce(Subquery(seat.values("read_seq")), 0)
        marked = self.select_related("owner", "provider").annotate(read_seq=read_seq, other_side=other)
        return marked.annotate(unread=Coalesce(Subquery(_later()), 0))


def _blocked_by(side: Side) -> Exists:
    return Exists(Block.objects.filter(provider=OuterRef("provider"), owner=OuterRef("owner"), side=side))


def _later() -> "models.QuerySet[Any, Any]":
    """Count what ``other_side`` wrote after ``read_seq``, for one conversation."""
    later = Message.objects.filter(
        conversation=OuterRef("pk"), side=OuterRef("other_side"), seq__gt=OuterRef("read_seq")
    )
    return later.order_by().values("conversation").annotate(number=Count("pk")).values("number")


class Conversation(PublicModel):
    """One talk between an owner and a provider: about one booking, or a question before one exists.

    ``last_seq`` is the number of its newest message; numbers have no gaps. What each side wrote last is kept beside it,
    so that counting unread talks reads no messages. The booking points here, never the other way round.
    """

    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="conversations", db_index=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="conversations", db_index=False
    )
    kind = models.CharField(max_length=10, choices=ConversationKind)
    subject = models.CharField(max_length=200, blank=True)
    # Phone numbers and e-mail addresses are shown to the other side.
    is_open_contact = models.BooleanField(default=False)
    # From then on it can be read only. None: not yet known, or never.
    closes_at = models.DateTimeField(null=True, blank=True)
    last_seq = models.PositiveIntegerField(default=0)
    owner_last_seq = models.PositiveIntegerField(default=0)
    provider_last_seq = models.PositiveIntegerField(default=0)
    last_message_at = models.DateTimeField()

    objects = ConversationQuerySet.as_manager()

    class Meta:
        ordering = ("-last_message_at", "-pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["owner", "provider"],
                name="conversation_one_open_enquiry",
                condition=Q(kind="enquiry", closes_at__isnull=True),
            ),
            models.CheckConstraint(condition=Q(kind__in=ConversationKind.values), name="conversation_kind_known"),
            models.CheckConstraint(
                condition=Q(owner_last_seq__lte=F("last_seq"), provider_last_seq__lte=F("last_seq")),
                name="conversation_sides_not_ahead",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["owner", "-last_message_at"], name="conversation_of_owner"),
            models.Index(fields=["provider", "-last_message_at"], name="conversation_of_provider"),
        ]

    def __str__(self) -> str:
        return self.subject or f"Question {self.uid}"

    def get_absolute_url(self) -> str:
        return self.url_for(Side.OWNER)

    def url_for(self, side: str) -> str:
        """Return the page of this talk for one side. Needs ``provider``."""
        if side == Side.PROVIDER:
            return reverse("provider:conversation", args=[self.provider.slug, self.uid])
        return reverse("conversations:conversation", args=[self.uid])

    @property
    def is_enquiry(self) -> bool:
        return self.kind == ConversationKind.ENQUIRY

    def is_closed(self, now: datetime) -> bool:
        return self.closes_at is not None and self.closes_at <= now


class MessageQuerySet(models.QuerySet["Message"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(conversation__in=Conversation.objects.visible_to(user).values("pk"))


class Message(PublicModel):
    """One line of a talk. Only ``removed_at`` changes it: its author has closed the account, or staff took it out."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages", db_index=False)
    seq = models.PositiveIntegerField()
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    side = models.CharField(max_length=10, choices=Side)
    kind = models.CharField(max_length=10, choices=MessageKind)
    text = models.TextField(max_length=TEXT_LENGTH, blank=True)
    photo = models.ImageField(upload_to="messages/", blank=True)
    # Drawn by whoever sends, so that sending again is the same message.
    client_id = models.UUIDField(null=True, blank=True)
    at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ("conversation", "seq")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["conversation", "seq"], name="message_seq_once"),
            models.UniqueConstraint(fields=["conversation", "author", "client_id"], name="message_sent_once"),
            models.CheckConstraint(condition=Q(side__in=Side.values), name="message_side_known"),
            models.CheckConstraint(condition=Q(kind__in=MessageKind.values), name="message_kind_known"),
            models.CheckConstraint(condition=Q(seq__gte=1), name="message_seq_from_one"),
            models.CheckConstraint(
                condition=Q(side="system", kind="event", author__isnull=True)
                | Q(~Q(side="system"), ~Q(kind="event"), author__isnull=False, client_id__isnull=False),
                name="message_has_author_or_is_event",
            ),
            models.CheckConstraint(
                condition=~Q(text="") | ~Q(photo="") | Q(removed_at__isnull=False), name="message_says_something"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["author", "-at"], name="message_by_author", condition=Q(author__isnull=False)
            ),  # the limit per minute, and what is forgotten
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.seq}"

    @property
    def is_event(self) -> bool:
        return self.kind == MessageKind.EVENT

    @property
    def is_removed(self) -> bool:
        return self.removed_at is not None


class Seat(models.Model):
    """How far one person has got in a talk. Made when they first read or write there."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="seats")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    read_seq = models.PositiveIntegerField(default=0)
    delivered_seq = models.PositiveIntegerField(default=0)
    seen_at = models.DateTimeField(null=True, blank=True)
    is_muted = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["conversation", "user"], name="seat_once"),
            models.CheckConstraint(condition=Q(read_seq__lte=F("delivered_seq")), name="seat_read_is_delivered"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} up to {self.read_seq}"


class Block(PublicModel):
    """One side wants to hear nothing more of the other: the other finds none of their talks any more."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="+", db_index=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    side = models.CharField(max_length=10, choices=Side)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "owner", "side"], name="block_once"),
            models.CheckConstraint(condition=Q(side__in=["owner", "provider"]), name="block_side_known"),
        ]

    def __str__(self) -> str:
        return f"by the {self.side}"


class Report(PublicModel):
    """Somebody asks staff to look at a talk. ``quote`` keeps the words, should they be taken away."""

    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, related_name="reports")
    message = models.ForeignKey(Message, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    side = models.CharField(max_length=10, choices=Side)
    reason = models.CharField(max_length=10, choices=ReportReason)
    text = models.TextField(max_length=TEXT_LENGTH, blank=True)
    quote = models.TextField(max_length=TEXT_LENGTH, blank=True)
    made_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    outcome = models.CharField(max_length=1000, blank=True)

    class Meta:
        ordering = ("made_at", "pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["conversation", "by"], name="report_one_open", condition=Q(closed_at__isnull=True)
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) ^ Q(closed_by__isnull=False), name="report_closed_by_somebody"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["made_at"], name="report_waiting", condition=Q(closed_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()} ({self.made_at:%Y-%m-%d})"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


class StaffLook(models.Model):
    """Staff has opened a reported talk: who and when. Never changed."""

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="looks")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ("-at", "-pk")

    def __str__(self) -> str:
        return f"{self.by} at {self.at:%Y-%m-%d %H:%M}"


class QuickReply(PublicModel):
    """A text that a provider's team sends often."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="quick_replies")
    title = models.CharField(max_length=40)
    text = models.TextField(max_length=TEXT_LENGTH)

    class Meta:
        ordering = ("title", "pk")
        verbose_name_plural = "quick replies"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "title"], name="quick_reply_title_once"),
        ]

    def __str__(self) -> str:
        return self.title
