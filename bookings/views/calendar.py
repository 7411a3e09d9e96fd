"""The provider's calendar (a column per resource, a week, a list) and everybody's private feeds.

The page is complete without JavaScript; with it, the bookings are drawn by a calendar in which they can be dragged.
All times there are wall-clock times of the branch.
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from bookings import permissions
from bookings.domain import calendar_feeds
from bookings.forms import DayForm, MoveForm, RangeForm
from bookings.models import Booking, CalendarFeed
from bookings.states import Action, BookingState
from bookings.views import shown
from bookings.views.access import team_booking, team_provider
from bookings.views.moving import moved
from bookings.views.provider import branch_of
from petplace.errors import DomainError
from petplace.http import SignedInRequest
from providers.models import Branch, OpenHours, Provider, Resource, TimeOff

SHOWN_STATES = (
    BookingState.PENDING,
    BookingState.CONFIRMED,
    BookingState.IN_PROGRESS,
    BookingState.COMPLETED,
    BookingState.NO_SHOW,
)
LENGTHS = {"day": 1, "week": 7, "list": 14}


def _shown(branch: Branch, start: datetime, end: datetime) -> list[Booking]:
    scope = Booking.objects.filter(service__branch=branch, state__in=SHOWN_STATES)
    scope = scope.filter(starts_at__lt=end, ends_at__gt=start)
    return list(scope.with_everything().order_by("starts_at", "pk"))


@login_required
@require_GET
def calendar(request: SignedInRequest, slug: str) -> HttpResponse:
    provider = team_provider(request.user, slug)
    form = DayForm(request.GET, provider=provider)
    branch = branch_of(provider, form)
    now = timezone.now()
    context: dict[str, Any] = {"provider": provider, "branch": branch, "form": form, "now": now}
    if branch:
        view = form.cleaned_data.get("view") or "day"
        today = now.astimezone(branch.zone).date()
        day = form.cleaned_data.get("date") or today
        first = day - timedelta(days=day.weekday()) if view == "week" else day
        length = LENGTHS[view]
        bookings = _shown(branch, _midnight(first, branch), _midnight(first + timedelta(days=length), branch))
        resources = list(branch.resources.filter(is_active=True))
        context |= {
            "view": view,
            "views": [("day", "Day"), ("week", "Week"), ("list", "List")],
            "day": day,
            "today": today,
            "first": first,
            "previous": first - timedelta(days=length),
            "next": first + timedelta(days=length),
            "resources": resources,
            "hours": _by_hour(bookings, resources, first, branch) if view == "day" else [],
            "days": _by_day(bookings, first, length, branch) if view != "day" else [],
            "last": first + timedelta(days=length - 1),
            "has_visits": bool(bookings),
            "calendar_resources": [{"id": str(one.uid), "title": one.name} for one in resources],
            "key": [(state.value, state.label) for state in SHOWN_STATES],
            "branches": list(provider.branches.filter(is_active=True)),
        }
    return render(request, "bookings/provider/calendar.html", context)


def _midnight(day: date, branch: Branch) -> datetime:
    return datetime.combine(day, time(), branch.zone)


def _by_hour(
    bookings: Iterable[Booking], resources: list[Resource], day: date, branch: Branch
) -> list[tuple[time, list[list[Booking]]]]:
    """Return rows of ``(hour, a list of bookings for each resource)``: who begins, or is there when the day begins."""
    cells: dict[int, dict[int, list[Booking]]] = {hour: {} for hour in range(8, 19)}
    for booking in bookings:
        local = booking.starts_at.astimezone(branch.zone)
        hour = local.hour if local.date() == day else 0
        for resource in shown.resources(booking):
            cells.setdefault(hour, {}).setdefault(resource.pk, []).append(booking)
    return [(time(hour), [row.get(resource.pk, []) for resource in resources]) for hour, row in sorted(cells.items())]


def _by_day(bookings: Iterable[Booking], first: date, length: int, branch: Branch) -> list[tuple[date, list[Booking]]]:
    days: dict[date, list[Booking]] = {first + timedelta(days=offset): [] for offset in range(length)}
    for booking in bookings:
        day = max(booking.starts_at.astimezone(branch.zone).date(), first)
        while day in days and _midnight(day, branch) < booking.ends_at:
            days[day].append(booking)
            day += timedelta(days=1)
    return list(days.items())


@login_required
@require_GET
def events(request: SignedInRequest, slug: str) -> JsonResponse:
    """Answer the drawn calendar: bookings, and closed hours and time off as background."""
    provider = team_provider(request.user, slug)
    form = RangeForm(request.GET, provider=provider)
    if not form.is_valid():
        return JsonResponse({"errors": form.errors}, status=400)
    branch = branch_of(provider, form)
    if branch is None:
        return JsonResponse([], safe=False)
    start, end = _midnight(form.cleaned_data["start"], branch), _midnight(form.cleaned_data["end"], branch)
    now = timezone.now()
    teams = frozenset({provider.pk})
    found = [
        _event(booking, branch, provider, permissions.allowed_actions(request.user, booking, now=now, teams=teams))
        for booking in _shown(branch, start, end)
    ]
    found += _background(branch, start, end)
    return JsonResponse(found, safe=False)


def _wall(instant: datetime, zone: ZoneInfo) -> str:
    """Return wall-clock time without an offset: the drawn calendar knows no zones."""
    return instant.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S")


def _event(booking: Booking, branch: Branch, provider: Provider, actions: list[Action]) -> dict[str, Any]:
    return {
        "id": booking.reference,
        "resourceIds": [str(resource.uid) for resource in shown.resources(booking)],
        "start": _wall(booking.starts_at, branch.zone),
        "end": _wall(booking.ends_at, branch.zone),
        "title": f"{', '.join(pet.name for pet in booking.pets.all())}: {booking.service.name}",
        "classNames": [f"ev-{booking.state}"],
        "startEditable": Action.RESCHEDULE in actions,
        "durationEditable": False,
        "extendedProps": {
            "state": booking.get_state_display(),
            "owner": booking.owner.get_full_name(),
            "url": reverse("provider:booking", args=[provider.slug, booking.reference]),
            "move": reverse("provider:calendar_move", args=[provider.slug, booking.reference]),
            "overnight": booking.service.is_overnight,
        },
    }


def _background(branch: Branch, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Return each active resource's closed hours and time off between two instants."""
    found = []
    active = {"resource__branch": branch, "resource__is_active": True}
    for hours in OpenHours.objects.filter(**active).select_related("resource"):
        for low, high in _gaps(hours.open, start, end):
            found.append(_block(hours.resource, branch, low, high, "ev-closed", ""))
    off = TimeOff.objects.filter(during__overlap=DateTimeTZRange(start, end), **active).select_related("resource")
    return found + [
        _block(away.resource, branch, away.during.lower, away.during.upper, "ev-time_off", away.reason or "Time off")
        for away in off
    ]


def _gaps(spans: Iterable[Any], start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Return what of ``[start, end)`` lies outside the ascending ``spans``."""
    gaps, at = [], start
    for span in spans:
        if span.upper <= at:
            continue
        if span.lower >= end:
            break
        if span.lower > at:
            gaps.append((at, span.lower))
        at = span.upper
    if at < end:
        gaps.append((at, end))
    return gaps


def _block(resource: Resource, branch: Branch, low: datetime, high: datetime, name: str, title: str) -> dict[str, Any]:
    return {
        "start": _wall(low, branch.zone),
        "end": _wall(high, branch.zone),
        "resourceIds": [str(resource.uid)],
        "display": "background",
        "classNames": [name],
        "title": title,
        "extendedProps": {},
    }


@login_required
@require_POST
def move(request: SignedInRequest, slug: str, reference: str) -> JsonResponse:
    """Move a dragged booking. The answer to a refusal says why, and the page puts the booking back."""
    provider = team_provider(request.user, slug)
    booking = team_booking(request.user, provider, reference)
    form = MoveForm(request.POST, booking=booking)
    if not form.is_valid():
        texts = [str(text) for field in form.errors.values() for text in field]
        return JsonResponse({"code": "invalid", "detail": " ".join(texts), "errors": form.errors}, status=400)
    try:
        booking = moved(request, booking, form, now=timezone.now())
    except DomainError as error:
        return JsonResponse({"code": error.code, "detail": error.message}, status=error.status)
    zone = booking.zone
    return JsonResponse(
        {
            "detail": f"{booking.reference} is moved. The owner has been told.",
            "start": _wall(booking.starts_at, zone),
            "end": _wall(booking.ends_at, zone),
        }
    )


@login_required
@require_GET
def feeds(request: SignedInRequest) -> HttpResponse:
    """Show the person's private calendar addresses."""
    live = {feed.audience: feed for feed in request.user.calendar_feeds.filter(revoked_at__isnull=True)}
    audiences = [CalendarFeed.Audience.OWNER]
    if Provider.objects.run_by(request.user).exists():
        audiences.append(CalendarFeed.Audience.PROVIDER)
    rows = []
    for audience in audiences:
        feed = live.get(audience)
        url = request.build_absolute_uri(reverse("calendar-feed-ics", args=[feed.token])) if feed else ""
        rows.append({"audience": audience.value, "label": audience.label, "feed": feed, "url": url})
    return render(request, "bookings/feeds.html", {"rows": rows})


@login_required
@require_POST
def make_feed(request: SignedInRequest) -> HttpResponse:
    audience = request.POST.get("audience", "")
    if audience not in CalendarFeed.Audience.values:
        messages.error(request, "Choose which bookings the calendar shows.")
    else:
        calendar_feeds.make(request.user, audience=audience, now=timezone.now())
        messages.success(request, "A new private address is ready. An older one stopped working.")
    return redirect("bookings:feeds")


@login_required
@require_POST
def revoke_feed(request: SignedInRequest, uid: str) -> HttpResponse:
    feed = get_object_or_404(CalendarFeed.objects.filter(user=request.user), uid=uid)
    calendar_feeds.revoke(feed, now=timezone.now())
    messages.success(request, "The address stopped working.")
    return redirect("bookings:feeds")
