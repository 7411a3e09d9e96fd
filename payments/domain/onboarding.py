"""Setting up where a provider's money is sent. All of this talks to a gateway: outside any transaction."""

from collections.abc import Iterable

from django.db import IntegrityError

from accounts.models import User
from payments.gateways import registry
from payments.models import PayoutAccount
from petplace.errors import DomainError, InvalidInput
from providers.models import Branch, Provider


class AccountTakenError(DomainError):
    code = "account_taken"
    message = "This account gets the payouts of another provider already. Please take another address."


def begin(
    provider: Provider, *, by: User, return_url: str, refresh_url: str, gateway: str | None = None
) -> tuple[PayoutAccount, str]:
    """Open an account for ``provider`` at a gateway, once, and return it with the address to go on at.

    The key is made of the provider, so that ten clicks open one account. Raises InvalidInput for a gateway that is not
    offered or does not take the provider's currency, and what the gateway raises; after GatewayUnavailable the same
    call goes on where it was.
    """
    name = gateway or next((one.name for one in registry.offered(provider.currency)), registry.default())
    if name not in registry.names():
        raise InvalidInput("This service is not offered.", fields={"gateway": ["This service is not offered."]})
    at = registry.get(name)
    if not at.supports(provider.currency):
        raise InvalidInput(f"This service does not pay out {provider.currency}.", code="currency_not_supported")
    account = PayoutAccount.objects.filter(provider=provider, gateway=name).first()
    if account is None:
        branch = Branch.objects.filter(provider=provider).order_by("pk").first()
        country = (branch.country if branch else "") or "US"
        ref = at.create_account(email=by.email, country=country, key=f"account:{provider.uid}:{by.uid}")
        try:
            account, _ = PayoutAccount.objects.get_or_create(provider=provider, gateway=name, defaults={"ref": ref})
        except IntegrityError:
            raise AccountTakenError from None
    return account, at.onboarding_url(account.ref, return_url=return_url, refresh_url=refresh_url)


def is_set_up(provider: Provider, accounts: Iterable[PayoutAccount]) -> bool:
    """Tell whether one of ``accounts`` is ready and can be sent the provider's currency."""
    return any(one.is_ready and registry.takes(one.gateway, provider.currency) for one in accounts)


def check(provider: Provider) -> list[PayoutAccount]:
    """Ask the gateways whether money can be sent to accounts that were not ready; return all of the provider's."""
    accounts = list(PayoutAccount.objects.filter(provider=provider).order_by("pk"))
    for account in accounts:
        if not account.is_ready and registry.is_known(account.gateway):
            account.is_ready = registry.get(account.gateway).account_ready(account.ref)
            if account.is_ready:
                account.save(update_fields=["is_ready"])
    return accounts
