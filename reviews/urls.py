"""Pages."""

from django.urls import URLPattern, URLResolver, path

from reviews.views import owner, public

app_name = "reviews"
urlpatterns: list[URLPattern | URLResolver] = [
    path("<uuid:uid>/report/", public.flag, name="flag"),
    path("<slug:reference>/", owner.write, name="write"),
]
