"""Pages of a provider's team."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from bookings.models import Booking
from petplace.errors import DomainError
from providers.models import Provider
from providers.views.access import manager_page, member_page
from reviews.choices import ReviewSide
from reviews.domain import queues, replies
from reviews.forms import ReplyForm
from reviews.models import LateCancellation, Review
from reviews.views.writing import write_page

PAGE_SIZE = 20
TO_WRITE = 5


def _list_context(request: HttpRequest, provider: Provider) -> dict[str, Any]:
    shown = Review.objects.of(provider).shown()
    return {
        "provider": provider,
        "page_obj": Paginator(shown.with_author(), PAGE_SIZE).get_page(request.GET.get("page")),
        "spread": shown.spread(),
        "means": shown.means(ReviewSide.OWNER),
        "to_write": queues.to_write(provider, now=timezone.now())[:TO_WRITE],
        "waiting_count": Review.objects.of(provider).waiting().count(),
        "late": LateCancellation.objects.of(provider).shown().select_related("booking")[:TO_WRITE],
        "is_manager": request.is_manager,  # type: ignore[attr-defined]
        "reply_form": ReplyForm(auto_id=False),
    }


@member_page
@require_GET
def reviews(request: HttpRequest, provider: Provider) -> HttpResponse:
    """Show what owners said, newest first, with the means, and the visits that the team can still write about."""
    return render(request, "reviews/provider_list.html", _list_context(request, provider))


@manager_page
@require_POST
def reply(request: HttpRequest, provider: Provider, uid: UUID) -> HttpResponse:
    """Answer a review in public."""
    review = get_object_or_404(Review.objects.of(provider).shown(), uid=uid)
    form = ReplyForm(request.POST, auto_id=False)
    if not form.is_valid():
        context = _list_context(request, provider) | {"reply_form": form, "replying_to": review.pk}
        return render(request, "reviews/provider_list.html", context, status=400)
    try:
        replies.reply(review, by=request.user, text=form.cleaned_data["text"], now=timezone.now())  # type: ignore[arg-type]
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "Your answer is published.")
    return redirect(f"{reverse('provider:reviews', args=[provider.slug])}#r-{uid}")


@member_page
@require_http_methods(["GET", "POST"])
def write(request: Any, provider: Provider, reference: str) -> HttpResponse:
    """Ask for the team's review of the owner of a completed visit; show the one that is there."""
    booking = get_object_or_404(
        Booking.objects.provided_by(request.user).filter(provider=provider).select_related("service", "owner"),
        reference=reference,
    )
    return write_page(
        request,
        booking,
        side=ReviewSide.PROVIDER,
        back=reverse("provider:booking", args=[provider.slug, reference]),
        template="reviews/provider_write.html",
        now=timezone.now(),
        extra={"provider": provider},
    )
