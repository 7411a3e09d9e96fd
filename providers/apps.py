from django.apps import AppConfig


class ProvidersConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "providers"

    def ready(self) -> None:
        from accounts.domain import closing, second_factor
        from providers import exports, kinds, notices
        from providers.domain import applications, checks, leaving, obligations

        kinds.declare()
        notices.connect()
        applications.listeners.append(checks.at_approval)
        second_factor.obligations.append(obligations.second_factor_due)
        exports.register()
        closing.guards.append(leaving.refuse_while_needed)
        closing.forgetters.append(leaving.forget_member)
