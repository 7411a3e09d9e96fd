"""Pages of the provider dashboard that show bookings, under `/provider/`."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
