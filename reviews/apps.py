from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "reviews"

    def ready(self) -> None:
        from accounts.domain import closing
        from bookings.domain import events
        from reviews import exports, kinds
        from reviews.domain import cancellations, forgetting

        kinds.declare()
        exports.register()
        events.listeners.append(cancellations.follow)
        closing.forgetters.append(forgetting.forget)
