"""The stream of the signed-in person's pages, and what they ask while there is none."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.models import User
from messaging.domain import conversations, live
from messaging.live.hub import Viewer
from messaging.live.stream import fingerprint, hand_over, is_possible, no_streams, place_of
from messaging.models import Notification
from providers.models import Provider


def is_from_elsewhere(request: HttpRequest) -> bool:
    """Tell whether a page of another site asks. Browsers say so themselves; older ones at least name the origin."""
    if site := request.headers.get("Sec-Fetch-Site"):
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is not None and origin != f"{request.scheme}://{request.get_host()}"


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """Answer scripts, not people: no sign-in page, but its status."""
    if is_from_elsewhere(request):
        return JsonResponse({"code": "cross_site"}, status=403)
    if not request.user.is_authenticated:
        return JsonResponse({"code": "not_authenticated"}, status=401)
    return None


@never_cache
@require_GET
def stream(request: HttpRequest) -> HttpResponse:
    """Open the stream of the session's person (server-sent events)."""
    if (refusal := _refusal(request)) is not None:
        return refusal
    if not is_possible(request):
        return no_streams()
    user: User = request.user  # type: ignore[assignment]
    viewer = Viewer(
        user_id=user.pk,
        user_uid=user.uid,
        session_key=request.session.session_key or "",
        password=fingerprint(user.password),
        **place_of(request),
    )
    return hand_over(request, viewer)


@never_cache
@require_GET
def poll(request: HttpRequest) -> HttpResponse:
    """Answer the same lines at once, for pages that cannot keep a stream open."""
    if (refusal := _refusal(request)) is not None:
        return refusal
    user: User = request.user  # type: ignore[assignment]
    place: dict[str, Any] = place_of(request)
    if place.get("is_lost"):
        page = live.read(user, after=None, since=None, now=timezone.now())
        is_reset = True
    else:
        page = live.read(user, after=place.get("after"), since=place.get("since"), now=timezone.now())
        is_reset = page.is_reset
    return JsonResponse(
        {
            "user": str(user.uid),
            "events": [
                {"id": str(line.position), "kind": line.kind, "data": json.loads(line.data)} for line in page.lines
            ],
            "place": str(page.position),
            "reset": is_reset,
        }
    )


@never_cache
@require_GET
def badges(request: HttpRequest) -> HttpResponse:
    """Count what is unread, for the numbers in the navigation: talks by the address of their list."""
    if (refusal := _refusal(request)) is not None:
        return refusal
    user: User = request.user  # type: ignore[assignment]
    unread = conversations.unread(user)
    talks = {reverse("conversations:messages"): unread.owner}
    if unread.providers:
        for pk, slug in Provider.objects.filter(pk__in=unread.providers).values_list("pk", "slug"):
            talks[reverse("provider:messages", args=[slug])] = unread.providers[pk]
    notifications = Notification.objects.visible_to(user, now=timezone.now()).unread().count()
    return JsonResponse({"notifications": notifications, "talks": talks})
