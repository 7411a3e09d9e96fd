from django.apps import AppConfig


class PetsConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "pets"

    def ready(self) -> None:
        from accounts.domain import closing
        from pets import domain, kinds

        kinds.declare()
        closing.forgetters.append(domain.forget_owner)
