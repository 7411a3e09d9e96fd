"""What the platform takes: the rule that counts for a service, and the amounts that follow from it."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Q

from payments.models import CommissionRule
from petplace.money import half_up
from providers.models import Service

WHOLE_BP = 10_000


@dataclass(frozen=True)
class Rates:
    """Shares in basis points: on top from the owner, and of what the provider gets. ``cap`` limits each of the two."""

    owner_bp: int = 0
    provider_bp: int = 0
    cap: int | None = None

    def of_owner(self, net: int) -> int:
        return self._share(net, self.owner_bp)

    def of_provider(self, net: int) -> int:
        return self._share(net, self.provider_bp)

    def _share(self, net: int, bp: int) -> int:
        share = half_up(net * bp, WHOLE_BP)
        return share if self.cap is None else min(share, self.cap)


NONE = Rates()


def rates_of(service: Service) -> Rates:
    """Return today's rates of one service. See ``rates_for``."""
    return rates_for([service])[service.pk]


def rates_for(services: Collection[Service]) -> dict[int, Rates]:
    """Return the rates of each service by its key, in one query. Reads ``service.provider``: load it before.

    The service's own rule goes before that of the provider's kind, that before the one for all; without one nothing is
    taken. A cap in another currency than the provider's does not count.
    """
    kinds = {"", *(service.provider.kind for service in services)}
    rules = CommissionRule.objects.filter(
        Q(service__in=[service.pk for service in services]) | Q(service__isnull=True, provider_kind__in=kinds)
    )
    of_service, of_kind = {}, {}
    for rule in rules:
        if rule.service_id is not None:
            of_service[rule.service_id] = rule
        else:
            of_kind[rule.provider_kind] = rule
    return {
        service.pk: _rates(
            of_service.get(service.pk) or of_kind.get(service.provider.kind) or of_kind.get(""),
            service.provider.currency,
        )
        for service in services
    }


def _rates(rule: CommissionRule | None, currency: str) -> Rates:
    if rule is None:
        return NONE
    cap = rule.cap_amount if rule.cap_currency == currency else None
    return Rates(rule.owner_bp, rule.provider_bp, cap)
