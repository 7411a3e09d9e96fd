"""What is owed. An invoice is the only thing that is paid; it knows nothing of walks or pets."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.models import User
from payments.states import InvoiceState
from petplace.db import keys_of_either
from petplace.models import PublicModel
from providers.models import Provider


class InvoiceKind(models.TextChoices):
    SALE = "sale", "Invoice"
    EXTRA = "extra", "Extra charge"
    TIP = "tip", "Tip"
    CREDIT_NOTE = "credit_note", "Credit note"


class LineKind(models.TextChoices):
    """Shared by quotes and invoices, so that one price can be followed from the first list to the refund."""

    BASE = "base", "Price"
    NIGHT = "night", "Night"
    EXTRA_PET = "extra_pet", "Extra pet"
    HOLIDAY = "holiday", "Holiday rate"
    ADDON = "addon", "Extra"
    REFUND = "refund", "Refund"
    DISCOUNT = "discount", "Discount"
    SERVICE_FEE = "service_fee", "Service fee"
    TAX = "tax", "Tax"
    TIP = "tip", "Tip"
    EXTRA = "extra", "Extra charge"
    MOVED = "moved", "Difference after a move"


class CaptureMethod(models.TextChoices):
    AUTOMATIC = "automatic", "At once"
    MANUAL = "manual", "When the work is accepted"


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    def paid_by(self, user: User) -> Self:
        """Those that ``user`` pays."""
        return self.filter(payer_id=user.pk)

    def visible_to(self, user: User) -> Self:
        """Those that ``user`` pays, or that a provider whom the user manages has written."""
        written = self.filter(provider__in=Provider.objects.managed_by(user))
        return self.filter(pk__in=keys_of_either(self.paid_by(user), written))

    def with_parties(self) -> Self:
        """Load what a list shows, in one query."""
        return self.select_related("provider", "payer", "booking")

    def for_paper(self) -> Self:
        """Load all that one invoice says."""
        return self.select_related("provider", "payer", "booking", "parent__booking", "credits").prefetch_related(
            "lines"
        )

    def owed(self) -> Self:
        """What somebody still has to pay, a tip apart: that is never owed."""
        return self.filter(state=InvoiceState.OPEN).exclude(kind__in=[InvoiceKind.CREDIT_NOTE, InvoiceKind.TIP])

    def sums(self) -> dict[str, int]:
        """Return what is open and what is paid, in minor units of the one currency of a provider."""
        owed = F("total") - F("credited_amount") - F("paid_amount")
        found = self.order_by().aggregate(
            open=models.Sum(owed, filter=Q(state=InvoiceState.OPEN)),
            paid=models.Sum("paid_amount"),
        )
        return {"open": found["open"] or 0, "paid": found["paid"] or 0}


class Invoice(PublicModel):
    """``total`` is the sum of the lines (kept by ``payments.domain.invoices``), in minor units of ``currency``.

    A sale and its children (extra charges, tips, credit notes) are a family. ``number`` is given when it is issued, in
    one gapless series per provider and year; from then on its lines do not change. A credit note's total is what it
    takes off the invoice that it ``credits``. ``paid_amount`` is what was captured or taken in cash, less what was
    given back; ``tax_amount`` and ``owner_fee`` are inside the total, ``commission`` is the provider's share of the
    platform and ``subsidy`` a discount that the platform pays.
    """

    AUDIT_LABEL = "number"

    kind = models.CharField(max_length=12, choices=InvoiceKind, default=InvoiceKind.SALE)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")
    credits = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="credit_notes")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="invoices")
    payer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="invoices")
    subject = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=InvoiceState, default=InvoiceState.OPEN)
    number = models.CharField(max_length=20, null=True, blank=True)  # noqa: DJ001 (unique where there is one)

    currency = models.CharField(max_length=3)
    total = models.BigIntegerField(default=0)
    prepay_amount = models.BigIntegerField(default=0)
    credited_amount = models.BigIntegerField(default=0)
    paid_amount = models.BigIntegerField(default=0)
    capture_method = models.CharField(max_length=10, choices=CaptureMethod, default=CaptureMethod.AUTOMATIC)

    tax_rate_bp = models.PositiveIntegerField(default=0)
    is_tax_inclusive = models.BooleanField(default=False)
    tax_amount = models.BigIntegerField(default=0)
    owner_fee = models.BigIntegerField(default=0)
    commission = models.BigIntegerField(default=0)
    subsidy = models.BigIntegerField(default=0)

    due_at = models.DateTimeField()
    issued_at = models.DateTimeField(null=True, blank=True)
    paid_at = models.DateTimeField(null=True, blank=True)
    voided_at = models.DateTimeField(null=True, blank=True)
    earned_at = models.DateTimeField(null=True, blank=True)
    payout_due_at = models.DateTimeField(null=True, blank=True)

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(total__gte=0), name="invoice_total_not_negative"),
            models.CheckConstraint(condition=Q(state__in=InvoiceState.values), name="invoice_state_known"),
            models.CheckConstraint(condition=Q(kind__in=InvoiceKind.values), name="invoice_kind_known"),
            models.CheckConstraint(condition=~Q(state="paid") | Q(paid_at__isnull=False), name="invoice_paid_has_time"),
            models.CheckConstraint(
                condition=Q(credited_amount__gte=0, credited_amount__lte=F("total")), name="invoice_credit_possible"
            ),
            models.CheckConstraint(condition=Q(paid_amount__gte=0), name="invoice_paid_not_negative"),
            models.CheckConstraint(
                condition=Q(prepay_amount__gte=0, prepay_amount__lte=F("total")), name="invoice_prepay_possible"
            ),
            models.CheckConstraint(
                condition=Q(tax_amount__gte=0, owner_fee__gte=0, total__gte=F("tax_amount") + F("owner_fee")),
                name="invoice_parts_within_total",
            ),
            models.CheckConstraint(
                condition=Q(
                    commission__gte=0,
                    subsidy__gte=0,
                    commission__lte=F("total") - F("tax_amount") - F("owner_fee") + F("subsidy"),
                ),
                name="invoice_commission_possible",
            ),
            models.CheckConstraint(
                condition=Q(kind="sale") ^ Q(parent__isnull=False), name="invoice_children_have_parent"
            ),
            models.CheckConstraint(
                condition=Q(kind="credit_note") ^ Q(credits__isnull=True), name="invoice_credit_note_names_other"
            ),
            models.CheckConstraint(
                condition=Q(number__isnull=True) ^ Q(issued_at__isnull=False), name="invoice_number_with_time"
            ),
            models.CheckConstraint(
                condition=Q(earned_at__isnull=True) | Q(payout_due_at__isnull=False), name="invoice_earned_has_due_time"
            ),
            models.UniqueConstraint(fields=["provider", "number"], name="invoice_number_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["provider", "-created_at"], name="invoice_of_provider"),
            models.Index(fields=["provider", "due_at"], name="invoice_owed", condition=Q(state="open")),
        ]

    def __str__(self) -> str:
        return self.subject

    @property
    def is_draft(self) -> bool:
        return self.state == InvoiceState.DRAFT

    @property
    def is_open(self) -> bool:
        return self.state == InvoiceState.OPEN

    @property
    def is_paid(self) -> bool:
        return self.state == InvoiceState.PAID

    @property
    def is_void(self) -> bool:
        return self.state == InvoiceState.VOID

    @property
    def is_issued(self) -> bool:
        return self.issued_at is not None

    @property
    def is_tip(self) -> bool:
        return self.kind == InvoiceKind.TIP

    @property
    def is_credit_note(self) -> bool:
        return self.kind == InvoiceKind.CREDIT_NOTE

    @property
    def root_id(self) -> int:
        """The key of the family's sale."""
        return self.parent_id or self.pk

    @property
    def claim(self) -> int:
        """What is to be paid for it in all: nothing when void, a credit note asks for nothing either."""
        return 0 if self.is_void or self.is_credit_note else self.total - self.credited_amount

    @property
    def outstanding(self) -> int:
        """What is still to be paid, in minor units; never negative."""
        return max(self.claim - self.paid_amount, 0)

    @property
    def overpaid(self) -> int:
        """What was paid beyond the claim and not given back yet."""
        return max(self.paid_amount - self.claim, 0)

    @property
    def is_asked_for(self) -> bool:
        """Whether its payer may be shown the way to pay online: not what is paid at a visit that is still to come."""
        if self.is_draft:
            return self.prepay_amount > self.paid_amount
        return self.is_open and self.outstanding > 0 and (self.is_issued or self.kind != InvoiceKind.SALE)

    @property
    def tax_percent(self) -> str:
        """The tax rate for people: ``19`` or ``7.5``."""
        return f"{self.tax_rate_bp / 100:g}"

    @property
    def has_tax_line(self) -> bool:
        """Whether the tax stands among the lines, as one that comes on top of the prices does."""
        return any(line.kind == LineKind.TAX for line in self.lines.all())

    @property
    def label(self) -> str:
        """The number, or while it has none a short name for people: the first letters of the public id."""
        return self.number or f"INV-{self.uid.hex[:8].upper()}"


class InvoiceLine(models.Model):
    """One explained amount: ``amount`` is ``quantity`` times ``unit_amount``, negative on a refund or a discount."""

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=20, choices=LineKind)
    description = models.CharField(max_length=250)
    quantity = models.PositiveIntegerField(default=1)
    unit_amount = models.BigIntegerField()
    amount = models.BigIntegerField()

    class Meta:
        ordering = ("position",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_position_once"),
            models.CheckConstraint(
                condition=Q(amount=F("quantity") * F("unit_amount")), name="invoice_line_amount_is_product"
            ),
        ]

    def __str__(self) -> str:
        return self.description


class InvoiceSeries(models.Model):
    """The next number of a provider's invoices in one year. Its row is locked while a number is given."""

    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="+")
    year = models.PositiveSmallIntegerField()
    next = models.PositiveIntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "year"], name="invoice_series_once"),
            models.CheckConstraint(condition=Q(next__gte=1), name="invoice_series_counts_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.provider_id} {self.year}"
