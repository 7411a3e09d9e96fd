"""What changes prices for everybody is on record: who made, changed or ended commission rules and promo codes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from accounts.audit import AuditAction
from accounts.domain import audit
from accounts.models import User
from payments.models import CommissionRule, PromoCode

COMMISSION = ("provider_kind", "service_id", "provider_bp", "owner_bp", "cap_amount", "cap_currency")
PROMO = (
    "provider_id", "percent_bp", "amount", "currency", "minimum_total", "starts_at", "ends_at", "max_uses",
    "max_uses_per_person", "is_active",
)  # fmt: skip


def of_rule(rule: CommissionRule | None) -> dict[str, Any] | None:
    return None if rule is None else {name: getattr(rule, name) for name in COMMISSION}


def of_promo(promo: PromoCode) -> dict[str, Any]:
    return {name: getattr(promo, name) for name in PROMO}


def record_commission(
    rule: CommissionRule,
    *,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    by: User | None,
    now: datetime | None,
) -> None:
    """Write a rule down that was made (``before`` None), changed or removed (``after`` None)."""
    audit.record(AuditAction.COMMISSION_CHANGE, by=by, target=rule, before=before, after=after, now=now)


def record_promo(promo: PromoCode, *, before: Mapping[str, Any] | None, by: User | None, now: datetime | None) -> None:
    """Write a code down that was made or ended."""
    audit.record(AuditAction.PROMO_CHANGE, by=by, target=promo, before=before, after=of_promo(promo), now=now)
