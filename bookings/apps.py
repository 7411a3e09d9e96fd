from django.apps import AppConfig


class BookingsConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "bookings"

    def ready(self) -> None:
        from bookings.domain import guards
        from providers.domain import hours

        hours.time_off_guards.append(guards.refuse_time_off)
