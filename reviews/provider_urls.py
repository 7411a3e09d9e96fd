"""Pages of the provider dashboard that show reviews, under `/provider/`."""

from django.urls import URLPattern, URLResolver, path

from reviews.views import provider

urlpatterns: list[URLPattern | URLResolver] = [
    path("<slug:slug>/reviews/", provider.reviews, name="reviews"),
    path("<slug:slug>/reviews/<uuid:uid>/reply/", provider.reply, name="review_reply"),
    path("<slug:slug>/bookings/<slug:reference>/review/", provider.write, name="review"),
]
