"""Pages of a provider's team."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from providers.models import Provider
from reviews.models import Review


@login_required
def reviews(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what owners said, newest first, with the mean."""
    provider = get_object_or_404(Provider.objects.run_by(request.user), slug=slug)
    found = Review.objects.of(provider).with_author()
    page = Paginator(found, 20).get_page(request.GET.get("page"))
    context = {"provider": provider, "page_obj": page, "spread": Review.objects.of(provider).spread()}
    return render(request, "reviews/provider_list.html", context)
