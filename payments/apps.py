from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "payments"

    def ready(self) -> None:
        from accounts.domain import closing
        from messaging.domain import rendering
        from payments import exports, kinds
        from payments.domain import leaving, series
        from payments.views.files import attached
        from providers.domain import leaving as leaving_providers

        kinds.declare()
        exports.register()
        closing.guards.append(leaving.refuse_while_money_moves)
        closing.forgetters.append(leaving.forget_payer)
        leaving_providers.forgetters.append(leaving.forget_provider)
        rendering.register_attachments(series.MAIL_KIND, attached)
