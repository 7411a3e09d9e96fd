"""Pages."""

from django.urls import URLPattern, URLResolver, path

from reviews.views import owner

app_name = "reviews"
urlpatterns: list[URLPattern | URLResolver] = [
    path("<slug:reference>/", owner.write, name="write"),
]
