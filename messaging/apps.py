from django.apps import AppConfig


class MessagingConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "messaging"

    def ready(self) -> None:
        from accounts.domain import closing, events
        from messaging import (
            account_events,
            chat_events,
            chat_kinds,
            contact_events,
            contact_kinds,
            exports,
            kinds,
            pet_mails,
            provider_events,
        )
        from messaging.domain import chat_notices, rendering
        from providers.domain import applications, leaving, team

        kinds.register(*account_events.KINDS)
        exports.register()
        events.listeners.append(account_events.tell)
        closing.forgetters.append(account_events.forget)
        closing.forgetters.append(chat_events.forget)
        leaving.forgetters.append(chat_events.forget_provider)
        applications.listeners.append(provider_events.tell)
        chat_kinds.declare()
        rendering.register_text(chat_kinds.MESSAGE, chat_notices.digest)
        team.joined.append(chat_events.joined)
        team.left.append(chat_events.left)
        contact_kinds.declare()
        events.listeners.append(contact_events.account_changed)
        closing.forgetters.append(contact_events.forget)
        contact_events.connect()
        pet_mails.connect()
