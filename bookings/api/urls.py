"""Paths of the REST API under `/api/v1/`."""

from django.urls import URLPattern, URLResolver, include, path
from rest_framework.routers import SimpleRouter

from bookings.api import search, views

router = SimpleRouter(use_regex_path=False)
router.register("quotes", views.QuoteViewSet, basename="quote")
router.register("bookings", views.BookingViewSet, basename="booking")
router.register("calendar-feeds", views.FeedViewSet, basename="calendar-feed")

urlpatterns: list[URLPattern | URLResolver] = [
    path("services/<uuid:id>/slots/", search.SlotsView.as_view(), name="service-slots"),
    path("calendar/<str:token>.ics", views.CalendarFileView.as_view(), name="calendar-feed-ics"),
    path("", include(router.urls)),
]
