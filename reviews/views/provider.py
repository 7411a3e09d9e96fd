"""Pages of a provider's team."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from providers.models import Provider
from providers.views.access import member_page
from reviews.models import Review


@member_page
def reviews(request: HttpRequest, provider: Provider) -> HttpResponse:
    """Show what owners said, newest first, with the mean."""
    found = Review.objects.of(provider).with_author()
    page = Paginator(found, 20).get_page(request.GET.get("page"))
    context = {"provider": provider, "page_obj": page, "spread": Review.objects.of(provider).spread()}
    return render(request, "reviews/provider_list.html", context)
