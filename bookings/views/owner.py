"""Pages of the owner: what comes next, all bookings, one booking and the steps that its owner may take."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Max
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from bookings import feeds, permissions
from bookings.domain import aftercare, cancellation, lifecycle, paying, reservation, revealing
from bookings.forms import AccessForm, ComplaintForm, ReasonForm, TipForm
from bookings.models import Booking
from bookings.states import Action, BookingState, Side
from bookings.views import shown
from bookings.views.access import own_booking, say_error
from bookings.views.flow import LABELS
from bookings.views.moving import move_page
from petplace.errors import DomainError
from petplace.http import SignedInRequest
from petplace.money import format_money
from pets.models import Pet, Vaccination
from reviews.choices import ReviewSide
from reviews.views.cards import review_card

VACCINE_WARNING_DAYS = 30
PAGE_SIZE = 20
CANCELLED_STATES = (BookingState.CANCELLED, BookingState.DECLINED)


@login_required
@require_GET
def home(request: SignedInRequest) -> HttpResponse:
    """Show the next visit, what is to be done, and the pets."""
    user, now = request.user, timezone.now()
    upcoming = list(Booking.objects.owned_by(user).upcoming(now).with_everything()[:4])
    own = Booking.objects.owned_by(user).with_everything()
    return render(
        request,
        "bookings/home.html",
        {
            "next_visit": upcoming[0] if upcoming else None,
            "later": upcoming[1:],
            "holds": own.filter(state=BookingState.HELD, due_at__gt=now).order_by("due_at"),
            "to_review": own.filter(
                state=BookingState.COMPLETED, ends_at__gt=now - timedelta(days=settings.REVIEW_DAYS)
            ).exclude(reviews__side=ReviewSide.OWNER)[:3],
            "vaccines": _running_out(user, now),
            "pets": Pet.objects.owned_by(user).active(),
            "greeting": f"Hello, {user.get_short_name()}",
            "now": now,
        },
    )


def _running_out(user: User, now: datetime) -> list[dict[str, Any]]:
    """Return each pet's vaccines whose newest dose ends within 30 days or has ended."""
    today = timezone.localdate(now)
    names = dict(Vaccination._meta.get_field("vaccine").flatchoices)
    rows = (
        Vaccination.objects.filter(pet__owner=user, pet__archived_at__isnull=True)
        .values("pet__uid", "pet__name", "vaccine")
        .annotate(until=Max("valid_until"))
        .filter(until__lte=today + timedelta(days=VACCINE_WARNING_DAYS))
        .order_by("until", "pet__name")
    )
    return [
        {
            "pet_uid": row["pet__uid"],
            "pet_name": row["pet__name"],
            "vaccine": names[row["vaccine"]],
            "until": row["until"],
            "is_over": row["until"] < today,
        }
        for row in rows
    ]


@login_required
@require_GET
def booking_list(request: SignedInRequest) -> HttpResponse:
    """List the owner's bookings under three tabs."""
    now = timezone.now()
    own = Booking.objects.owned_by(request.user).with_everything()
    tabs = {
        "upcoming": own.upcoming(now),
        "past": own.past(now).exclude(state__in=CANCELLED_STATES),
        "cancelled": own.filter(state__in=CANCELLED_STATES),
    }
    tab = request.GET.get("tab", "upcoming")
    tab = tab if tab in tabs else "upcoming"
    page = Paginator(tabs[tab], PAGE_SIZE).get_page(request.GET.get("page"))
    return render(
        request,
        "bookings/list.html",
        {
            "tab": tab,
            "tabs": [("upcoming", "Upcoming"), ("past", "Past"), ("cancelled", "Cancelled")],
            "page": page,
            "holds": own.filter(state=BookingState.HELD, due_at__gt=now) if tab == "upcoming" else [],
            "now": now,
        },
    )


def detail_context(request: SignedInRequest, booking: Booking, *, now: datetime) -> dict[str, Any]:
    """Return what both sides' detail pages show of a booking."""
    bill = booking.invoice or booking.quote
    terms = cancellation.Terms.from_json(booking.terms)
    sides = permissions.sides_of(request.user, booking)
    money = paying.standing(booking)
    story = list(booking.events.all())
    actions = {str(one) for one in permissions.allowed_actions(request.user, booking, now=now)}
    if lifecycle.has_said_coming(booking, story):
        actions.discard(Action.COMING)
    return {
        "booking": booking,
        "money": money,
        "bills": shown.bills(booking, money),
        "after": aftercare.allowed(booking, sides, now=now),
        "lines": list(bill.lines.all()),
        "total": bill.total,
        "rows": shown.refund_rows(terms, now=now if booking.is_live else None),
        "story": shown.timeline(booking, story),
        "told": shown.told(booking, request.user),
        "actions": actions,
        "pets": list(booking.pets.all()),
        "resources": shown.resources(booking),
        "shows_address": revealing.tells_place(booking, now=now),
        "address_from": revealing.opens_at(booking) if booking.is_live and now < booking.starts_at else None,
        "payment_note": shown.payment_note(booking, money),
        "waiting_text": shown.waiting_text(booking),
        "now": now,
    }


@login_required
@require_GET
def detail(request: SignedInRequest, reference: str) -> HttpResponse:
    now = timezone.now()
    booking = own_booking(request.user, reference)
    if booking.is_held:
        return redirect("bookings:checkout", reference=reference)
    context = detail_context(request, booking, now=now)
    context["review"] = review_card(request.user, booking, now=now)
    context["can_note_access"] = revealing.can_note_access(booking, now=now)
    context["place_hours"] = {"before": settings.PLACE_HOURS_BEFORE, "after": settings.PLACE_HOURS_AFTER}
    return render(request, "bookings/detail.html", context)


@login_required
@require_GET
def checkout(request: SignedInRequest, reference: str) -> HttpResponse:
    """Show the last step of booking: everything once more, the refund table, and the time left."""
    booking = own_booking(request.user, reference)
    if not booking.is_held:
        return redirect(booking)
    context = detail_context(request, booking, now=timezone.now())
    context |= {"steps": list(LABELS.values()), "price_note": shown.price_note(booking.service, booking.total)}
    return render(request, "bookings/checkout.html", context)


@login_required
@require_POST
def place(request: SignedInRequest, reference: str) -> HttpResponse:
    booking = own_booking(request.user, reference)
    try:
        booking = reservation.place(booking, by=request.user, now=timezone.now())
    except DomainError as error:
        say_error(request, error)
    else:
        messages.success(request, "Booked." if booking.is_confirmed else "Sent. You will hear from the provider soon.")
    return redirect(booking)


@login_required
@require_http_methods(["GET", "POST"])
def cancel(request: SignedInRequest, reference: str) -> HttpResponse:
    """Say what comes back, then cancel on POST."""
    now = timezone.now()
    booking = own_booking(request.user, reference)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            lifecycle.cancel(booking, by=request.user, reason=form.cleaned_data["reason"], now=now)
        except DomainError as error:
            say_error(request, error)
        else:
            messages.success(request, "The booking is cancelled.")
        return redirect(booking)
    context = detail_context(request, booking, now=now)
    if Action.CANCEL not in context["actions"]:
        messages.error(request, "This booking can no longer be cancelled.")
        return redirect(booking)
    refund = cancellation.refund_due(booking, now=now, side=Side.OWNER)
    back, kept = (format_money(amount, booking.currency) for amount in (refund, booking.total - refund))
    context |= {
        "form": form,
        "kept": booking.total - refund,
        "refund_title": f"You get {back} back" if refund else "Nothing comes back",
        "refund_text": shown.kept_text(booking, context["money"], kept),
    }
    return render(request, "bookings/cancel.html", context, status=400 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def move(request: SignedInRequest, reference: str) -> HttpResponse:
    booking = own_booking(request.user, reference)
    return move_page(request, booking, template="bookings/move.html", done=booking.get_absolute_url())


@login_required
@require_POST
def coming(request: SignedInRequest, reference: str) -> HttpResponse:
    booking = own_booking(request.user, reference)
    try:
        lifecycle.say_coming(booking, by=request.user, now=timezone.now())
    except DomainError as error:
        say_error(request, error)
    else:
        messages.success(request, f"Thank you. {booking.provider.name} has been told.")
    return redirect(booking)


@login_required
@require_POST
def access(request: SignedInRequest, reference: str) -> HttpResponse:
    """Keep how to get in."""
    booking = own_booking(request.user, reference)
    form = AccessForm(request.POST)
    try:
        form.full_clean()
        text = form.cleaned_data.get("text") or form.data.get("text", "")
        revealing.note_access(booking, text=text, by=request.user, now=timezone.now())
    except DomainError as error:
        say_error(request, error)
    else:
        messages.success(request, "Saved. Only the team sees it, around the visit.")
    return redirect(booking)


@login_required
@require_POST
def tip(request: SignedInRequest, reference: str) -> HttpResponse:
    """Write a tip and lead to where it is paid."""
    booking = own_booking(request.user, reference)
    form = TipForm(request.POST, currency=booking.currency)
    if not form.is_valid():
        messages.error(request, "Say how much you want to give.")
        return redirect(booking)
    try:
        invoice = aftercare.tip(booking, amount=form.cleaned_data["amount"], by=request.user, now=timezone.now())
    except DomainError as error:
        say_error(request, error)
        return redirect(booking)
    return redirect("payments:pay", invoice.uid)


@login_required
@require_POST
def complain(request: SignedInRequest, reference: str) -> HttpResponse:
    booking = own_booking(request.user, reference)
    form = ComplaintForm(request.POST)
    if not form.is_valid():
        messages.error(request, str(form.errors["text"][0]))
        return redirect(booking)
    try:
        aftercare.complain(booking, text=form.cleaned_data["text"], by=request.user, now=timezone.now())
    except DomainError as error:
        say_error(request, error)
    else:
        messages.success(request, "Thank you for telling us. The provider is paid only after we have looked at it.")
    return redirect(booking)


@login_required
@require_GET
def calendar_file(request: SignedInRequest, reference: str) -> HttpResponse:
    """Answer one booking as a file for the owner's own calendar."""
    booking = own_booking(request.user, reference)
    answer = HttpResponse(feeds.render_one(booking, now=timezone.now()), content_type=feeds.CONTENT_TYPE)
    answer["Content-Disposition"] = f'attachment; filename="{booking.reference}.ics"'
    return answer
