"""The page on which either side writes its review."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from bookings.models import Booking
from bookings.views.access import show_error
from petplace.errors import DomainError
from petplace.http import SignedInRequest
from reviews import permissions
from reviews.choices import ReviewSide
from reviews.domain import writing
from reviews.forms import ReviewForm
from reviews.models import Review


def write_page(
    request: SignedInRequest,
    booking: Booking,
    *,
    side: ReviewSide,
    back: str,
    template: str,
    now: datetime,
    extra: dict[str, Any] | None = None,
) -> HttpResponse:
    """Show the form of ``side``, or what it wrote; write it on POST."""
    form = ReviewForm(request.POST if request.method == "POST" else None, side=side)
    if request.method == "POST" and form.is_valid():
        data = {name: form.cleaned_data[name] for name in ("rating", "text", "aspects")}
        try:
            review = writing.write(booking, by=request.user, **data, now=now)
        except DomainError as error:
            if error.fields:
                show_error(form, error)
            else:
                messages.error(request, error.message)
                return redirect(back)
        else:
            messages.success(request, _thanks(review))
            return redirect(back)
    mine = Review.objects.with_author().filter(booking=booking, side=side).first()
    context = {
        "booking": booking,
        "form": form,
        "review": mine,
        "back": back,
        "is_open": mine is None
        and permissions.is_time(booking, now=now)
        and permissions.side_of(request.user, booking) == side,
        "write_until": permissions.write_until(booking),
        "for_everyone": side == ReviewSide.OWNER,
    }
    return render(request, template, context | (extra or {}), status=400 if form.errors else 200)


def _thanks(review: Review) -> str:
    if review.published_at:
        return "Thank you. Both reviews are published now."
    return "Thank you. It is published when the other side has written, too, or when the time to write is over."
