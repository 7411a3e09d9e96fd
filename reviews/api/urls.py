"""Paths of the REST API under `/api/v1/`."""

from django.urls import URLPattern, URLResolver, path

from reviews.api import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("bookings/<str:id>/review/", views.BookingReviewView.as_view(), name="api-booking-review"),
    path(
        "bookings/<str:id>/owner-reviews/",
        views.OwnerReviewsViewSet.as_view({"get": "list"}),
        name="api-booking-owner-reviews",
    ),
    path("reviews/<uuid:id>/reply/", views.ReplyView.as_view(), name="api-review-reply"),
    path("reviews/<uuid:id>/flag/", views.FlagView.as_view(), name="api-review-flag"),
    path(
        "providers/<uuid:id>/reviews/",
        views.ProviderReviewsViewSet.as_view({"get": "list"}),
        name="api-provider-reviews",
    ),
    path(
        "providers/<uuid:id>/late-cancellations/",
        views.LateCancellationsViewSet.as_view({"get": "list"}),
        name="api-provider-late-cancellations",
    ),
]
