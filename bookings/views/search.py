"""Search for care that is really free: list and map, filters in the address, another time when nobody is free."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from bookings.domain import search as domain
from bookings.search_form import DEFAULT_RADIUS_KM, ORDERINGS, RADII, RATINGS, Asked, SearchForm
from petplace.money import format_money
from petplace.templatetags import ui
from pets.choices import Species
from providers.choices import ServiceKind
from providers.domain import places


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """Show who is free. Everything that was asked stands in the address, so that it can be shared."""
    now = timezone.now()
    form = SearchForm(_asked(request), now=now)
    asked = Asked.read(form)
    found = domain.find(asked.query, now=now, after=asked.after) if asked.query else domain.Page()
    context = _frame(form, asked) | {
        "found": found,
        "cards": _cards(found.results, asked, now),
        "markers": [_marker(result, asked) for result in found.results],
        "page_obj": _page(found, asked),
    }
    if asked.query and not found.results:
        near = domain.nearest_times(asked.query, now=now) if not form.errors else []
        context["suggestions"] = [_suggestion(one, asked) for one in near]
    response = render(request, "search/search.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_GET
def place_options(request: HttpRequest) -> HttpResponse:
    """Answer the options of the place field: towns whose name begins so."""
    text = request.GET.get("near", "")
    found = places.lookup(text, limit=8) if len(text.strip()) > 1 else []
    return render(request, "search/_places.html", {"places": found})


def _asked(request: HttpRequest) -> QueryDict:
    """Return what was asked; who says no place and has told where home is, asks there."""
    user = request.user
    if "near" in request.GET or "lat" in request.GET or not user.is_authenticated or user.home_latitude is None:
        return request.GET
    asked = request.GET.copy()
    asked["near"], asked["lat"], asked["lng"] = user.home_place, str(user.home_latitude), str(user.home_longitude)
    return asked


def _frame(form: SearchForm, asked: Asked) -> dict[str, Any]:
    """Return what the page shows around the results."""
    species = asked.values.get("species") or []
    query = asked.query
    return {
        "form": form,
        "asked": asked,
        "place": asked.place,
        "query": query,
        "values": {**form.given.dict(), "species": species[0] if species else "", "pets": asked.values.get("pets", 1)},
        "service_kinds": ServiceKind.choices,
        "species_choices": Species.choices,
        "chips": asked.chips(),
        "hidden": asked.pairs(*_BAR_FIELDS),
        "filter_hidden": asked.pairs(*_FILTER_FIELDS),
        "radii": [(km, f"{km} km") for km in RADII],
        "radius": query.radius_km if query else DEFAULT_RADIUS_KM,
        "ratings": RATINGS.items(),
        "orderings": ORDERINGS.items(),
        "ordering": query.ordering if query else "distance",
        "currency": asked.currency,
        "errors": [(name, messages[0]) for name, messages in form.errors.items()],
        "tiles": settings.MAP_TILE_URL,
        "attribution": settings.MAP_TILE_ATTRIBUTION,
    }


_BAR_FIELDS = ("near", "lat", "lng", "service", "species", "pets", "date", "time", "duration")
_FILTER_FIELDS = ("radius_km", "price_max", "rating_min", "weight_kg", "ordering")


def _page(found: domain.Page, asked: Asked) -> Page[Any]:
    query = asked.query
    size = query.page_size if query else 1
    return Paginator(range(found.total), size).get_page(query.page if query else 1)


def _photo(result: domain.Result) -> str:
    if not result.avatar:
        return ""
    return f"{reverse('provider_avatar', args=[result.slug])}?v={result.avatar.rsplit('/', 1)[-1][:8]}"


def _profile(result: domain.Result, asked: Asked) -> str:
    """Return the address of the profile with the asked service, time and pets taken along."""
    assert asked.query is not None
    chosen: dict[str, Any] = {"service": result.service_uid, "pets": asked.query.pet_count}
    if asked.query.species:
        chosen["species"] = asked.query.species[0]
    if result.starts_at and result.ends_at:
        chosen |= {"start": result.starts_at.isoformat(), "end": result.ends_at.isoformat()}
    return f"{reverse('provider_detail', args=[result.slug])}?{urlencode(chosen)}"


def _price_note(result: domain.Result) -> str:
    if not result.is_overnight:
        return f"all-in, {ui.duration(result.duration_minutes)}"
    if result.units > 1:
        return f"all-in for {result.units} nights"
    return "all-in, 1 night" if result.starts_at else "all-in, per night"


def _cards(results: list[domain.Result], asked: Asked, now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "uid": result.branch_uid,
            "href": _profile(result, asked),
            "name": result.name,
            "kind_label": result.service_name,
            "photo": _photo(result),
            "rating": result.rating,
            "reviews": result.review_count,
            "distance_m": max(result.distance_km, 0.1) * 1000,
            "place": result.city,
            "badges": result.badges(now),
            "free_label": f"Free {_time(result.starts_at, result)}" if result.starts_at else "",
            "next_label": f"Next free {_time(result.next_free, result)}"
            if result.next_free
            else "Nothing free within two weeks",
            "amount": result.price,
            "currency": result.currency,
            "price_note": _price_note(result),
        }
        for result in results
    ]


def _time(moment: Any, result: domain.Result) -> str:
    return ui.local_time_text(moment, result.zone)


def _marker(result: domain.Result, asked: Asked) -> dict[str, Any]:
    return {
        "id": str(result.branch_uid),
        "lat": result.latitude,
        "lng": result.longitude,
        "price": format_money(result.price, result.currency, short=True),
        "name": result.name,
        "text": f"{result.service_name}, {_price_note(result)}",
        "free": _time(result.starts_at or result.next_free, result) if result.starts_at or result.next_free else "",
        "href": _profile(result, asked),
    }


def _suggestion(one: domain.Suggestion, asked: Asked) -> dict[str, Any]:
    start = one.starts_at.astimezone(asked.zone)
    changes = {"date": start.date().isoformat()}
    if not one.result.is_overnight:
        changes["time"] = f"{start:%H:%M}"
    return {
        "name": one.result.name,
        "time": ui.local_range_text(one.starts_at, one.ends_at, asked.zone),
        "price": format_money(one.result.price, one.result.currency, short=True),
        "is_overnight": one.result.is_overnight,
        "href": asked.link(**changes),
    }
