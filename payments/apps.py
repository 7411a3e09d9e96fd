from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "payments"

    def ready(self) -> None:
        from messaging.domain import rendering
        from payments import kinds
        from payments.domain import series
        from payments.views.files import attached

        kinds.declare()
        rendering.register_attachments(series.MAIL_KIND, attached)
