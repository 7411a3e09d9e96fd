"""Quotes, bookings and calendar feeds over the API. Each act is one call of the domain."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.domain import second_factor
from bookings import feeds, tries
from bookings.api import serializers
from bookings.domain import (
    aftercare,
    calendar_feeds,
    events,
    incidents,
    lifecycle,
    paying,
    quotes,
    reschedule,
    reservation,
    revealing,
)
from bookings.models import Booking, CalendarFeed, Quote
from bookings.models.booking import BookingQuerySet
from bookings.states import BookingState
from messaging.domain import told
from payments.models import Invoice
from petplace.api import fields, params
from petplace.api.fields import Money
from petplace.api.idempotency import idempotent, idempotent_outside
from petplace.api.serializers import StrictSerializer
from petplace.api.views import ApiView, GenericViewSet
from petplace.errors import InvalidInput
from petplace.http import caller_of
from providers.models import Provider


class Moment(params._Param):
    """A date (its midnight in the caller's zone) or an instant."""

    hint = "Send a date as YYYY-MM-DD, or an instant with its offset such as 2027-03-14T17:00:00Z."

    def parse(self, text: str) -> date | datetime | None:
        return fields.parse_date(text) or fields.parse_instant(text.replace(" ", "+"))

    def shape(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}


class BookingParams(params.Params):
    def get_fields(self) -> dict[str, Any]:
        return {
            "role": params.Choice(["owner", "provider"], help_text="Those you made, or those at your businesses."),
            "state": params.Choices(BookingState.values, help_text="One or several."),
            "from": Moment(help_text="Those that end after it."),
            "to": Moment(help_text="Those that start before it."),
            "provider": params.Uid(help_text="Only those at this provider."),
            "ordering": params.Choice(["start", "-start"], help_text="The latest first unless asked otherwise."),
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        zone = ZoneInfo(self.context["request"].user.time_zone)
        for name in ("from", "to"):
            value = attrs.get(name)
            if value is not None and not isinstance(value, datetime):
                attrs[name] = datetime.combine(value, time(), zone)
        if attrs.get("from") and attrs.get("to") and attrs["to"] <= attrs["from"]:
            raise ValidationError({"to": ["It must be after from."]})
        return attrs


def _loaded(found: BookingQuerySet) -> BookingQuerySet:
    return found.with_everything().prefetch_related(
        "events", "quote__lines", "invoice__lines", "invoice__payments", "invoice__children__payments"
    )


class QuoteViewSet(GenericViewSet):
    serializer_class = serializers.QuoteSerializer

    def get_queryset(self) -> "QuerySet[Quote]":
        own = Quote.objects.filter(owner_id=caller_of(self.request).pk)
        return own.select_related("service__branch", "promo").prefetch_related("lines", "pets")

    @extend_schema(request=serializers.QuoteInput, responses={201: serializers.QuoteSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Ask for a price: explained lines, the total and the refund table, kept for half an hour."""
        form = serializers.QuoteInput(data=request.data, context=self.get_serializer_context())
        form.is_valid(raise_exception=True)
        quote = _quote(request, form.validated_data, timezone.now())
        return Response(self.get_serializer(self.get_queryset().get(pk=quote.pk)).data, status=201)

    def retrieve(self, request: Request, id: Any) -> Response:
        """Read a quote of your own."""
        return Response(self.get_serializer(self.get_object()).data)


def _quote(request: Request, data: dict[str, Any], now: datetime) -> Quote:
    code = data.get("promo_code", "")
    with tries.counted(request, code):
        return quotes.create(
            owner=caller_of(request),
            service=data["service"],
            starts_at=data["start"],
            ends_at=data.get("end"),
            pets=data["pets"],
            addons=data.get("addons", ()),
            promo_code=code,
            now=now,
        )


def _book(request: Request, data: dict[str, Any]) -> Booking:
    user, now, is_hold = caller_of(request), timezone.now(), bool(data.get("hold"))
    chosen = {"note": data.get("note", ""), "resource": data.get("resource")}
    if quote := data.get("quote"):
        return (reservation.hold if is_hold else reservation.book)(quote, by=user, now=now, **chosen)
    with tries.counted(request, code := data.get("promo_code", "")):
        return reservation.quote_and_book(
            by=user,
            service=data["service"],
            starts_at=data["start"],
            ends_at=data.get("end"),
            pets=data["pets"],
            addons=data.get("addons", ()),
            promo_code=code,
            is_hold=is_hold,
            now=now,
            **chosen,
        )


class BookingViewSet(GenericViewSet):
    """``{id}`` is the booking's id or its reference."""

    serializer_class = serializers.BookingSerializer
    params_class = BookingParams
    lookup_value_converter = "str"

    def get_queryset(self) -> BookingQuerySet:
        return _loaded(Booking.objects.visible_to(caller_of(self.request)))

    def get_object(self) -> Booking:
        return self._find(self.get_queryset())

    def _find(self, among: BookingQuerySet) -> Booking:
        name = str(self.kwargs["id"])
        uid = fields.parse_uuid(name)
        booking = (among.filter(uid=uid) if uid else among.filter(reference=name.upper())).first()
        if booking is None:
            raise Http404
        return booking

    def get_serializer_context(self) -> dict[str, Any]:
        """With the keys of the providers that the caller works for, asked where a booking is shown."""
        teams = SimpleLazyObject(
            lambda: frozenset(Provider.objects.run_by(caller_of(self.request)).values_list("pk", flat=True))
        )
        return {**super().get_serializer_context(), "now": timezone.now(), "teams": teams}

    @extend_schema(responses=serializers.BookingSerializer(many=True))
    def list(self, request: Request) -> Response:
        """List your bookings, as owner and as provider."""
        page = self.paginate_queryset(_loaded(self._chosen(self.params())))
        return self.get_paginated_response(self._json(page or []))

    def _json(self, bookings: Sequence[Booking]) -> Any:
        """Show bookings; what the caller was sent about them is read for all at once."""
        sent = told.about(caller_of(self.request), [events.about(booking) for booking in bookings])
        context = {**self.get_serializer_context(), "told": sent}
        return serializers.BookingSerializer(bookings, many=True, context=context).data

    def _chosen(self, chosen: dict[str, Any]) -> BookingQuerySet:
        user = caller_of(self.request)
        if chosen["role"] == "owner":
            found = Booking.objects.owned_by(user)
        elif chosen["role"] == "provider":
            found = Booking.objects.provided_by(user)
        else:
            found = Booking.objects.of_both_sides(user)
        if chosen["state"]:
            found = found.filter(state__in=chosen["state"])
        if chosen["from"]:
            found = found.filter(ends_at__gt=chosen["from"])
        if chosen["to"]:
            found = found.filter(starts_at__lt=chosen["to"])
        if chosen["provider"]:
            found = found.filter(provider__uid=chosen["provider"])
        sign = "" if chosen["ordering"] == "start" else "-"
        return found.order_by(f"{sign}starts_at", f"{sign}pk")

    def retrieve(self, request: Request, id: str) -> Response:
        """Read one booking, with what you may do with it."""
        return Response(self._json([self.get_object()])[0])

    @extend_schema(request=serializers.BookingInput, responses={201: serializers.BookingSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Book: by a quote, or by service, start and pets. A service on request is then pending, else confirmed.

        What must be paid before is `held`: post to `payment/` in time.
        """
        form = serializers.BookingInput(data=request.data, context=self.get_serializer_context())
        form.is_valid(raise_exception=True)
        return Response(self._shown(_book(request, form.validated_data)), status=201)

    def _shown(self, booking: Booking) -> Any:
        return self._json([self.get_queryset().get(pk=booking.pk)])[0]

    def _step(
        self, request: Request, act: Callable[..., Booking], form: type[StrictSerializer], **names: str
    ) -> Response:
        """Read the input, take the step, and answer the booking as it is then. ``names`` maps input to arguments."""
        mine = Booking.objects.visible_to(caller_of(request))
        booking = self._find(mine.select_related("service__branch", "provider"))
        if booking.owner_id != caller_of(request).pk:
            second_factor.demand(caller_of(request), now=timezone.now())
        checked = form(data=request.data, context=self.get_serializer_context())
        checked.is_valid(raise_exception=True)
        arguments = {names.get(name, name): value for name, value in checked.validated_data.items()}
        return Response(self._shown(act(booking, by=caller_of(request), now=timezone.now(), **arguments)))

    @extend_schema(request=serializers.EmptyInput, responses=serializers.BookingSerializer)
    @action(detail=True, methods=["post"])
    @idempotent
    def place(self, request: Request, id: str) -> Response:
        """Book what is held, before its time runs out."""
        return self._step(request, reservation.place, serializers.EmptyInput)

    @extend_schema(request=serializers.ReasonInput, responses=serializers.BookingSerializer)
    @action(detail=True, methods=["post"])
    @idempotent
    def confirm(self, request: Request, id: str) -> Response:
        """Accept a request (provider)."""
        return self._step(request, lifecycle.accept, serializers.ReasonInput)

    @extend_schema(request=serializers.DeclineInput, responses=serializers.BookingSerializer)
    @action(detail=True, methods=["post"])
    @idempotent
    def decline(self, request: Request, id: str) -> Response:
        """Decline a request, with a reason that the owner reads (provider)."""
        return self._step(request, lifecycle.decline, serializers.DeclineInput)

    @extend_schema(request=serializers.ReasonInput, responses=serializers.BookingSerializer)
    @action(detail=True, methods=["post"])
    @idempotent
    def cancel(self, request: Request, id: str) -> Response:
        """Cancel: the owner by the refund table, anyone else with everything given back."""
        return self._step(request, lifecycle.cancel, serializers.ReasonInput)

    @extend_schema(request=serializers.EmptyInput, responses=serializers.BookingSerializer)
    @action(detail=True, methods=["post"])
    @idempotent
    def coming(self, request: Request, id: str) -> Response:
        """Say, in the last two days before the visit, that you will come (owner)."""
        return self._step(request, lifecycle.say_coming, serializers.EmptyInput)

    @extend_schema(request=serializers.ReasonInput, responses=serializers.BookingSerializer)
    @action(detail=True, methods=["post"])
    @idempotent
    def start(self, request: Request, id: str) -> Response:
        """Start the visit, at most an hour early (provider)."""
        return self._step(request, lifecycle.start, serializers.ReasonInput)

    @extend_schema(request=serializers.CompleteInput, responses=serializers.BookingSerializer)
    @action(detail=True, methods=["post"])
    @idempotent
    def complete(self, request: Request, id: str) -> Response:
        """Finish the visit (provider)."""
        return self._step(request, lifecycle.complete, serializers.CompleteInput)

    @extend_schema(request=serializers.ReasonInput, responses=serializers.BookingSerializer)
    @action(detail=True, methods=["post"], url_path="no-show")
    @idempotent
    def no_show(self, request: Request, id: str) -> Response:
        """Report, after the start, that nobody came (provider)."""
        return self._step(request, lifecycle.report_no_show, serializers.ReasonInput)

    @extend_schema(request=serializers.RescheduleInput, responses=serializers.BookingSerializer)
    @action(detail=True, methods=["post"])
    @idempotent
    def reschedule(self, request: Request, id: str) -> Response:
        """Move to another time or resource. The booking and its reference stay; the price is asked anew."""
        return self._step(request, reschedule.move, serializers.RescheduleInput, start="starts_at", end="ends_at")

    @extend_schema(responses=serializers.BookingPaymentSerializer)
    @action(detail=True, methods=["get"])
    def payment(self, request: Request, id: str) -> Response:
        """Read how the money of a booking stands."""
        return Response(self._standing(self.get_object()))

    @extend_schema(request=serializers.PaymentInput, responses=serializers.BookingPaymentSerializer)
    @payment.mapping.post
    @idempotent_outside
    def pay(self, request: Request, id: str) -> Response:
        """Begin to pay what is due, or go on with it: the answer has what the gateway's client needs (owner)."""
        booking = self.get_object()
        form = serializers.PaymentInput(data=request.data, context=self.get_serializer_context())
        form.is_valid(raise_exception=True)
        started = paying.start(
            booking, by=caller_of(request), now=timezone.now(), return_url=self._return_url, **form.validated_data
        )
        return Response(self._standing(self.get_object(), payment=serializers.started(started)))

    def _return_url(self, invoice: Invoice) -> str:
        return str(self.request.build_absolute_uri(reverse("payments:return", args=[invoice.uid])))

    def _standing(self, booking: Booking, payment: dict[str, Any] | None = None) -> Any:
        shown = serializers.StandingOf(booking)
        shown.payment = payment
        return serializers.BookingPaymentSerializer(shown).data

    @extend_schema(request=serializers.AmountInput, responses={201: serializers.BillSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def tip(self, request: Request, id: str) -> Response:
        """Give a tip, all of it for the provider: pay the invoice that is answered by `payment/` (owner)."""
        return self._bill(request, aftercare.tip, serializers.AmountInput)

    @extend_schema(request=serializers.ExtraInput, responses={201: serializers.BillSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def extra(self, request: Request, id: str) -> Response:
        """Ask for more than was agreed, from the start of the visit until two weeks after its end (provider)."""
        return self._bill(request, aftercare.charge_extra, serializers.ExtraInput)

    def _bill(self, request: Request, act: Callable[..., Invoice], form: type[StrictSerializer]) -> Response:
        booking = self.get_object()
        checked = form(data=request.data, context=self.get_serializer_context())
        checked.is_valid(raise_exception=True)
        given = dict(checked.validated_data)
        money: Money = given.pop("amount")
        if money.currency != booking.currency:
            message = f"This booking is paid in {booking.currency}."
            raise InvalidInput(message, fields={"amount": [message]})
        invoice = act(booking, amount=money.amount, by=caller_of(request), now=timezone.now(), **given)
        return Response(serializers.BillSerializer(invoice).data, status=201)

    @extend_schema(request=serializers.AccessInput, responses=serializers.BookingSerializer)
    @action(detail=True, methods=["put"], url_path="access-note")
    def access_note(self, request: Request, id: str) -> Response:
        """Say how to get in (the owner). The team reads it around the visit alone; it is deleted afterwards."""
        return self._step(request, revealing.note_access, serializers.AccessInput)

    @extend_schema(request=serializers.ComplaintInput, responses={201: serializers.BookingSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def complaint(self, request: Request, id: str) -> Response:
        """Say within two days after the end that something went wrong: the payout waits until it is decided (owner)."""
        booking = self.get_object()
        form = serializers.ComplaintInput(data=request.data)
        form.is_valid(raise_exception=True)
        aftercare.complain(booking, by=caller_of(request), now=timezone.now(), text=form.validated_data["text"])
        return Response(self._shown(booking), status=201)

    @extend_schema(request=serializers.IncidentInput, responses={201: serializers.IncidentSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def incident(self, request: Request, id: str) -> Response:
        """Report a safety problem: the owner about the provider, the team about the owner. Staff look at it."""
        booking = self.get_object()
        form = serializers.IncidentInput(data=request.data)
        form.is_valid(raise_exception=True)
        made = incidents.report(booking, by=caller_of(request), now=timezone.now(), **form.validated_data)
        return Response(serializers.IncidentSerializer(made).data, status=201)


class FeedViewSet(GenericViewSet):
    """Private calendar addresses of the caller: one live at a time for each audience."""

    serializer_class = serializers.FeedSerializer

    def get_queryset(self) -> "QuerySet[CalendarFeed]":
        return CalendarFeed.objects.filter(user_id=caller_of(self.request).pk, revoked_at__isnull=True).order_by("pk")

    def list(self, request: Request) -> Response:
        """List the live ones."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(request=serializers.FeedInput, responses={201: serializers.FeedSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Make one; an older one of the same audience stops working."""
        form = serializers.FeedInput(data=request.data)
        form.is_valid(raise_exception=True)
        feed = calendar_feeds.make(caller_of(request), audience=form.validated_data["audience"], now=timezone.now())
        return Response(self.get_serializer(feed).data, status=201)

    def retrieve(self, request: Request, id: Any) -> Response:
        """Read one."""
        return Response(self.get_serializer(self.get_object()).data)

    def destroy(self, request: Request, id: Any) -> Response:
        """Revoke one: its address answers 404 from now on."""
        calendar_feeds.revoke(self.get_object(), now=timezone.now())
        return Response(status=204)


FEED_TOKEN = OpenApiParameter(
    "token", {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}, OpenApiParameter.PATH, description="Its only key."
)


class CalendarFileView(ApiView):
    """The feed itself. Its address is the only key, so anonymous; unknown, revoked and dead accounts look the same."""

    permission_classes = [AllowAny]
    authentication_classes = []

    @extend_schema(parameters=[FEED_TOKEN], responses={(200, "text/calendar"): OpenApiTypes.STR})
    def get(self, request: Request, token: str) -> HttpResponse:
        """Read a calendar feed as iCalendar."""
        live = CalendarFeed.objects.filter(revoked_at__isnull=True, user__is_active=True).select_related("user")
        feed = live.filter(token=token).first()
        if feed is None:
            raise Http404
        answer = HttpResponse(feeds.render(feed, now=timezone.now()), content_type=feeds.CONTENT_TYPE)
        answer["Content-Disposition"] = 'inline; filename="pet-place.ics"'
        return answer
