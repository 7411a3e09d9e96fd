"""The browsers and apps of the signed-in person that get pushes."""

from uuid import UUID

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from messaging.domain import devices
from messaging.models import DeviceKind
from petplace.errors import DomainError
from petplace.http import SignedInRequest
from petplace.templatetags import ui


@login_required
@require_GET
def device_list(request: SignedInRequest) -> HttpResponse:
    """Show them; the list itself is a part that other pages include."""
    return render(request, "messaging/devices.html")


@login_required
@require_POST
def add(request: SignedInRequest) -> HttpResponse:
    """Register the browser that asks, or note that it is still there. For static/js/push.js."""
    try:
        device = devices.register(
            request.user,
            kind=DeviceKind.WEBPUSH,
            endpoint=request.POST.get("endpoint", ""),
            p256dh=request.POST.get("p256dh", ""),
            auth=request.POST.get("auth", ""),
            label=ui.device(request.headers.get("User-Agent", "")),
            session=UserSession.objects.filter(session_key=request.session.session_key).first(),
            now=timezone.now(),
        )
    except DomainError as error:
        return JsonResponse({"code": error.code, "detail": error.message, "errors": error.fields}, status=error.status)
    return JsonResponse({"id": str(device.uid)}, status=201)


@login_required
@require_POST
def forget(request: SignedInRequest) -> HttpResponse:
    """Forget the browser that asks; it knows its address only. For static/js/push.js."""
    devices.remove_address(request.user, request.POST.get("endpoint", ""))
    return HttpResponse(status=204)


@login_required
@require_POST
def remove(request: SignedInRequest, uid: UUID) -> HttpResponse:
    if not devices.remove(request.user, uid):
        raise Http404
    messages.success(request, "It gets no more notifications.")
    return redirect("messaging:devices")
