from django.apps import AppConfig


class PetplaceConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "petplace"

    def ready(self) -> None:
        # Makes the project's Celery application the one that ``shared_task`` and ``current_app`` mean.
        from petplace import celery  # noqa: F401
