from django.apps import AppConfig


class PetsConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "pets"

    def ready(self) -> None:
        from accounts.domain import closing
        from pets import domain, exports, kinds

        kinds.declare()
        exports.register()
        closing.forgetters.append(domain.forget_owner)
