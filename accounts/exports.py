"""Which rows of accounts, and of the packages below, are a person's own."""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession

from accounts.domain import exporting
from accounts.models import AuditEntry, Consent, KnownDevice, TokenFamily, User


def register() -> None:
    exporting.register(
        User,
        lambda user: User.objects.filter(pk=user.pk),
        skip=("password", "token_version", "is_demo", "is_superuser", "is_active", "closed_at"),
    )
    exporting.register(Consent, lambda user: Consent.objects.filter(user=user), skip=("user",))
    exporting.register(TokenFamily, lambda user: TokenFamily.objects.filter(user=user), skip=("user", "current_jti"))
    exporting.register(KnownDevice, lambda user: KnownDevice.objects.filter(user=user), skip=("user", "digest"))
    exporting.register(EmailAddress, lambda user: EmailAddress.objects.filter(user=user), skip=("user",))
    exporting.register(
        UserSession, lambda user: UserSession.objects.filter(user=user), skip=("user", "session_key", "data")
    )
    exporting.register(SocialAccount, lambda user: SocialAccount.objects.filter(user=user), skip=("user",))
    exporting.register(Authenticator, lambda user: Authenticator.objects.filter(user=user), skip=("user", "data"))
    # What the person did; what others did to the account is named without who did it.
    exporting.register(
        AuditEntry,
        lambda user: AuditEntry.objects.filter(actor=user) | AuditEntry.objects.filter(target_uid=str(user.uid)),
        skip=("actor", "actor_uid", "actor_label", "request_id", "ip", "target_label", "reason", "before", "after"),
    )
