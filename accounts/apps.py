from django.apps import AppConfig


class AccountsConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "accounts"

    def ready(self) -> None:
        from allauth.account.signals import user_signed_up

        from accounts import exports, mfa
        from accounts.domain import closing, consents, exporting

        mfa.connect()
        exports.register()
        closing.forgetters.append(exporting.forget)
        closing.forgetters.append(consents.forget)
        user_signed_up.connect(consents.on_signed_up, dispatch_uid="accounts-consents")
