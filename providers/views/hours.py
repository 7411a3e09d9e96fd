"""Weekly hours, other hours on a date, time off. Staff reach their own, managers everybody's."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_POST

from petplace.errors import DomainError
from providers.domain import hours as rules
from providers.forms.base import DomainForm
from providers.forms.hours import OverrideForm, TimeOffForm, WeekForm, clock
from providers.models import Provider, Resource
from providers.views.access import TeamRequest, member_page


@member_page
def overview(request: TeamRequest, provider: Provider) -> HttpResponse:
    """List everything that can be booked with its week."""
    rows = Resource.objects.filter(branch__provider=provider).select_related("branch", "user")
    if not request.is_manager:
        rows = rows.filter(user_id=request.user.pk)
    found = list(rows.prefetch_related("weekly_hours", "time_off").order_by("branch__name", "kind", "position", "pk"))
    if len(found) == 1:
        return redirect("provider:hours_of", provider.slug, found[0].uid)
    now = timezone.now()
    listed = [
        {
            "resource": resource,
            "week": week_text(resource),
            "off": next((off for off in resource.time_off.all() if off.during.upper > now), None),
        }
        for resource in found
    ]
    return render(request, "providers/hours.html", {"provider": provider, "rows": listed})


def week_text(resource: Resource) -> list[tuple[str, str]]:
    """Return the week in few words: days with the same hours together."""
    per_day = [
        ", ".join(
            f"{clock(span.opens)}–{clock(span.closes)}" for span in resource.weekly_hours.all() if span.weekday == day
        )
        for day in range(7)
    ]
    lines: list[tuple[int, int, str]] = []
    for day, text in enumerate(per_day):
        if lines and lines[-1][2] == text:
            lines[-1] = (lines[-1][0], day, text)
        else:
            lines.append((day, day, text))
    return [
        (
            rules.DAYS[first][:3] if first == last else f"{rules.DAYS[first][:3]}–{rules.DAYS[last][:3]}",
            "around the clock" if text == "00:00–24:00" else text or "closed",
        )
        for first, last, text in lines
    ]


def _resource(request: TeamRequest, provider: Provider, uid: UUID) -> Resource:
    resource = get_object_or_404(Resource.objects.select_related("branch"), branch__provider=provider, uid=uid)
    if not (request.is_manager or resource.user_id == request.user.pk):
        raise PermissionDenied("Only managers change other people's hours.")
    return resource


def _page(request: TeamRequest, provider: Provider, resource: Resource, **forms: DomainForm) -> HttpResponse:
    now = timezone.now()
    today = now.astimezone(resource.branch.zone).date()
    spans = [rules.WeeklySpan(row.weekday, row.opens, row.closes) for row in resource.weekly_hours.all()]
    per_date: dict[object, dict[str, object]] = {}
    for override in resource.overrides.filter(on__gte=today):
        entry = per_date.setdefault(override.on, {"on": override.on, "spans": [], "reason": override.reason})
        if override.opens is not None and override.closes is not None:
            entry["spans"].append(f"{clock(override.opens)}–{clock(override.closes)}")  # type: ignore[attr-defined]
    context = {
        "provider": provider,
        "resource": resource,
        "week_form": WeekForm(spans=spans),
        "override_form": OverrideForm(),
        "time_off_form": TimeOffForm(resource=resource),
        "overrides": list(per_date.values()),
        "time_off": resource.time_off.filter(during__endswith__gt=now),
        "is_manager": request.is_manager,
    }
    return render(request, "providers/hours_of.html", context | forms)


@member_page
def edit(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    """Show and set the week. ``copy_from`` (a day's number) gives all days that day's hours."""
    resource = _resource(request, provider, uid)
    if request.method != "POST":
        return _page(request, provider, resource)
    form = WeekForm(request.POST, spans=[])
    if form.is_valid():
        spans = form.spans_for(request.POST.get("copy_from", ""))
        if form.run(rules.set_weekly, resource, spans, now=timezone.now()) is not None:
            messages.success(request, "The weekly hours are saved.")
            return redirect("provider:hours_of", provider.slug, resource.uid)
    return _page(request, provider, resource, week_form=form)


@require_POST
@member_page
def override_add(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    resource = _resource(request, provider, uid)
    form = OverrideForm(request.POST)
    if form.is_valid() and form.run(rules.set_override, resource, now=timezone.now(), **form.cleaned_data) is not None:
        messages.success(request, "The date is set.")
        return redirect("provider:hours_of", provider.slug, resource.uid)
    return _page(request, provider, resource, override_form=form)


@require_POST
@member_page
def override_remove(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    resource = _resource(request, provider, uid)
    try:
        on = parse_date(request.POST.get("on", ""))
    except ValueError:
        on = None
    if on:
        rules.remove_override(resource, on=on, now=timezone.now())
    return redirect("provider:hours_of", provider.slug, resource.uid)


@require_POST
@member_page
def time_off_add(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    resource = _resource(request, provider, uid)
    form = TimeOffForm(request.POST, resource=resource)
    if form.is_valid() and form.run(rules.add_time_off, resource, now=timezone.now(), **form.cleaned_data):
        messages.success(request, "The time off is set.")
        return redirect("provider:hours_of", provider.slug, resource.uid)
    return _page(request, provider, resource, time_off_form=form)


@require_POST
@member_page
def time_off_remove(request: TeamRequest, provider: Provider, uid: UUID, off: UUID) -> HttpResponse:
    resource = _resource(request, provider, uid)
    found = get_object_or_404(resource.time_off, uid=off)
    try:
        rules.remove_time_off(found, now=timezone.now())
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("provider:hours_of", provider.slug, resource.uid)
