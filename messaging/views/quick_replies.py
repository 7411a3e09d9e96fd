"""A team's quick replies: everyone may use and change them."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from messaging.domain import quick_replies
from messaging.forms import QuickReplyForm
from messaging.models import QuickReply
from petplace.errors import DomainError
from petplace.http import SignedInRequest
from providers.models import Provider
from providers.views.access import member_page


@member_page
@require_http_methods(["GET", "HEAD", "POST"])
def replies(request: SignedInRequest, provider: Provider) -> HttpResponse:
    """List them, and add one."""
    form = QuickReplyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            quick_replies.add(provider, **form.cleaned_data)
        except DomainError as error:
            _show(form, error)
        else:
            messages.success(request, "Added.")
            return redirect("provider:quick_replies", provider.slug)
    context = {"provider": provider, "form": form, "replies": QuickReply.objects.filter(provider=provider)}
    status = 400 if request.method == "POST" else 200
    return render(request, "messaging/quick_replies.html", context, status=status)


@member_page
@require_http_methods(["GET", "HEAD", "POST"])
def reply(request: SignedInRequest, provider: Provider, uid: UUID) -> HttpResponse:
    """Change one."""
    found = get_object_or_404(QuickReply, provider=provider, uid=uid)
    form = QuickReplyForm(request.POST or None, initial={"title": found.title, "text": found.text})
    if request.method == "POST" and form.is_valid():
        try:
            quick_replies.change(found, **form.cleaned_data)
        except DomainError as error:
            _show(form, error)
        else:
            messages.success(request, "Saved.")
            return redirect("provider:quick_replies", provider.slug)
    status = 400 if request.method == "POST" else 200
    return render(
        request, "messaging/quick_reply.html", {"provider": provider, "form": form, "reply": found}, status=status
    )


@member_page
@require_POST
def remove(request: SignedInRequest, provider: Provider, uid: UUID) -> HttpResponse:
    quick_replies.remove(get_object_or_404(QuickReply, provider=provider, uid=uid))
    messages.success(request, "Removed.")
    return redirect("provider:quick_replies", provider.slug)


def _show(form: QuickReplyForm, error: DomainError) -> None:
    for name, texts in (error.fields or {"": [error.message]}).items():
        for text in texts:
            form.add_error(name or None, text)
