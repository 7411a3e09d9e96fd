"""Weekly hours, other hours on a date and time off of a resource; and one service by its own address."""

from datetime import date
from typing import Any

from django.db.models import Q
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.domain import second_factor
from petplace.api.fields import parse_date
from petplace.api.idempotency import idempotent
from petplace.api.views import ApiView, GenericViewSet
from petplace.http import caller_of
from petplace.roles import Right, may
from providers import permissions
from providers.api import serializers as shapes
from providers.domain import hours as rules
from providers.domain import services
from providers.domain.hours import WeeklySpan
from providers.models import Provider, Resource, Service


def find_resource(request: Request, uid: Any, *, writes: bool = False) -> Resource:
    """Return a resource of the caller's teams, else 404; for writing one whose hours the caller may set, else 403."""
    team = Provider.objects.run_by(request.user).values("pk")  # type: ignore[arg-type]
    found = Resource.objects.select_related("branch__provider")
    if not (may(request.user, Right.READ) and not writes):
        found = found.filter(branch__provider__in=team)
    resource = found.filter(uid=uid).first()
    if resource is None:
        raise Http404
    if writes and not permissions.can_edit_hours(request.user, resource):
        raise PermissionDenied("Only managers change other people's hours.")
    if writes:
        second_factor.demand(caller_of(request), now=timezone.now())
    return resource


class AvailabilityView(ApiView):
    """The weekly hours of a resource, local to its branch."""

    @extend_schema(responses=shapes.WeeklyHoursSerializer(many=True))
    def get(self, request: Request, id: Any) -> Response:
        """Read the week."""
        return self._week(find_resource(request, id))

    @extend_schema(request=shapes.WeeklyHoursSerializer(many=True), responses=shapes.WeeklyHoursSerializer(many=True))
    def put(self, request: Request, id: Any) -> Response:
        """Replace the whole week. Staff set their own hours, managers everybody's."""
        resource = find_resource(request, id, writes=True)
        # The length is an option of the list that ``many`` makes.
        form = shapes.WeeklyHoursSerializer(data=request.data, many=True, max_length=7 * rules.MAX_SPANS_A_DAY)  # type: ignore[call-arg]
        form.is_valid(raise_exception=True)
        rules.set_weekly(resource, [WeeklySpan(**span) for span in form.validated_data], now=timezone.now())
        return self._week(resource)

    @staticmethod
    def _week(resource: Resource) -> Response:
        return Response(shapes.WeeklyHoursSerializer(resource.weekly_hours.all(), many=True).data)


class _OfResource(GenericViewSet):
    def resource(self, *, writes: bool = False) -> Resource:
        return find_resource(self.request, self.kwargs["resource_id"], writes=writes)


class TimeOffViewSet(_OfResource):
    """Spans in which a resource is away, whatever its hours say. Nothing can be booked in them."""

    serializer_class = shapes.TimeOffSerializer

    @extend_schema(responses=shapes.TimeOffSerializer(many=True))
    def list(self, request: Request, resource_id: Any) -> Response:
        """List them, the earliest first."""
        resource = self.resource()
        page = self.paginate_queryset(resource.time_off.order_by("during", "pk"))
        return self.get_paginated_response(
            shapes.TimeOffSerializer(page, many=True, context={"resource": resource}).data
        )

    @extend_schema(request=shapes.TimeOffInput, responses={201: shapes.TimeOffSerializer})
    @idempotent
    def create(self, request: Request, resource_id: Any) -> Response:
        """Take time off; 409 `booked_then` while a booking lies there."""
        resource = self.resource(writes=True)
        form = shapes.TimeOffInput(data=request.data)
        form.is_valid(raise_exception=True)
        time_off = rules.add_time_off(resource, now=timezone.now(), **form.validated_data)
        return Response(shapes.TimeOffSerializer(time_off, context={"resource": resource}).data, status=201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, resource_id: Any, id: Any) -> Response:
        """Be there after all."""
        time_off = self.resource(writes=True).time_off.filter(uid=id).first()
        if time_off is None:
            raise Http404
        rules.remove_time_off(time_off, now=timezone.now())
        return Response(status=204)


class OverrideViewSet(_OfResource):
    """Other hours on single local dates."""

    serializer_class = shapes.OverrideSerializer

    @extend_schema(responses=shapes.OverrideSerializer(many=True))
    def list(self, request: Request, resource_id: Any) -> Response:
        """List the dates from today on."""
        resource = self.resource()
        today = timezone.now().astimezone(resource.branch.zone).date()
        page = self.paginate_queryset(by_date(resource, Q(on__gte=today)))
        return self.get_paginated_response(shapes.OverrideSerializer(page, many=True).data)

    @extend_schema(request=shapes.OverrideInput, responses={201: shapes.OverrideSerializer})
    @idempotent
    def create(self, request: Request, resource_id: Any) -> Response:
        """Set the hours of a date; none close it."""
        resource = self.resource(writes=True)
        form = shapes.OverrideInput(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        spans = [(span["opens"], span["closes"]) for span in data["hours"]]
        rules.set_override(resource, on=data["date"], spans=spans, reason=data["reason"], now=timezone.now())
        return Response(shapes.OverrideSerializer(by_date(resource, Q(on=data["date"]))[0]).data, status=201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, resource_id: Any, date: str) -> Response:
        """Return to the weekly hours on a date."""
        resource, on = self.resource(writes=True), parse_date(date)
        if on is None or not resource.overrides.filter(on=on).exists():
            raise Http404
        rules.remove_override(resource, on=on, now=timezone.now())
        return Response(status=204)


def by_date(resource: Resource, which: Q) -> list[dict[str, Any]]:
    """Return the overrides, one entry for each date."""
    entries: dict[date, dict[str, Any]] = {}
    for row in resource.overrides.filter(which):
        entry = entries.setdefault(row.on, {"date": row.on, "hours": [], "reason": row.reason})
        if row.opens is not None:
            entry["hours"].append({"opens": row.opens, "closes": row.closes})
    return list(entries.values())


class ServiceView(ApiView):
    """One service by its own id."""

    permission_classes = [AllowAny]
    cache_seconds = 30

    @extend_schema(responses=shapes.ServiceSerializer)
    def get(self, request: Request, id: Any) -> Response:
        """Read a service: one that is on sale, or one of your own."""
        found = Service.objects.select_related("branch", "provider").prefetch_related("addons").filter(uid=id).first()
        if found is None:
            raise Http404
        is_team = request.user.is_authenticated and (
            may(request.user, Right.READ) or permissions.can_work_for(request.user, found.provider)
        )
        is_open = found.is_active and found.branch.is_active and found.provider.is_public
        if not (is_open or is_team):
            raise Http404
        context = {"request": request, "problems": services.problems_of([found]) if is_team else {}}
        return Response(shapes.ServiceSerializer(found, context=context).data)
