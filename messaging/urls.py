"""Pages."""

from django.urls import URLPattern, URLResolver, path

from messaging.views import inbox

app_name = "messaging"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", inbox.notifications, name="list"),
    path("read-all/", inbox.read_all, name="read_all"),
    path("<uuid:uid>/read/", inbox.read, name="read"),
    path("<uuid:uid>/open/", inbox.open_notification, name="open"),
]
