"""Search and free slots over the API.

The answers are built as plain dicts from the rows: a serializer per result costs more than the search itself. The
serializers here say the shape to the OpenAPI document.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from bookings.domain import search, slots
from petplace.api import fields, pagination, params
from petplace.api.fields import format_instant
from petplace.api.serializers import StrictSerializer
from petplace.api.views import ApiView
from petplace.roles import Right, may
from pets.choices import Species
from providers.badges import RULES
from providers.choices import ProviderKind, ServiceKind
from providers.domain import places
from providers.models import Provider, Service

LONGEST_VISIT = timedelta(days=62)
MAX_WEIGHT_KG = 1500
DEFAULT_DAYS = 14


class SearchParams(params.Params):
    """Where (``lat`` and ``lng``, or ``near``) is needed; all else narrows."""

    lat = params.Number(min_value=-90, max_value=90, help_text="Degrees north. Goes with `lng`.")
    lng = params.Number(min_value=-180, max_value=180, help_text="Degrees east.")
    near = params.Text(max_length=120, help_text='A place name such as "Almaty" or "Paris, US", instead of a point.')
    radius_km = params.Number(
        min_value=0.1, max_value=search.MAX_RADIUS_KM, default=10.0, help_text="From the point, in kilometers."
    )
    service = params.Choice(ServiceKind.values, help_text="The kind of service.")
    species = params.Choices(Species.values, help_text="All of them must be taken by one service.")
    weight_kg = params.Number(min_value=0, max_value=MAX_WEIGHT_KG, help_text="Of the heaviest pet.")
    pets = params.Integer(min_value=1, max_value=20, default=1, help_text="How many.")
    start = params.Instant(help_text="Only those who can be booked for exactly then.")
    end = params.Instant(help_text="Needs `start`. Stays are booked by their local dates.")
    price_max = params.Integer(min_value=0, max_value=fields.MAX_AMOUNT, help_text="All-in, in minor units.")
    rating_min = params.Number(min_value=1, max_value=5, help_text="Leaves out those without reviews.")
    ordering = params.Choice(search.ORDERINGS, default="distance")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        errors: dict[str, list[str]] = {}
        has_point = "lat" in attrs and "lng" in attrs
        if ("lat" in attrs) != ("lng" in attrs):
            errors["lng" if "lat" in attrs else "lat"] = ["Give lat and lng together."]
        elif not has_point:
            found = places.lookup(attrs.get("near", ""))
            if not attrs.get("near"):
                errors["near"] = ["Say where: lat and lng, or near with the name of a place."]
            elif not found:
                errors["near"] = ["No place of this name is known. Try a larger town nearby, or lat and lng."]
            else:
                attrs["lat"], attrs["lng"] = found[0].latitude, found[0].longitude
        errors |= times_wrong(attrs.get("start"), attrs.get("end"))
        if errors:
            raise serializers.ValidationError(errors)
        return attrs


def times_wrong(start: Any, end: Any) -> dict[str, list[str]]:
    """Return what is wrong with an asked time, by field."""
    if start is None:
        return {"end": ["Give start too."]} if end is not None else {}
    if start <= timezone.now():
        return {"start": ["This time has passed. Choose a later one."]}
    if end is not None and end <= start:
        return {"end": ["The end must be after the start."]}
    if end is not None and end - start > LONGEST_VISIT:
        return {"end": [f"At most {LONGEST_VISIT.days} days."]}
    return {}


class MoneyAnswer(StrictSerializer):
    amount = serializers.IntegerField()
    currency = serializers.CharField()


class PointAnswer(StrictSerializer):
    latitude = serializers.FloatField()
    longitude = serializers.FloatField()


class FoundServiceAnswer(StrictSerializer):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(ServiceKind.choices)
    name = serializers.CharField()
    is_overnight = serializers.BooleanField()
    duration_minutes = serializers.IntegerField(allow_null=True)
    instant = serializers.BooleanField()


class FoundBranchAnswer(StrictSerializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    city = serializers.CharField(allow_blank=True)


class FoundBadgeAnswer(StrictSerializer):
    """``facts`` says what earned it; the rules stand at ``/trust/`` and with the provider."""

    kind = serializers.ChoiceField(sorted(RULES))
    label = serializers.CharField()  # type: ignore[assignment]
    facts = serializers.CharField()


class SearchResultSerializer(StrictSerializer):
    """One provider: its nearest matching branch with the cheapest matching service.

    ``price`` is all-in for the asked pets and time; without a time, of one visit or night. ``start`` and ``end`` are
    what would be booked. ``approximate_location`` is some hundred meters off, and ``distance_km`` is measured from it.
    """

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(ProviderKind.choices)
    distance_km = serializers.FloatField()
    rating = serializers.FloatField(allow_null=True)
    review_count = serializers.IntegerField()
    badges = FoundBadgeAnswer(many=True)
    price = MoneyAnswer()
    start = serializers.DateTimeField(allow_null=True)
    end = serializers.DateTimeField(allow_null=True)
    next_free = serializers.DateTimeField(allow_null=True)
    time_zone = serializers.CharField()
    approximate_location = PointAnswer()
    service = FoundServiceAnswer()
    branch = FoundBranchAnswer()


def _instant(value: Any) -> str | None:
    return format_instant(value) if value else None


def result_body(result: search.Result, *, now: datetime) -> dict[str, Any]:
    return {
        "id": str(result.provider_uid),
        "slug": result.slug,
        "name": result.name,
        "kind": result.kind,
        "distance_km": result.distance_km,
        "rating": result.rating,
        "review_count": result.review_count,
        "badges": [{"kind": one.kind, "label": one.label, "facts": one.facts} for one in result.badges(now)],
        "price": {"amount": result.price, "currency": result.currency},
        "start": _instant(result.starts_at),
        "end": _instant(result.ends_at),
        "next_free": _instant(result.next_free or result.starts_at),
        "time_zone": result.time_zone,
        "approximate_location": {"latitude": result.latitude, "longitude": result.longitude},
        "service": {
            "id": str(result.service_uid),
            "kind": result.service_kind,
            "name": result.service_name,
            "is_overnight": result.is_overnight,
            "duration_minutes": None if result.is_overnight else result.duration_minutes,
            "instant": result.is_instant,
        },
        "branch": {"id": str(result.branch_uid), "name": result.branch_name, "city": result.city},
    }


def _decimal(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def query_of(chosen: dict[str, Any], page: int, page_size: int) -> search.Query:
    return search.Query(
        latitude=chosen["lat"],
        longitude=chosen["lng"],
        radius_km=chosen["radius_km"],
        service_kind=chosen["service"],
        species=tuple(chosen["species"] or ()),
        weight_kg=_decimal(chosen["weight_kg"]),
        pet_count=chosen["pets"],
        start=chosen["start"],
        end=chosen["end"],
        price_max=chosen["price_max"],
        rating_min=_decimal(chosen["rating_min"]),
        ordering=chosen["ordering"],
        page=page,
        page_size=page_size,
    )


def find_providers(request: Request) -> Response:
    """Answer ``GET providers/``: who near by is free then, at which total. Declare ``SearchParams`` on the view."""
    page, page_size = pagination.read_page(request)
    query = query_of(SearchParams.read(request), page, page_size)
    now = timezone.now()
    found = search.find(query, now=now)
    if page > 1 and not found.results:
        raise Http404
    results = [result_body(result, now=now) for result in found.results]
    body = pagination.body(request, results, count=found.total, page=page, page_size=page_size)
    return Response({**body, "is_capped": found.is_capped})


class SlotParams(params.Params):
    def get_fields(self) -> dict[str, Any]:
        return {
            "from": params.Date(help_text="First local date. Today when not given."),
            "to": params.Date(help_text=f"Last local date, at most {slots.LONGEST_PERIOD_DAYS} days in all."),
            "pets": params.Integer(min_value=1, max_value=20, default=1, help_text="How many."),
        }


class SlotSerializer(StrictSerializer):
    """A time that can be booked now; ``free`` is how many places are left."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    free = serializers.IntegerField()


class SlotsView(ApiView):
    permission_classes = [AllowAny]
    params_class = SlotParams

    @extend_schema(responses=SlotSerializer(many=True))
    def get(self, request: Request, id: Any) -> Response:
        """List the free times of a service, or the free nights of a stay."""
        chosen = self.params()
        service = _visible(request, id)
        first, last = _period(chosen, service)
        found = slots.free(service, from_date=first, to_date=last, pet_count=chosen["pets"], now=timezone.now())
        return Response(
            [{"start": format_instant(s.start), "end": format_instant(s.end), "free": s.free} for s in found]
        )


def _visible(request: Request, uid: Any) -> Service:
    """Return the service if it can be booked, or is of the caller's own team."""
    services = Service.objects.select_related("branch", "provider")
    service = services.filter(uid=uid).first()
    if service is None:
        raise Http404
    is_open = service.is_active and service.branch.is_active and service.provider.is_public
    if not is_open and not _is_own(request.user, service):
        raise Http404
    return service


def _is_own(user: Any, service: Service) -> bool:
    if may(user, Right.READ):
        return True
    return user.is_authenticated and Provider.objects.run_by(user).filter(pk=service.provider_id).exists()


def _period(chosen: dict[str, Any], service: Service) -> tuple[date, date]:
    today = timezone.now().astimezone(service.branch.zone).date()
    first = chosen["from"] or today
    last = chosen["to"] or first + timedelta(days=DEFAULT_DAYS - 1)
    if last < first:
        raise serializers.ValidationError({"to": ["It must not be before from."]})
    if (last - first).days >= slots.LONGEST_PERIOD_DAYS:
        raise serializers.ValidationError({"to": [f"At most {slots.LONGEST_PERIOD_DAYS} days."]})
    return first, last
