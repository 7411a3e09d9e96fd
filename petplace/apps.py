from django.apps import AppConfig


class PetplaceConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "petplace"
