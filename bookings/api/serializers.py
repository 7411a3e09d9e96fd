"""The JSON shape of quotes, bookings and calendar feeds. What can be written is in the ``...Input`` classes alone."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import User
from bookings import permissions
from bookings.domain import aftercare, events, lifecycle, paying, revealing
from bookings.domain.cancellation import Deadline, Terms
from bookings.models import Booking, CalendarFeed, Quote
from bookings.models.incident import IncidentKind, IncidentState
from bookings.states import Action, BookingState, CancelReason, Side
from bookings.validators import ACCESS_LENGTH, COMPLAINT_LENGTH, NOTE_LENGTH, REASON_LENGTH
from messaging.choices import OUTSIDE, DeliveryState
from payments.domain import charges
from payments.models import Invoice, InvoiceKind, InvoiceState, LineKind
from payments.states import PaymentState
from petplace.api import fields
from petplace.api.serializers import IdField, StrictSerializer
from pets.choices import Species
from pets.models import Pet
from providers.choices import ResourceKind, ServiceKind
from providers.models import AddOn, Resource, Service

# Each is the last part of the path to post to: bookings/{id}/confirm/.
ACTION_PATHS = {
    Action.PLACE: "place",
    Action.ACCEPT: "confirm",
    Action.DECLINE: "decline",
    Action.CANCEL: "cancel",
    Action.RESCHEDULE: "reschedule",
    Action.COMING: "coming",
    Action.START: "start",
    Action.COMPLETE: "complete",
    Action.NO_SHOW: "no-show",
}
ALL_PATHS = (*ACTION_PATHS.values(), "payment", "tip", "extra", "complaint")


class LineSerializer(StrictSerializer):
    kind = fields.ChoiceField(LineKind.choices, read_only=True)
    description = serializers.CharField(read_only=True)
    quantity = serializers.IntegerField(read_only=True)
    unit = serializers.SerializerMethodField()
    amount = serializers.SerializerMethodField()

    @extend_schema_field(fields.MoneyField())
    def get_unit(self, line: Any) -> dict[str, Any]:
        return {"amount": line.unit_amount, "currency": self.context["currency"]}

    @extend_schema_field(fields.MoneyField())
    def get_amount(self, line: Any) -> dict[str, Any]:
        return {"amount": line.amount, "currency": self.context["currency"]}


class RefundSerializer(StrictSerializer):
    """One row of the refund table: cancelled before ``until`` (null: any time later), so much comes back."""

    until = fields.UtcDateTimeField(read_only=True, allow_null=True)
    time_zone = serializers.CharField(read_only=True)
    refund = fields.MoneyField(read_only=True)
    percent = serializers.IntegerField(read_only=True)
    description = serializers.CharField(read_only=True)


def refund_row(row: Deadline, terms: Terms) -> dict[str, Any]:
    return {
        "until": fields.format_instant(row.until) if row.until else None,
        "time_zone": terms.zone,
        "refund": {"amount": row.refund_amount, "currency": terms.currency},
        "percent": row.percent,
        "description": row.text,
    }


def refund_table(data: dict[str, Any]) -> list[dict[str, Any]]:
    terms = Terms.from_json(data)
    return [refund_row(row, terms) for row in terms.rows]


class ServiceBriefSerializer(StrictSerializer):
    id = IdField()
    name = serializers.CharField(read_only=True)
    kind = fields.ChoiceField(ServiceKind.choices, read_only=True)
    is_overnight = serializers.BooleanField(read_only=True)


class ProviderBriefSerializer(StrictSerializer):
    id = IdField()
    slug = serializers.CharField(read_only=True)
    name = serializers.CharField(read_only=True)


class PetBriefSerializer(StrictSerializer):
    id = IdField()
    name = serializers.CharField(read_only=True)
    species = fields.ChoiceField(Species.choices, read_only=True)


class ResourceBriefSerializer(StrictSerializer):
    id = IdField()
    kind = fields.ChoiceField(ResourceKind.choices, read_only=True)
    name = serializers.CharField(read_only=True)


class QuoteSerializer(StrictSerializer):
    id = IdField()
    service = ServiceBriefSerializer(read_only=True)
    start = fields.UtcDateTimeField(source="starts_at", read_only=True)
    end = fields.UtcDateTimeField(source="ends_at", read_only=True)
    time_zone = serializers.CharField(source="service.branch.time_zone", read_only=True)
    pets = PetBriefSerializer(many=True, read_only=True)
    lines = serializers.SerializerMethodField()
    total = fields.MoneyField(amount="total", currency="currency", read_only=True)
    tax = fields.MoneyField(
        amount="tax_amount", currency="currency", read_only=True, help_text="Inside the total, by the provider's rate."
    )
    pay_now = fields.MoneyField(
        amount="prepay_amount", currency="currency", read_only=True, help_text="Paid when booking, by card or PayPal."
    )
    promo_code = serializers.SerializerMethodField()
    expires_at = fields.UtcDateTimeField(read_only=True)
    cancellation = serializers.SerializerMethodField()

    @extend_schema_field(LineSerializer(many=True))
    def get_lines(self, quote: Quote) -> Any:
        return LineSerializer(quote.lines.all(), many=True, context={"currency": quote.currency}).data

    def get_promo_code(self, quote: Quote) -> str | None:
        return quote.promo.code if quote.promo else None

    @extend_schema_field(RefundSerializer(many=True))
    def get_cancellation(self, quote: Quote) -> list[dict[str, Any]]:
        return refund_table(quote.cancellation)


class PriceSerializer(StrictSerializer):
    lines = LineSerializer(many=True, read_only=True)
    total = fields.MoneyField(read_only=True)


class EventSerializer(StrictSerializer):
    at = fields.UtcDateTimeField(read_only=True)
    action = fields.ChoiceField(Action.choices, read_only=True)
    from_state = fields.ChoiceField(BookingState.choices, read_only=True, allow_null=True)
    to_state = fields.ChoiceField(BookingState.choices, read_only=True)
    by = fields.ChoiceField(Side.choices, read_only=True)
    reason = serializers.CharField(read_only=True)


class ToldSerializer(StrictSerializer):
    """A message to the caller about the booking outside the app, and what became of it."""

    at = fields.UtcDateTimeField(read_only=True, help_text="When it happened, or is to happen.")
    channel = fields.ChoiceField([(name.value, name.label) for name in OUTSIDE], read_only=True)
    state = fields.ChoiceField(DeliveryState.choices, read_only=True)
    kind = serializers.CharField(read_only=True)
    title = serializers.CharField(read_only=True)
    reason = serializers.CharField(read_only=True)


class BillSerializer(StrictSerializer):
    """One of a booking's invoices, with what is to be paid of it now."""

    id = IdField()
    kind = fields.ChoiceField(InvoiceKind.choices, read_only=True)
    state = fields.ChoiceField(InvoiceState.choices, read_only=True)
    total = fields.MoneyField(amount="total", read_only=True)
    outstanding = fields.MoneyField(amount="outstanding", read_only=True)


class StandingSerializer(StrictSerializer):
    """How the money of a booking stands. Tips are counted apart."""

    paid = fields.MoneyField(amount="paid", read_only=True)
    authorized = fields.MoneyField(
        amount="authorized", read_only=True, help_text="Reserved, and taken when the provider accepts."
    )
    refunded = fields.MoneyField(amount="refunded", read_only=True)
    outstanding = fields.MoneyField(amount="outstanding", read_only=True)
    tips = fields.MoneyField(amount="tips", read_only=True)
    due_now = fields.MoneyField(amount="due_now", read_only=True, help_text="Can be paid online now.")
    due_until = fields.UtcDateTimeField(read_only=True, allow_null=True, help_text="When the hold ends.")
    payout_due_at = fields.UtcDateTimeField(
        read_only=True, allow_null=True, help_text="When the provider is paid, unless there is a complaint."
    )
    invoices = BillSerializer(source="family", many=True, read_only=True)


class StandingOf:
    """A standing with what its JSON needs of the booking."""

    def __init__(self, booking: Booking) -> None:
        self.standing = paying.standing(booking)
        self.currency = booking.currency
        self.due_until = booking.due_at if booking.is_held else None
        self.payment: dict[str, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.standing, name)


class StartedSerializer(StrictSerializer):
    """What the client needs to go on: a redirect, or the secret for the gateway's own form."""

    gateway = serializers.CharField(read_only=True)
    state = fields.ChoiceField(PaymentState.choices, read_only=True)
    amount = fields.MoneyField(read_only=True)
    client_secret = serializers.CharField(read_only=True, help_text="For the gateway's form; empty otherwise.")
    redirect_url = serializers.CharField(read_only=True, help_text="Send the payer here; empty otherwise.")
    publishable_key = serializers.CharField(read_only=True, help_text="For Stripe's form; empty otherwise.")


class BookingPaymentSerializer(StandingSerializer):
    payment = StartedSerializer(read_only=True, allow_null=True)


class BookingSerializer(StrictSerializer):
    id = IdField()
    reference = serializers.CharField(read_only=True)
    state = fields.ChoiceField(BookingState.choices, read_only=True)
    cancel_reason = serializers.SerializerMethodField()
    service = ServiceBriefSerializer(read_only=True)
    provider = ProviderBriefSerializer(read_only=True)
    resources = serializers.SerializerMethodField()
    start = fields.UtcDateTimeField(source="starts_at", read_only=True)
    end = fields.UtcDateTimeField(source="ends_at", read_only=True)
    time_zone = serializers.CharField(read_only=True)
    address = serializers.SerializerMethodField()
    owner_name = serializers.CharField(source="owner.get_full_name", read_only=True)
    conversation = fields.UUIDField(
        source="conversation.uid",
        read_only=True,
        allow_null=True,
        default=None,
        help_text="Null while it is only kept.",
    )
    pets = PetBriefSerializer(many=True, read_only=True)
    note = serializers.CharField(read_only=True)
    access_note = serializers.SerializerMethodField()
    price = serializers.SerializerMethodField()
    payment = serializers.SerializerMethodField()
    cancellation = serializers.SerializerMethodField()
    no_show = serializers.SerializerMethodField()
    timeline = serializers.SerializerMethodField()
    deliveries = serializers.SerializerMethodField()
    allowed_actions = serializers.SerializerMethodField()
    due_at = fields.UtcDateTimeField(
        read_only=True, allow_null=True, help_text="When the system acts by itself: the hold or the request runs out."
    )
    created_at = fields.UtcDateTimeField(read_only=True)
    updated_at = fields.UtcDateTimeField(read_only=True)

    @extend_schema_field(fields.ChoiceField(CancelReason.choices, allow_null=True))
    def get_cancel_reason(self, booking: Booking) -> str | None:
        return booking.cancel_reason or None

    @extend_schema_field(ResourceBriefSerializer(many=True))
    def get_resources(self, booking: Booking) -> Any:
        """Those that are kept for it, or were until it ended."""
        taken = [a.resource for a in booking.allocations.all() if a.is_live or not booking.is_live]
        return ResourceBriefSerializer(taken, many=True).data

    def get_address(self, booking: Booking) -> str | None:
        """The exact address: for the owner from 48 hours before until 24 hours after the visit, for the team always."""
        is_owner = booking.owner_id == self.context["request"].user.pk
        shows = not is_owner or revealing.tells_place(booking, now=self.context["now"])
        return booking.service.branch.address if shows else None

    def get_access_note(self, booking: Booking) -> str | None:
        """How to get in: for the owner always, for the team from 48 hours before until 24 hours after the visit."""
        is_owner = booking.owner_id == self.context["request"].user.pk
        return booking.access_note if is_owner or revealing.tells_place(booking, now=self.context["now"]) else None

    @extend_schema_field(PriceSerializer)
    def get_price(self, booking: Booking) -> dict[str, Any]:
        bill = booking.invoice or booking.quote
        lines = LineSerializer(bill.lines.all(), many=True, context={"currency": booking.currency})
        return {"lines": lines.data, "total": {"amount": bill.total, "currency": booking.currency}}

    @extend_schema_field(StandingSerializer)
    def get_payment(self, booking: Booking) -> Any:
        return StandingSerializer(StandingOf(booking)).data

    @extend_schema_field(RefundSerializer(many=True))
    def get_cancellation(self, booking: Booking) -> list[dict[str, Any]]:
        return refund_table(booking.terms)

    @extend_schema_field(RefundSerializer)
    def get_no_show(self, booking: Booking) -> dict[str, Any]:
        terms = Terms.from_json(booking.terms)
        return refund_row(terms.no_show, terms)

    @extend_schema_field(EventSerializer(many=True))
    def get_timeline(self, booking: Booking) -> list[dict[str, Any]]:
        return [
            {
                "at": fields.format_instant(event.at),
                "action": event.action,
                "from_state": event.from_state or None,
                "to_state": event.to_state,
                "by": event.side,
                "reason": event.reason,
            }
            for event in booking.events.all()
        ]

    @extend_schema_field(ToldSerializer(many=True))
    def get_deliveries(self, booking: Booking) -> Any:
        """What the caller, and nobody else, was sent about it outside the app."""
        return ToldSerializer(self.context["told"].get(events.about(booking), []), many=True).data

    @extend_schema_field(fields.ListField(child=fields.ChoiceField([(path, path) for path in ALL_PATHS])))
    def get_allowed_actions(self, booking: Booking) -> list[str]:
        user, now, teams = self.context["request"].user, self.context["now"], self.context["teams"]
        actions = permissions.allowed_actions(user, booking, now=now, teams=teams)
        found = [ACTION_PATHS[action] for action in actions if action in ACTION_PATHS]
        if lifecycle.has_said_coming(booking):
            found = [path for path in found if path != ACTION_PATHS[Action.COMING]]
        sides = permissions.sides_of(user, booking, teams=teams)
        if Side.OWNER in sides and paying.standing(booking).due_now:
            found.append("payment")
        return found + aftercare.allowed(booking, sides, now=now)


def started(found: charges.Started) -> dict[str, Any]:
    """Return what ``StartedSerializer`` shows of a payment that has begun."""
    payment, charge = found.payment, found.charge
    return {
        "gateway": payment.gateway,
        "state": payment.state,
        "amount": fields.Money(payment.amount, payment.currency),
        "client_secret": charge.client_secret,
        "redirect_url": charge.redirect_url,
        "publishable_key": settings.STRIPE_PUBLISHABLE_KEY if payment.gateway == "stripe" else "",
    }


def _own_pets(user: User) -> "QuerySet[Pet]":
    return Pet.objects.owned_by(user)


def _known_services(user: User) -> "QuerySet[Service]":
    """Return services that were ever public: why one cannot be booked now is the domain's answer (409)."""
    services = Service.objects.filter(provider__approved_at__isnull=False)
    return services.select_related("provider", "branch")


def _own_quotes(user: User) -> "QuerySet[Quote]":
    return Quote.objects.filter(owner=user).select_related("service__provider", "service__branch")


class SpanInput(StrictSerializer):
    """What is asked for: the service, when, and for whom."""

    service = fields.UidRelatedField(scope=_known_services)
    start = fields.UtcDateTimeField()
    end = fields.UtcDateTimeField(required=False, help_text="For stays.")
    pets = fields.UidListField(scope=_own_pets, min_length=1)
    addons = fields.UidListField(scope=lambda user: AddOn.objects.filter(is_active=True), required=False)


class QuoteInput(SpanInput):
    """A ``promo_code`` that does not count is refused: 400 ``promo_unknown``, else 409 with what stands in the way."""

    promo_code = fields.LineField(required=False, allow_blank=True, max_length=40)


class BookingInput(SpanInput):
    """A ``quote``, or ``service``, ``start`` (``end`` for stays) and ``pets``."""

    quote = fields.UidRelatedField(scope=_own_quotes, required=False)
    service = fields.UidRelatedField(scope=_known_services, required=False)
    start = fields.UtcDateTimeField(required=False)
    pets = fields.UidListField(scope=_own_pets, min_length=1, required=False)
    promo_code = fields.LineField(required=False, allow_blank=True, max_length=40)
    note = fields.TextField(required=False, allow_blank=True, max_length=NOTE_LENGTH)
    resource = fields.UidRelatedField(
        scope=lambda user: Resource.objects.filter(is_active=True),
        required=False,
        help_text="A person (room, place) by name.",
    )
    hold = fields.BooleanField(required=False, help_text="Only keep the time for 15 minutes; post to place/ to book.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        span = ("service", "start", "end", "pets", "addons", "promo_code")
        if "quote" in attrs:
            if given := [name for name in span if name in attrs]:
                raise serializers.ValidationError({name: ["The quote says this already."] for name in given})
            return attrs
        if missing := [name for name in ("service", "start", "pets") if name not in attrs]:
            raise serializers.ValidationError({name: ["Send this, or a quote."] for name in missing})
        return attrs


class ReasonInput(StrictSerializer):
    reason = fields.TextField(required=False, allow_blank=True, max_length=REASON_LENGTH)


class DeclineInput(StrictSerializer):
    reason = fields.TextField(max_length=REASON_LENGTH)


class RescheduleInput(StrictSerializer):
    start = fields.UtcDateTimeField()
    end = fields.UtcDateTimeField(required=False, help_text="For stays; without it the nights stay as many.")
    resource = fields.UidRelatedField(scope=lambda user: Resource.objects.filter(is_active=True), required=False)


class CompleteInput(ReasonInput):
    is_paid = fields.BooleanField(
        required=False,
        help_text="Whether what is still owed was paid at the visit. Without it as agreed: it was, unless all had to "
        "be paid before.",
    )


class PaymentInput(StrictSerializer):
    """Without ``invoice`` the first one that is due. ``gateway`` is one of those offered, the first by default."""

    invoice = fields.UidRelatedField(scope=lambda user: Invoice.objects.paid_by(user), required=False)
    gateway = fields.LineField(required=False, max_length=20)


class AmountInput(StrictSerializer):
    amount = fields.MoneyField(min_value=1)


class ExtraInput(AmountInput):
    description = fields.LineField(max_length=200)


class AccessInput(StrictSerializer):
    text = fields.TextField(max_length=ACCESS_LENGTH, allow_blank=True, help_text="Empty takes it away.")


class ComplaintInput(StrictSerializer):
    text = fields.TextField(max_length=COMPLAINT_LENGTH)


class IncidentInput(StrictSerializer):
    kind = fields.ChoiceField(IncidentKind.choices)
    text = fields.TextField(max_length=4000)


class IncidentSerializer(StrictSerializer):
    """A safety report as its author sees it."""

    id = IdField()
    kind = fields.ChoiceField(IncidentKind.choices, read_only=True)
    state = fields.ChoiceField(IncidentState.choices, read_only=True)
    text = serializers.CharField(read_only=True)
    made_at = fields.UtcDateTimeField(read_only=True)
    resolution = serializers.CharField(read_only=True)


class EmptyInput(StrictSerializer):
    """Takes no members."""


class FeedSerializer(StrictSerializer):
    id = IdField()
    audience = fields.ChoiceField(CalendarFeed.Audience.choices, read_only=True)
    url = serializers.SerializerMethodField()
    created_at = fields.UtcDateTimeField(read_only=True)

    @extend_schema_field({"type": "string", "format": "uri"})
    def get_url(self, feed: CalendarFeed) -> str:
        return self.context["request"].build_absolute_uri(reverse("calendar-feed-ics", args=[feed.token]))


class FeedInput(StrictSerializer):
    audience = fields.ChoiceField(CalendarFeed.Audience.choices)
