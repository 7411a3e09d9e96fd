"""What everyone reads, and the page to object to it."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from bookings.views.access import show_error
from petplace.errors import DomainError
from petplace.http import SignedInRequest
from providers.models import Provider
from providers.permissions import can_work_for
from reviews import permissions
from reviews.choices import ReviewSide
from reviews.domain import moderation
from reviews.forms import FlagForm
from reviews.models import LateCancellation, Review

PAGE_SIZE = 20


@require_GET
def provider_reviews(request: HttpRequest, slug: str) -> HttpResponse:
    """Show all published reviews of a provider, and its late cancellations."""
    provider = get_object_or_404(Provider.objects.visible_to(request.user), slug=slug)
    shown = Review.objects.of(provider).shown()
    context = {
        "provider": provider,
        "page_obj": Paginator(shown.with_author(), PAGE_SIZE).get_page(request.GET.get("page")),
        "spread": shown.spread(),
        "means": shown.means(ReviewSide.OWNER),
        "late": LateCancellation.objects.of(provider).shown().select_related("booking"),
    }
    return render(request, "reviews/public_list.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def flag(request: SignedInRequest, uid: UUID) -> HttpResponse:
    """Ask what is wrong with a review or its reply, and pass it on to staff."""
    review = get_object_or_404(Review.objects.with_author().select_related("booking__owner"), uid=uid)
    if not permissions.can_see(request.user, review) or not review.is_shown:
        raise Http404
    form = FlagForm(request.POST if request.method == "POST" else None, has_reply=review.shown_reply is not None)
    back = _back(request, review)
    if request.method == "POST" and form.is_valid():
        try:
            moderation.flag(review, by=request.user, **form.cleaned_data, now=timezone.now())
        except DomainError as error:
            if error.fields:
                show_error(form, error)
            else:
                messages.error(request, error.message)
                return redirect(back)
        else:
            messages.success(request, "Thank you. We look at it and tell you what we decide.")
            return redirect(back)
    context = {"review": review, "form": form, "back": back}
    return render(request, "reviews/flag.html", context, status=400 if form.errors else 200)


def _back(request: SignedInRequest, review: Review) -> str:
    if can_work_for(request.user, review.provider):
        return reverse("provider:reviews", args=[review.provider.slug])
    if review.is_of_owner and review.provider.is_public:
        return reverse("provider_reviews", args=[review.provider.slug])
    return reverse("home")
