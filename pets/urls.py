"""Pages."""

from django.urls import URLPattern, URLResolver

app_name = "pets"
urlpatterns: list[URLPattern | URLResolver] = []
