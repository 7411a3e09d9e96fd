"""Paths of the REST API under `/api/v1/`."""

from django.urls import URLPattern, URLResolver, path

from reviews.api import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("bookings/<str:id>/review/", views.BookingReviewView.as_view(), name="api-booking-review"),
    path(
        "providers/<uuid:id>/reviews/",
        views.ProviderReviewsViewSet.as_view({"get": "list"}),
        name="api-provider-reviews",
    ),
]
