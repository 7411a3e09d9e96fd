"""Money on its way: payments, what is given back of them, and the talk with the gateways."""

from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from payments.models.invoice import CaptureMethod, Invoice
from payments.models.payout import Payout
from payments.states import (
    LIVE_PAYMENT_STATES,
    OPEN_DISPUTE_STATES,
    CallState,
    DisputeState,
    EventState,
    PaymentState,
    RefundState,
)
from petplace.models import PublicModel

CASH = "cash"  # the "gateway" of money that was handed over at the visit


class PaymentMethod(models.TextChoices):
    CARD = "card", "Card"
    PAYPAL = "paypal", "PayPal"
    CASH = "cash", "Cash"


class Wanted(models.TextChoices):
    """What is to become of an authorized payment."""

    CAPTURE = "capture", "Capture"
    VOID = "void", "Release"


class PaymentQuerySet(models.QuerySet["Payment"]):
    def live(self) -> Self:
        """Attempts that the payer may still finish."""
        return self.filter(state__in=LIVE_PAYMENT_STATES)

    def unsettled(self) -> Self:
        """Those of which the gateway may know more than we do."""
        return self.filter(Q(state__in=LIVE_PAYMENT_STATES) | Q(state=PaymentState.AUTHORIZED)).exclude(ref=None)


class Payment(PublicModel):
    """One attempt to pay ``invoice``. ``ref`` is the gateway's id; its state follows what the gateway says.

    ``refunded_amount`` counts refunds that were asked for and did not fail; ``flagged`` means that the gateway's amount
    or currency is not ours and a person must look. ``checked_at`` is when the gateway was asked last.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payments")
    gateway = models.CharField(max_length=20)
    method = models.CharField(max_length=10, choices=PaymentMethod, default=PaymentMethod.CARD)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=20, choices=PaymentState, default=PaymentState.NEW)
    ref = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 (unique where there is one)
    captured_amount = models.BigIntegerField(default=0)
    refunded_amount = models.BigIntegerField(default=0)
    capture_method = models.CharField(max_length=10, choices=CaptureMethod, default=CaptureMethod.AUTOMATIC)
    wanted = models.CharField(max_length=10, choices=Wanted, blank=True)
    return_url = models.CharField(max_length=500, blank=True)
    failure_code = models.CharField(max_length=100, blank=True)
    failure_message = models.CharField(max_length=500, blank=True)
    authorized_at = models.DateTimeField(null=True, blank=True)
    captured_at = models.DateTimeField(null=True, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    flagged = models.BooleanField(default=False)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    objects = PaymentQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(condition=Q(state__in=PaymentState.values), name="payment_state_known"),
            models.CheckConstraint(
                condition=Q(
                    refunded_amount__gte=0,
                    refunded_amount__lte=F("captured_amount"),
                    captured_amount__lte=F("amount"),
                ),
                name="payment_sums_possible",
            ),
            models.CheckConstraint(
                condition=Q(state="captured", captured_amount__gt=0, captured_at__isnull=False)
                | (~Q(state="captured") & Q(captured_amount=0)),
                name="payment_captured_has_amount_and_time",
            ),
            models.UniqueConstraint(fields=["gateway", "ref"], name="payment_ref_once"),
            models.UniqueConstraint(
                fields=["invoice"],
                condition=Q(state__in=["new", "requires_action", "processing"]),
                name="payment_one_attempt_at_a_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["checked_at"],
                name="payment_unsettled",
                condition=Q(state__in=["new", "requires_action", "processing", "authorized"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_method_display()} {self.uid}"

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_PAYMENT_STATES

    @property
    def is_cash(self) -> bool:
        return self.method == PaymentMethod.CASH

    @property
    def is_authorized(self) -> bool:
        return self.state == PaymentState.AUTHORIZED

    @property
    def is_captured(self) -> bool:
        return self.state == PaymentState.CAPTURED

    @property
    def refundable_amount(self) -> int:
        """What is left to give back, disputes apart."""
        return self.captured_amount - self.refunded_amount


class RefundOrigin(models.TextChoices):
    POLICY = "policy", "By the terms"
    STAFF = "staff", "By Pet Place"
    LATE = "late", "Paid too late"
    DASHBOARD = "dashboard", "At the gateway"
    OVERPAID = "overpaid", "Paid too much"


class Refund(PublicModel):
    """Money given back of one payment. In the ledger from the moment it is asked for, reversed if it fails."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    amount = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=RefundState, default=RefundState.WAITING)
    ref = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 (unique where there is one)
    origin = models.CharField(max_length=10, choices=RefundOrigin)
    reason = models.CharField(max_length=300, blank=True)
    key = models.CharField(max_length=100, unique=True)
    failure = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("pk",)
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            models.CheckConstraint(condition=Q(state__in=RefundState.values), name="refund_state_known"),
            models.CheckConstraint(condition=Q(origin__in=RefundOrigin.values), name="refund_origin_known"),
            models.UniqueConstraint(fields=["payment", "ref"], name="refund_ref_once"),
        ]

    def __str__(self) -> str:
        return f"Refund {self.uid}"

    @property
    def is_failed(self) -> bool:
        return self.state == RefundState.FAILED

    @property
    def is_done(self) -> bool:
        return self.state == RefundState.SUCCEEDED


class Dispute(PublicModel):
    """The payer's bank asks for the money back. While it is open the payout is frozen."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="disputes")
    ref = models.CharField(max_length=255)
    amount = models.BigIntegerField()
    fee = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, choices=DisputeState, default=DisputeState.OPEN)
    reason = models.CharField(max_length=100, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    is_refundable = models.BooleanField(default=False)
    evidence = models.JSONField(default=dict, blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("pk",)
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0, fee__gte=0), name="dispute_amounts_possible"),
            models.CheckConstraint(condition=Q(state__in=DisputeState.values), name="dispute_state_known"),
            models.UniqueConstraint(fields=["payment", "ref"], name="dispute_ref_once"),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_DISPUTE_STATES

    @property
    def is_lost(self) -> bool:
        return self.state == DisputeState.LOST


class GatewayEventQuerySet(models.QuerySet["GatewayEvent"]):
    def due(self, now: datetime) -> Self:
        return self.filter(state__in=[EventState.NEW, EventState.FAILED], due_at__lte=now)


class GatewayEvent(PublicModel):
    """The inbox: what a gateway told us, once per event id. Its figures are never believed, only that something is."""

    gateway = models.CharField(max_length=20)
    event_id = models.CharField(max_length=255)
    kind = models.CharField(max_length=100)
    object_ref = models.CharField(max_length=255, blank=True)
    payment_uid = models.UUIDField(null=True, blank=True)
    payload = models.JSONField(default=dict)
    is_test = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=EventState, default=EventState.NEW)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=1000, blank=True)

    objects = GatewayEventQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["gateway", "event_id"], name="gateway_event_once"),
            models.CheckConstraint(condition=Q(state__in=EventState.values), name="gateway_event_state_known"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="gateway_event_due", condition=Q(state__in=["new", "failed"])),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"


class CallKind(models.TextChoices):
    CAPTURE = "capture", "Capture"
    VOID = "void", "Release"
    REFUND = "refund", "Refund"
    TRANSFER = "transfer", "Payout"
    EVIDENCE = "evidence", "Evidence"


class GatewayCallQuerySet(models.QuerySet["GatewayCall"]):
    def due(self, now: datetime) -> Self:
        """Those that wait, are due, and are in nobody's hands."""
        return self.filter(Q(leased_until__isnull=True) | Q(leased_until__lte=now)).filter(
            state=CallState.WAITING, due_at__lte=now
        )


class GatewayCall(PublicModel):
    """The outbox: a call to a gateway that a transaction decided on. Made later, with ``key``, until its result is
    known."""

    gateway = models.CharField(max_length=20)
    kind = models.CharField(max_length=10, choices=CallKind)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="calls")
    refund = models.ForeignKey(Refund, on_delete=models.PROTECT, null=True, blank=True, related_name="calls")
    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, null=True, blank=True, related_name="calls")
    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, null=True, blank=True, related_name="calls")
    amount = models.BigIntegerField(null=True, blank=True)
    key = models.CharField(max_length=100, unique=True)
    state = models.CharField(max_length=10, choices=CallState, default=CallState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=1000, blank=True)

    objects = GatewayCallQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=CallState.values), name="gateway_call_state_known"),
            models.CheckConstraint(
                condition=Q(kind__in=["capture", "void"], payment__isnull=False)
                | Q(kind="refund", refund__isnull=False)
                | Q(kind="transfer", payout__isnull=False)
                | Q(kind="evidence", dispute__isnull=False),
                name="gateway_call_has_object",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="gateway_call_due", condition=Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def is_failed(self) -> bool:
        return self.state == CallState.FAILED
