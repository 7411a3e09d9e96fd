"""Pages: booking in four steps, and the owner's bookings."""

from django.urls import URLPattern, URLResolver, path

from bookings.views import calendar, flow, incidents, one_tap, owner

app_name = "bookings"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", owner.booking_list, name="list"),
    path("home/", owner.home, name="home"),
    path("calendar/", calendar.feeds, name="feeds"),
    path("calendar/make/", calendar.make_feed, name="make_feed"),
    path("calendar/<uuid:uid>/revoke/", calendar.revoke_feed, name="revoke_feed"),
    path("book/<uuid:service_uid>/", flow.book, name="book"),
    path("book/<uuid:service_uid>/pet/", flow.quick_pet, name="quick_pet"),
    path("book/<uuid:service_uid>/hold/", flow.hold, name="hold"),
    path("link/<str:token>/", one_tap.page, name="link"),
    path("<slug:reference>/", owner.detail, name="detail"),
    path("<slug:reference>/checkout/", owner.checkout, name="checkout"),
    path("<slug:reference>/place/", owner.place, name="place"),
    path("<slug:reference>/cancel/", owner.cancel, name="cancel"),
    path("<slug:reference>/move/", owner.move, name="move"),
    path("<slug:reference>/coming/", owner.coming, name="coming"),
    path("<slug:reference>/access/", owner.access, name="access"),
    path("<slug:reference>/tip/", owner.tip, name="tip"),
    path("<slug:reference>/complaint/", owner.complain, name="complaint"),
    path("<slug:reference>/incident/", incidents.report, name="incident"),
    path("<slug:reference>/event.ics", owner.calendar_file, name="calendar_file"),
]
