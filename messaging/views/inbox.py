"""The notifications of the signed-in person."""

from itertools import groupby
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from messaging import domain
from messaging.models import Notification
from petplace.http import SignedInRequest


@login_required
def notifications(request: SignedInRequest) -> HttpResponse:
    """Show what was said, newest first, by the reader's days."""
    now = timezone.now()
    page = Paginator(Notification.objects.visible_to(request.user, now=now), 25).get_page(request.GET.get("page"))
    days = groupby(page, key=lambda one: timezone.localdate(one.due_at))
    return render(
        request,
        "messaging/list.html",
        {
            "page_obj": page,
            "days": [(day, list(rows)) for day, rows in days],
            "today": timezone.localdate(now),
            "has_unread": Notification.objects.visible_to(request.user, now=now).unread().exists(),
        },
    )


def _own(request: SignedInRequest, uid: UUID) -> Notification:
    return get_object_or_404(Notification.objects.visible_to(request.user, now=timezone.now()), uid=uid)


@login_required
@require_POST
def read(request: SignedInRequest, uid: UUID) -> HttpResponse:
    domain.read(_own(request, uid), now=timezone.now())
    return redirect("messaging:list")


@login_required
@require_POST
def open_notification(request: SignedInRequest, uid: UUID) -> HttpResponse:
    """Mark it as read and go to what it is about."""
    notification = domain.read(_own(request, uid), now=timezone.now())
    is_ours = url_has_allowed_host_and_scheme(notification.url, {request.get_host()}, request.is_secure())
    return redirect(notification.url if is_ours else "messaging:list")


@login_required
@require_POST
def read_all(request: SignedInRequest) -> HttpResponse:
    domain.read_all(request.user, now=timezone.now())
    messages.success(request, "All are marked as read.")
    return redirect("messaging:list")
