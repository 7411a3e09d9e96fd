"""What to do about a mailbox that does not take our mail."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from messaging.domain import addresses
from messaging.models import ContactSettings
from petplace.http import SignedInRequest


@login_required
@require_http_methods(["GET", "POST"])
def address(request: SignedInRequest) -> HttpResponse:
    """Say why mail stopped, and offer to change the address or to try it again."""
    if request.method == "POST":
        if addresses.try_email_again(request.user, now=timezone.now()):
            messages.success(request, f"We write to {request.user.email} again.")
        return redirect("messaging:address")
    contact = ContactSettings.objects.filter(user=request.user, email_bounced_at__isnull=False).first()
    return render(request, "messaging/address.html", {"contact": contact})
