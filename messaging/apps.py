from django.apps import AppConfig


class MessagingConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "messaging"

    def ready(self) -> None:
        from accounts.domain import closing, events
        from messaging import account_events, provider_events
        from providers.domain import applications

        events.listeners.append(account_events.tell)
        closing.forgetters.append(account_events.forget)
        applications.listeners.append(provider_events.tell)
