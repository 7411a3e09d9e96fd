"""Pages of the sandbox gateway, under `/sandbox/`. They answer 404 where the sandbox is not in use."""

from django.urls import URLPattern, URLResolver, path

from payments.views import sandbox

app_name = "sandbox"
urlpatterns: list[URLPattern | URLResolver] = [
    path("pay/<slug:ref>/", sandbox.pay, name="pay"),
    path("pay/<slug:ref>/check/", sandbox.challenge, name="challenge"),
    path("connect/<slug:ref>/", sandbox.connect, name="connect"),
]
