from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class PetplaceConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "petplace"

    def ready(self) -> None:
        # Makes the project's Celery application the one that ``shared_task`` and ``current_app`` mean.
        from accounts.domain import closing
        from petplace import celery, forgetting  # noqa: F401
        from providers.domain import leaving

        closing.forgetters.append(forgetting.forget)
        leaving.forgetters.append(forgetting.forget_provider)
        # After the last app: by then every permission exists.
        last = [config for config in apps.get_app_configs() if config.models_module is not None][-1]
        post_migrate.connect(_sync_groups, sender=last, dispatch_uid="petplace.roles")


def _sync_groups(**options: Any) -> None:
    """Make the groups that give the roles of the platform, unless this was a migration back to nothing."""
    from django.db import connection

    from accounts.domain import rights

    if {"auth_group", "accounts_user"} <= set(connection.introspection.table_names()):
        rights.sync_groups()
