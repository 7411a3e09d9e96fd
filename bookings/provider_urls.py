"""Pages of the provider dashboard that show bookings, under `/provider/`."""

from django.urls import URLPattern, URLResolver, path, register_converter

from bookings.views import calendar, provider


class PlainStep:
    regex = "|".join(provider.STEPS)

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class ReasonedStep(PlainStep):
    regex = "|".join(provider.REASONED)


register_converter(PlainStep, "plain_step")
register_converter(ReasonedStep, "reasoned_step")

urlpatterns: list[URLPattern | URLResolver] = [
    path("<slug:slug>/today/", provider.today, name="today"),
    path("<slug:slug>/requests/", provider.requests, name="requests"),
    path("<slug:slug>/calendar/", calendar.calendar, name="calendar"),
    path("<slug:slug>/calendar/events/", calendar.events, name="calendar_events"),
    path("<slug:slug>/calendar/<slug:reference>/move/", calendar.move, name="calendar_move"),
    path("<slug:slug>/bookings/", provider.booking_list, name="bookings"),
    path("<slug:slug>/bookings/<slug:reference>/", provider.detail, name="booking"),
    path("<slug:slug>/bookings/<slug:reference>/move/", provider.move, name="move"),
    path("<slug:slug>/bookings/<slug:reference>/extra/", provider.extra, name="extra"),
    path("<slug:slug>/bookings/<slug:reference>/<plain_step:verb>/", provider.step, name="step"),
    path("<slug:slug>/bookings/<slug:reference>/<reasoned_step:verb>/", provider.reasoned_step, name="reasoned_step"),
]
