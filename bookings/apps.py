from django.apps import AppConfig


class BookingsConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "bookings"

    def ready(self) -> None:
        from accounts.domain import closing
        from bookings import exports, kinds, mails
        from bookings.domain import forgetting, guards, paying, talks
        from messaging import about
        from payments.domain import subjects
        from providers.domain import hours

        kinds.declare()
        exports.register()
        mails.connect()
        about.describers.append(talks.describe)
        hours.time_off_guards.append(guards.refuse_time_off)
        closing.guards.append(guards.refuse_closing)
        closing.guards.append(guards.refuse_while_complaints_are_open)
        closing.guards.append(guards.refuse_while_reports_are_open)
        closing.forgetters.append(forgetting.forget_owner)
        subjects.register(
            lock=paying.lock,
            paid=paying.on_paid,
            failed=paying.on_failed,
            describe=paying.describe,
            deadline=paying.deadline,
            url=paying.url,
        )
