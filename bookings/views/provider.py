"""The provider's pages: the day, the requests, all bookings, and the steps of a visit."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from bookings import permissions
from bookings.domain import aftercare, cancellation, lifecycle, paying, revealing
from bookings.forms import CompleteForm, DayForm, DeclineForm, ExtraForm, ProviderListForm, RangeForm, ReasonForm
from bookings.models import Booking
from bookings.states import Action, BookingState
from bookings.views import shown
from bookings.views.access import back_to, say_error, team_booking, team_provider
from bookings.views.moving import move_page
from bookings.views.owner import detail_context
from petplace.errors import DomainError
from petplace.http import SignedInRequest
from petplace.money import format_money
from providers.models import Branch, Provider
from reviews.views.cards import ratings_of, review_card, said_of

PAGE_SIZE = 25
AGENDA_STATES = (BookingState.CONFIRMED, BookingState.IN_PROGRESS, BookingState.COMPLETED, BookingState.NO_SHOW)


def branch_of(provider: Provider, form: DayForm | RangeForm) -> Branch | None:
    """Return the branch to show: the asked one, else the first active one."""
    if form.is_valid() and form.cleaned_data.get("branch"):
        return form.cleaned_data["branch"]
    return provider.branches.order_by("-is_active", "pk").first()


@login_required
@require_GET
def today(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show one day of one branch in the branch's own zone."""
    now = timezone.now()
    provider = team_provider(request.user, slug)
    form = DayForm(request.GET, provider=provider)
    branch = branch_of(provider, form)
    context: dict[str, Any] = {"provider": provider, "form": form, "branch": branch, "now": now}
    if branch:
        day = form.cleaned_data.get("date") or now.astimezone(branch.zone).date()
        start = datetime.combine(day, time(), branch.zone)
        end = datetime.combine(day + timedelta(days=1), time(), branch.zone)
        scope = Booking.objects.filter(provider=provider, service__branch=branch)
        of_day = scope.filter(state__in=AGENDA_STATES, starts_at__lt=end, ends_at__gt=start)
        visits = list(of_day.with_everything().order_by("starts_at", "pk"))
        context |= {
            "day": day,
            "is_today": day == now.astimezone(branch.zone).date(),
            "previous": day - timedelta(days=1),
            "next": day + timedelta(days=1),
            "visits": [_with_actions(request, visit, now) for visit in visits],
            "branches": list(provider.branches.filter(is_active=True)),
            "counts": _counts(provider, visits),
        }
    return render(request, "bookings/provider/today.html", context)


def _with_actions(request: SignedInRequest, booking: Booking, now: datetime) -> dict[str, Any]:
    """Return a booking of a list with the steps that can be taken now."""
    teams = frozenset({booking.provider_id})
    actions = permissions.allowed_actions(request.user, booking, now=now, teams=teams)
    return {
        "booking": booking,
        "actions": {str(action) for action in actions},
        "resources": shown.resources(booking),
        "left": shown.time_left(booking.due_at, now=now) if booking.due_at else "",
    }


def _counts(provider: Provider, visits: list[Booking]) -> dict[str, int]:
    return {
        "visits": len(visits),
        "under_way": sum(visit.state == BookingState.IN_PROGRESS for visit in visits),
        "done": sum(visit.is_completed for visit in visits),
        "pets": len({pet.pk for visit in visits for pet in visit.pets.all()}),
        "requests": Booking.objects.filter(provider=provider, state=BookingState.PENDING).count(),
    }


@login_required
@require_GET
def requests(request: SignedInRequest, slug: str) -> HttpResponse:
    """List what waits for an answer, the most urgent first."""
    provider = team_provider(request.user, slug)
    waiting = Booking.objects.filter(provider=provider, state=BookingState.PENDING).with_everything()
    page = Paginator(waiting.order_by("due_at", "pk"), PAGE_SIZE).get_page(request.GET.get("page"))
    now = timezone.now()
    said = ratings_of({booking.owner_id for booking in page})
    items = [_with_actions(request, booking, now) | {"said": said.get(booking.owner_id)} for booking in page]
    context = {"provider": provider, "page": page, "items": items, "now": now}
    return render(request, "bookings/provider/requests.html", context)


@login_required
@require_GET
def booking_list(request: SignedInRequest, slug: str) -> HttpResponse:
    """List all bookings of the provider, filtered."""
    provider = team_provider(request.user, slug)
    form = ProviderListForm(request.GET, provider=provider)
    found = Booking.objects.filter(provider=provider).exclude(state=BookingState.HELD).with_everything()
    if form.is_valid():
        found = _filtered(found, form.cleaned_data)
    elif form.errors:
        found = found.none()
    page = Paginator(found.order_by("-starts_at", "-pk"), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"provider": provider, "form": form, "page": page}
    return render(request, "bookings/provider/list.html", context)


def _filtered(found: Any, data: dict[str, Any]) -> Any:
    """Apply the filters; dates are days of each booking's own zone, taken generously at the edges."""
    if data["state"]:
        found = found.filter(state=data["state"])
    if data["service"]:
        found = found.filter(service=data["service"])
    if data["date_from"]:
        found = found.filter(ends_at__gte=timezone.make_aware(datetime.combine(data["date_from"], time())))
    if data["date_to"]:
        found = found.filter(
            starts_at__lt=timezone.make_aware(datetime.combine(data["date_to"] + timedelta(days=1), time()))
        )
    if text := data["q"].strip():
        by_pet = Booking.objects.filter(pets__name__icontains=text).values("pk")
        found = found.filter(Q(reference__iexact=text) | Q(owner__full_name__icontains=text) | Q(pk__in=by_pet))
    return found


@login_required
@require_GET
def detail(request: SignedInRequest, slug: str, reference: str) -> HttpResponse:
    provider = team_provider(request.user, slug)
    booking = team_booking(request.user, provider, reference)
    now = timezone.now()
    context = detail_context(request, booking, now=now)
    visits = Booking.objects.filter(provider=provider, owner=booking.owner_id, state=BookingState.COMPLETED)
    context |= {
        "provider": provider,
        "earlier_visits": visits.exclude(pk=booking.pk).count(),
        "shows_care": revealing.tells_care(booking, now=now),
        "review": review_card(request.user, booking, now=now),
        "said": said_of(booking.owner, but=booking),
        "payout_text": shown.payout_text(booking, context["money"]),
    }
    return render(request, "bookings/provider/detail.html", context)


STEPS: dict[str, tuple[Callable[..., Booking], str]] = {
    "accept": (lifecycle.accept, "Accepted. The owner has been told."),
    "start": (lifecycle.start, "The visit has started."),
    "complete": (lifecycle.complete, "The visit is finished."),
}
REASONED: dict[str, tuple[Callable[..., Booking], Action, str]] = {
    "decline": (lifecycle.decline, Action.DECLINE, "Declined. The owner has been told."),
    "cancel": (lifecycle.cancel, Action.CANCEL, "Cancelled. The owner has been told and owes nothing."),
    "no-show": (lifecycle.report_no_show, Action.NO_SHOW, "Recorded as a no-show."),
}


@login_required
@require_POST
def step(request: SignedInRequest, slug: str, reference: str, verb: str) -> HttpResponse:
    """Take one step of the visit that needs no words."""
    provider = team_provider(request.user, slug)
    booking = team_booking(request.user, provider, reference)
    act, done = STEPS[verb]
    form = CompleteForm(request.POST if verb == "complete" else None)
    said = {"is_paid": form.cleaned_data["is_paid"]} if form.is_valid() else {}
    try:
        act(booking, by=request.user, now=timezone.now(), **said)
    except DomainError as error:
        say_error(request, error)
    else:
        messages.success(request, done)
    return redirect(back_to(request, reverse("provider:booking", args=[slug, reference])))


@login_required
@require_POST
def extra(request: SignedInRequest, slug: str, reference: str) -> HttpResponse:
    """Ask the owner for more than was agreed."""
    provider = team_provider(request.user, slug)
    booking = team_booking(request.user, provider, reference)
    form = ExtraForm(request.POST, currency=booking.currency)
    if form.is_valid():
        try:
            aftercare.charge_extra(booking, by=request.user, now=timezone.now(), **form.cleaned_data)
        except DomainError as error:
            say_error(request, error)
        else:
            messages.success(request, "Added. The owner has been told, and can pay it online.")
    else:
        messages.error(request, "Say how much it is, and what it is for.")
    return redirect("provider:booking", slug, reference)


@login_required
@require_http_methods(["GET", "POST"])
def reasoned_step(request: SignedInRequest, slug: str, reference: str, verb: str) -> HttpResponse:
    """Take a step that ends the booking: first say what follows, then do it with a reason."""
    now = timezone.now()
    provider = team_provider(request.user, slug)
    booking = team_booking(request.user, provider, reference)
    act, action, done = REASONED[verb]
    here = reverse("provider:booking", args=[slug, reference])
    form = (DeclineForm if verb == "decline" else ReasonForm)(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            act(booking, by=request.user, reason=form.cleaned_data["reason"], now=now)
        except DomainError as error:
            say_error(request, error)
            return redirect(here)
        messages.success(request, done)
        return redirect(back_to(request, here))
    context = detail_context(request, booking, now=now)
    if action not in context["actions"]:
        messages.error(request, "This is no longer possible in the present state.")
        return redirect(here)
    heading, consequence = _words(verb, booking)
    context |= {"provider": provider, "form": form, "heading": heading, "consequence": consequence, "back": here}
    return render(request, "bookings/provider/reason.html", context, status=400 if form.errors else 200)


def _words(verb: str, booking: Booking) -> tuple[str, str]:
    """Return the heading and what follows from a step."""
    if verb == "decline":
        return (
            "Decline the request",
            "The owner is told at once, and nothing is to be paid: what was reserved is let go.",
        )
    if verb == "cancel":
        return "Cancel the booking", (
            "The owner is told at once and pays nothing: a provider's cancellation is free. What was paid goes back."
        )
    fee = booking.total - cancellation.Terms.from_json(booking.terms).no_show.refund_amount
    money = format_money(fee, booking.currency)
    stays = "is kept" if paying.standing(booking).has_moved else "stays to be paid"
    return "Report that nobody came", f"By the terms of this booking {money} {stays}."


@login_required
@require_http_methods(["GET", "POST"])
def move(request: SignedInRequest, slug: str, reference: str) -> HttpResponse:
    provider = team_provider(request.user, slug)
    booking = team_booking(request.user, provider, reference)
    done = reverse("provider:booking", args=[slug, reference])
    return move_page(request, booking, template="bookings/provider/move.html", done=done, extra={"provider": provider})
