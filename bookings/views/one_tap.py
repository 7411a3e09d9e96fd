"""The page behind a one-tap link: what would happen and for whom on GET, the step itself on POST."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from bookings import permissions
from bookings.domain import cancellation, events, one_tap, revealing
from bookings.forms import LinkForm
from bookings.models import Booking
from bookings.states import Side
from bookings.views import shown
from messaging import links, texts
from messaging.views.one_tap import one_tap as one_tap_page
from petplace.errors import DomainError
from petplace.money import format_money

# verb: heading, what follows, label of the button, what is said when it is done
WORDS = {
    "accept": ("Accept this request?", "The owner is told at once, and the time is theirs.", "Accept", "Accepted."),
    "decline": (
        "Decline this request?",
        "The owner is told at once, with your reason, and nothing is to be paid.",
        "Decline",
        "Declined. The owner has been told.",
    ),
    "coming": ("Will you be there?", "The provider hears that you will come.", "I will be there", "Thank you."),
    "cancel": ("Cancel this booking?", "", "Cancel the booking", "The booking is cancelled."),
}


@one_tap_page
def page(request: HttpRequest, token: str) -> HttpResponse:
    """Show or do what the link says. Nobody is signed in by it."""
    now = timezone.now()
    link = links.read(token, now=now, verbs=one_tap.VERBS)
    booking = Booking.objects.with_everything().filter(uid=link.uid).first()
    if booking is None or not permissions.can_view(link.user, booking):
        raise links.EndedLinkError("This booking is no longer yours to act on.", code="link_not_yours")
    if request.method == "POST":
        return _act(request, link, booking, now)
    return _show(request, link, booking, now)


def _act(request: HttpRequest, link: links.Link, booking: Booking, now: datetime) -> HttpResponse:
    form = LinkForm(request.POST, verb=link.verb)
    if not form.is_valid():
        return _show(request, link, booking, now, form=form, status=400)
    try:
        one_tap.act(booking.uid, link.verb, stamp=link.stamp, by=link.user, now=now, **form.cleaned_data)
    except DomainError as error:
        booking = Booking.objects.with_everything().get(pk=booking.pk)
        return _show(request, link, booking, now, form=form, error=error, status=error.status)
    messages.success(request, WORDS[link.verb][3])
    return redirect(request.path)


def _show(
    request: HttpRequest,
    link: links.Link,
    booking: Booking,
    now: datetime,
    *,
    form: LinkForm | None = None,
    error: DomainError | None = None,
    status: int = 200,
) -> HttpResponse:
    """Draw the question, or where the booking stands when there is nothing (left) to ask."""
    side = Side.OWNER if booking.owner_id == link.user.pk and link.verb in ("coming", "cancel") else Side.PROVIDER
    heading, consequence, label, _ = WORDS[link.verb]
    context: dict[str, Any] = {
        "booking": booking,
        "verb": link.verb,
        "person": link.user,
        "is_somebody_else": request.user.is_authenticated and request.user.pk != link.user.pk,
        "side": side,
        "pets": list(booking.pets.all()),
        "resources": shown.resources(booking),
        "shows_address": side == Side.PROVIDER and revealing.tells_place(booking, now=now),
        "when": texts.span(booking.starts_at, booking.ends_at, link.user, booking.zone),
        "error": error,
        "is_open": booking.sequence == link.stamp and one_tap.is_open(booking, link.verb, by=link.user, now=now),
        "heading": heading,
        "consequence": consequence,
        "label": label,
        "form": form or LinkForm(verb=link.verb),
        "page_url": booking.get_absolute_url() if side == Side.OWNER else events.provider_url(booking),
    }
    if link.verb == "cancel":
        refund = cancellation.refund_due(booking, now, Side.OWNER)
        back, kept = (format_money(amount, booking.currency) for amount in (refund, booking.total - refund))
        terms = cancellation.Terms.from_json(booking.terms)
        context |= {
            "refund": refund,
            "consequence": _consequence(refund, booking.total, back),
            "kept": f"{kept} is kept, or to be paid, by the terms of this booking." if refund != booking.total else "",
            "rows": shown.refund_rows(terms, now=now),
        }
    return render(request, "bookings/link.html", context, status=status)


def _consequence(refund: int, total: int, back: str) -> str:
    if refund == total:
        return "Nothing is to be paid, and what you paid comes back."
    return f"You get {back} back." if refund else "Nothing comes back."
