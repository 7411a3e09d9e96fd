"""Pages."""

from django.urls import URLPattern, URLResolver, path

from messaging.views import addresses, devices, inbox, one_tap, outbox, preferences

app_name = "messaging"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", inbox.notifications, name="list"),
    path("stop/<str:token>/", one_tap.unsubscribe, name="unsubscribe"),
    path("read-all/", inbox.read_all, name="read_all"),
    path("settings/", preferences.edit, name="preferences"),
    path("settings/switch/", preferences.switch, name="preferences_switch"),
    path("devices/", devices.device_list, name="devices"),
    path("devices/add/", devices.add, name="device_add"),
    path("devices/forget/", devices.forget, name="device_forget"),
    path("devices/<uuid:uid>/remove/", devices.remove, name="device_remove"),
    path("address/", addresses.address, name="address"),
    path("<uuid:uid>/read/", inbox.read, name="read"),
    path("<uuid:uid>/open/", inbox.open_notification, name="open"),
]

# Mounted at /dev/outbox/ in the demo and in development only.
outbox_urlpatterns: list[URLPattern | URLResolver] = [
    path("", outbox.messages, name="outbox"),
    path("<uuid:uid>/", outbox.message, name="outbox_message"),
    path("<uuid:uid>/html/", outbox.html, name="outbox_html"),
]
