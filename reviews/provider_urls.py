"""Pages of the provider dashboard that show reviews, under `/provider/`."""

from django.urls import URLPattern, URLResolver, path

from reviews.views import provider

urlpatterns: list[URLPattern | URLResolver] = [
    path("<slug:slug>/reviews/", provider.reviews, name="reviews"),
]
