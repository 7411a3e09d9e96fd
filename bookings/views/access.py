"""Who may open which page of a booking: what is not yours is not there."""

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.models import User
from bookings.models import Booking
from petplace.errors import DomainError
from providers.models import Provider


def own_booking(user: User, reference: str) -> Booking:
    """Return the booking that ``user`` made, or raise Http404."""
    return get_object_or_404(Booking.objects.owned_by(user).with_everything(), reference=reference)


def team_provider(user: User, slug: str) -> Provider:
    """Return the provider of whose team ``user`` is, or raise Http404."""
    return get_object_or_404(Provider.objects.run_by(user), slug=slug)


def team_booking(user: User, provider: Provider, reference: str) -> Booking:
    """Return a booking at ``provider`` that the team may see, or raise Http404."""
    scope = Booking.objects.provided_by(user).filter(provider=provider).with_everything()
    return get_object_or_404(scope, reference=reference)


def back_to(request: HttpRequest, default: str) -> str:
    """Return the posted ``next`` when it stays on this site, else ``default``."""
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if is_ours else default


def show_error(form: Form, error: DomainError) -> None:
    """Put the domain's objection beside the fields that it names, or above the form."""
    for name, texts in error.fields.items():
        for text in texts:
            form.add_error(name if name in form.fields else None, text)
    if not error.fields:
        form.add_error(None, error.message)


def say_error(request: HttpRequest, error: DomainError) -> None:
    messages.error(request, error.message)
