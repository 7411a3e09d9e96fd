"""What is owed. An invoice is the only thing that is paid; it knows nothing of walks or pets."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.models import User
from petplace.models import PublicModel
from providers.models import Provider


class InvoiceState(models.TextChoices):
    OPEN = "open", "To be paid at the visit"
    PAID = "paid", "Paid"
    VOID = "void", "Void"


class LineKind(models.TextChoices):
    """Shared by quotes and invoices, so that one price can be followed from the first list to the refund."""

    BASE = "base", "Price"
    NIGHT = "night", "Night"
    EXTRA_PET = "extra_pet", "Extra pet"
    HOLIDAY = "holiday", "Holiday rate"
    ADDON = "addon", "Extra"
    REFUND = "refund", "Refund"


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    def paid_by(self, user: User) -> Self:
        """Those that ``user`` pays."""
        return self.filter(payer_id=user.pk)

    def visible_to(self, user: User) -> Self:
        """Those that ``user`` pays, or that a provider whom the user manages has written."""
        managed = Provider.objects.managed_by(user).values("pk")
        return self.filter(Q(payer_id=user.pk) | Q(provider__in=managed))

    def with_parties(self) -> Self:
        """Load what a list shows, in one query."""
        return self.select_related("provider", "payer", "booking")

    def sums(self) -> dict[str, int]:
        """Return what is open and what is paid, in minor units of the one currency of a provider."""
        sums = dict(self.order_by().values_list("state").annotate(models.Sum("total")))
        return {"open": sums.get(InvoiceState.OPEN, 0), "paid": sums.get(InvoiceState.PAID, 0)}


class Invoice(PublicModel):
    """``total`` is the sum of the lines (kept by ``payments.domain.invoices``), in minor units of ``currency``."""

    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="invoices")
    payer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="invoices")
    subject = models.CharField(max_length=200)
    currency = models.CharField(max_length=3)
    total = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, choices=InvoiceState, default=InvoiceState.OPEN)
    due_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True)
    voided_at = models.DateTimeField(null=True, blank=True)

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(total__gte=0), name="invoice_total_not_negative"),
            models.CheckConstraint(condition=Q(state__in=InvoiceState.values), name="invoice_state_known"),
            models.CheckConstraint(condition=~Q(state="paid") | Q(paid_at__isnull=False), name="invoice_paid_has_time"),
        ]
        indexes: ClassVar = [models.Index(fields=["provider", "-created_at"], name="invoice_of_provider")]

    def __str__(self) -> str:
        return self.subject

    @property
    def is_open(self) -> bool:
        return self.state == InvoiceState.OPEN

    @property
    def is_paid(self) -> bool:
        return self.state == InvoiceState.PAID

    @property
    def number(self) -> str:
        """A short name for people: the first letters of the public id."""
        return f"INV-{self.uid.hex[:8].upper()}"


class InvoiceLine(models.Model):
    """One explained amount: ``amount`` is ``quantity`` times ``unit_amount``, negative on a refund line."""

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
