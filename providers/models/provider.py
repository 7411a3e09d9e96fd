"""Who offers care."""

from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse

from accounts.models import User
from petplace.models import PublicModel
from petplace.roles import Right, may
from providers import badges
from providers.choices import AppointmentPolicy, DocumentKind, MembershipRole, ProviderKind, StayPolicy
from providers.states import ProviderState

MAX_TAX_RATE_BP = 5000  # 50 %; a guard against slips of the finger


class ProviderQuerySet(models.QuerySet["Provider"]):
    def public(self) -> Self:
        """Those that anyone may find and look at."""
        return self.filter(state=ProviderState.APPROVED)

    def run_by(self, user: User) -> Self:
        """Those of whose team ``user`` is a member, in any role."""
        return self.filter(memberships__user_id=user.pk)

    def managed_by(self, user: User) -> Self:
        return self.filter(memberships__user_id=user.pk, memberships__role=MembershipRole.MANAGER)

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Approved ones, the user's own in any state, and all to staff."""
        if may(user, Right.READ):
            return self
        own = Provider.objects.filter(memberships__user_id=user.pk).values("pk") if user.is_authenticated else []
        return self.filter(Q(state=ProviderState.APPROVED) | Q(pk__in=own))

    def waiting(self) -> Self:
        return self.filter(state=ProviderState.SUBMITTED).order_by("submitted_at")


class Provider(PublicModel):
    """A business or a person that sells care. Found and booked only while approved."""

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=140, unique=True)
    kind = models.CharField(max_length=20, choices=ProviderKind)
    bio = models.TextField(max_length=4000, blank=True)
    avatar = models.ImageField(upload_to="providers/", blank=True)

    currency = models.CharField(max_length=3, default="EUR")
    cancellation_policy = models.CharField(max_length=20, choices=StayPolicy, default=StayPolicy.ONE_DAY)
    appointment_policy = models.CharField(max_length=20, choices=AppointmentPolicy, default=AppointmentPolicy.FAIR)

    # Basis points: 1900 is 19 %. An inclusive rate is shown as part of the prices, an exclusive one is added to them.
    tax_rate_bp = models.PositiveSmallIntegerField(
        default=0, db_default=0, validators=[MaxValueValidator(MAX_TAX_RATE_BP)]
    )
    is_tax_inclusive = models.BooleanField(default=True, db_default=True)
    tax_id = models.CharField(max_length=40, blank=True, db_default="")

    state = models.CharField(max_length=20, choices=ProviderState, default=ProviderState.DRAFT, editable=False)
    state_reason = models.TextField(max_length=1000, blank=True, editable=False)
    submitted_at = models.DateTimeField(null=True, blank=True, editable=False)
    approved_at = models.DateTimeField(null=True, blank=True, editable=False)

    # Kinds of papers that ran out and so suspended it by themselves; empty when people did.
    suspended_for = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)
    # What badges are made of (see ``providers.badges``), so that lists read this row alone.
    checked = models.JSONField(default=list, db_default=models.Value([], models.JSONField()), editable=False)
    figures = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()), editable=False)
    figures_at = models.DateTimeField(null=True, blank=True, editable=False)

    # Figures kept by the reviews app: a mean is the sum over the count.
    rating_sum = models.PositiveIntegerField(default=0, editable=False)
    review_count = models.PositiveIntegerField(default=0, editable=False)

    objects = ProviderQuerySet.as_manager()

    class Meta:
        ordering = ("name", "pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=ProviderState.values), name="provider_state_known"),
            models.CheckConstraint(condition=Q(kind__in=ProviderKind.values), name="provider_kind_known"),
            models.CheckConstraint(
                condition=Q(rating_sum__gte=models.F("review_count"), rating_sum__lte=models.F("review_count") * 5),
                name="provider_rating_possible",
            ),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="provider_currency_iso"),
            models.CheckConstraint(condition=Q(tax_rate_bp__lte=MAX_TAX_RATE_BP), name="provider_tax_rate_sane"),
        ]
        indexes: ClassVar = [models.Index(fields=["state", "submitted_at"], name="provider_queue")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("provider_detail", args=[self.slug])

    @property
    def photo_url(self) -> str:
        """The address of the picture or logo, a new one for each file so that it can be cached; empty without."""
        if not self.avatar:
            return ""
        return f"{reverse('provider_avatar', args=[self.slug])}?v={str(self.avatar.name).rsplit('/', 1)[-1][:8]}"

    def badges(self, now: datetime) -> list[badges.Badge]:
        """Return what was checked and is still good, and what the figures earn."""
        return badges.earned(self.checked, self.figures, now=now)

    @property
    def tax_percent(self) -> str:
        """The tax rate for people: ``19`` or ``7.5``."""
        return f"{self.tax_rate_bp / 100:g}"

    @property
    def is_suspended(self) -> bool:
        return self.state == ProviderState.SUSPENDED

    @property
    def is_public(self) -> bool:
        return self.state == ProviderState.APPROVED

    @property
    def rating(self) -> float | None:
        """The mean of the published stars to two decimals, or None without reviews."""
        return round(self.rating_sum / self.review_count, 2) if self.review_count else None


class ProviderPhoto(PublicModel):
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="photos")
    image = models.ImageField(upload_to="providers/")
    caption = models.CharField(max_length=120, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("position", "pk")

    def __str__(self) -> str:
        return self.caption or f"Photo {self.position}"

    def get_absolute_url(self) -> str:
        return reverse("provider_photo", args=[self.uid])


class ProviderEvent(models.Model):
    """One step in the life of an application: who did what, and why. Never changed."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="events")
    from_state = models.CharField(max_length=20, choices=ProviderState)
    to_state = models.CharField(max_length=20, choices=ProviderState)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("at", "pk")

    def __str__(self) -> str:
        return f"{self.from_state} to {self.to_state}"

    @property
    def is_edit(self) -> bool:
        """A sensitive edit, recorded without a change of state."""
        return self.from_state == self.to_state and bool(self.reason)


class ProfileEdit(PublicModel):
    """A sensitive edit after approval. It counts at once and waits until somebody of the platform has looked at it."""

    class Field(models.TextChoices):
        NAME = "name", "Name"
        KIND = "kind", "Kind"
        ADDRESS = "address", "Address"
        DOCUMENT = "document", "Document"

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="edits")
    field = models.CharField(max_length=10, choices=Field)
    what = models.TextField(max_length=1000)
    target_uid = models.UUIDField(null=True, blank=True)  # of the branch or document
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField()
    is_kept = models.BooleanField(null=True, blank=True)
    note = models.CharField(max_length=300, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("at", "pk")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(decided_at__isnull=True, is_kept__isnull=True)
                | Q(decided_at__isnull=False, is_kept__isnull=False),
                name="profile_edit_decided_or_not",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["at"], name="profile_edit_queue", condition=Q(decided_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return self.what

    @property
    def is_open(self) -> bool:
        return self.decided_at is None


class Membership(PublicModel):
    """A person in a provider's team."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=MembershipRole, default=MembershipRole.STAFF)

    class Meta:
        ordering = ("role", "pk")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "user"], name="membership_once"),
            models.CheckConstraint(condition=Q(role__in=MembershipRole.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()})"


class VerificationDocument(PublicModel):
    """A paper of a provider, or of one person who works there. Its check names who looked, when, and until when.

    ``expires_at`` is the midnight after ``valid_until`` at the provider's place. ``expired_at`` is set when that has
    come; from then on the paper carries nothing any more.
    """

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="documents")
    resource = models.ForeignKey(
        "providers.Resource", on_delete=models.PROTECT, null=True, blank=True, related_name="documents"
    )
    kind = models.CharField(max_length=20, choices=DocumentKind)
    file = models.FileField(upload_to="documents/")
    note = models.CharField(max_length=300, blank=True)
    valid_until = models.DateField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    expired_at = models.DateTimeField(null=True, blank=True, editable=False)
    # How many days before its end the last reminder was: 30, 7 or 1.
    reminded_days = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    checked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    check_note = models.CharField(max_length=300, blank=True, db_default="")
    is_accepted = models.BooleanField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("kind", "-created_at")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(kind__in=DocumentKind.values), name="document_kind_known"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["expires_at"], name="document_expiring", condition=Q(is_accepted=True, expired_at__isnull=True)
            ),
            models.Index(fields=["created_at"], name="document_queue", condition=Q(is_accepted__isnull=True)),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()

    @property
    def is_waiting(self) -> bool:
        """Nobody has looked at it yet."""
        return self.is_accepted is None

    @property
    def check_state(self) -> str:
        if self.is_waiting:
            return "waiting"
        if self.is_accepted and self.expired_at is not None:
            return "expired"
        return "accepted" if self.is_accepted else "refused"

    @property
    def check_label(self) -> str:
        labels = {
            "waiting": "Waiting to be checked",
            "accepted": "Checked",
            "refused": "Not accepted",
            "expired": "Has run out",
        }
        return labels[self.check_state]
