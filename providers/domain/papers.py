"""Until when papers are good, and the column that badges are made of."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import F, QuerySet

from providers.badges import CHECK_CODES
from providers.models import Branch, Provider, VerificationDocument


def zone_of(provider: Provider) -> ZoneInfo:
    """Return the zone of the provider's first active branch; UTC while there is none."""
    branches = Branch.objects.filter(provider=provider).order_by("-is_active", "pk")
    return ZoneInfo(branches.values_list("time_zone", flat=True).first() or "UTC")


def end_of(valid_until: date | None, zone: ZoneInfo) -> datetime | None:
    """Return the midnight after the last day that a paper is good, as the clock at ``zone`` shows it."""
    if valid_until is None or valid_until >= date.max - timedelta(days=1):
        return None
    return datetime.combine(valid_until + timedelta(days=1), time.min, tzinfo=zone).astimezone(UTC)


def retime(provider: Provider) -> None:
    """Compute anew when the papers end: the provider's zone has changed."""
    zone = zone_of(provider)
    for document in VerificationDocument.objects.filter(provider=provider, valid_until__isnull=False).order_by("pk"):
        end = end_of(document.valid_until, zone)
        if document.expires_at != end:
            VerificationDocument.objects.filter(pk=document.pk).update(expires_at=end)
    refresh(provider)


def good(provider: Provider) -> QuerySet[VerificationDocument]:
    """Return the papers that count: accepted, and not run out."""
    return VerificationDocument.objects.filter(provider=provider, is_accepted=True, expired_at__isnull=True)


def refresh(provider: Provider) -> None:
    """Recompute the column that the checked badges are made of. The caller holds the provider."""
    papers: dict[str, dict[str, str | None]] = {}
    found = good(provider).filter(kind__in=CHECK_CODES, checked_at__isnull=False)
    for paper in found.order_by("kind", F("expires_at").desc(nulls_first=True), "-pk"):
        papers.setdefault(
            paper.kind,
            {
                "kind": paper.kind,
                "at": paper.checked_at.isoformat() if paper.checked_at else None,
                "until": paper.valid_until.isoformat() if paper.valid_until else None,
                "expires_at": paper.expires_at.isoformat() if paper.expires_at else None,
            },
        )
    provider.checked = list(papers.values())
    Provider.objects.filter(pk=provider.pk).update(checked=provider.checked)
