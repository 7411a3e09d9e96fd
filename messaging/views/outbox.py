"""The developer's outbox: mails, texts and pushes as people would have seen them. Demo and development, staff only."""

from collections.abc import Callable
from functools import wraps
from uuid import UUID

from csp.decorators import csp_replace
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from messaging.choices import OUTSIDE, Channel
from messaging.models import OutboxMessage
from petplace.http import SignedInRequest
from petplace.roles import Right, may


def staff_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For everybody else there is nothing here."""

    @wraps(view)
    def inner(request: SignedInRequest, **arguments: UUID) -> HttpResponse:
        if not may(request.user, Right.OUTBOX):
            raise Http404
        return view(request, **arguments)

    return login_required(inner)


@staff_only
@require_safe
@never_cache
def messages(request: SignedInRequest) -> HttpResponse:
    """List what was kept, newest first, of one channel or all."""
    channel = request.GET.get("channel", "")
    kept = OutboxMessage.objects.filter(channel=channel) if channel in OUTSIDE else OutboxMessage.objects.all()
    context = {
        "page_obj": Paginator(kept, 20).get_page(request.GET.get("page")),
        "channel": channel if channel in OUTSIDE else "",
        "channels": [(one.value, one.label) for one in OUTSIDE],
    }
    return render(request, "dev/outbox.html", context)


@staff_only
@require_safe
@never_cache
@csp_replace({"frame-src": ["'self'"]})
def message(request: SignedInRequest, uid: UUID) -> HttpResponse:
    kept = get_object_or_404(OutboxMessage.objects.select_related("delivery__notification"), uid=uid)
    return render(request, "dev/outbox_message.html", {"message": kept})


# A mail's styles stand in it, and nothing in it may run or load anything.
@staff_only
@require_safe
@never_cache
@xframe_options_sameorigin
@csp_replace(
    {
        "default-src": ["'none'"],
        "script-src": ["'none'"],
        "form-action": ["'none'"],
        "style-src": ["'unsafe-inline'"],
        "img-src": ["data:"],
        "frame-ancestors": ["'self'"],
    }
)
def html(request: SignedInRequest, uid: UUID) -> HttpResponse:
    """Give the HTML of a mail, for the frame on its page."""
    kept = get_object_or_404(OutboxMessage, uid=uid, channel=Channel.EMAIL)
    if not kept.html:
        raise Http404
    return HttpResponse(kept.html)
