"""Papers of the demo town's businesses, and their check: what the badges on profiles stand on."""

import random
from datetime import datetime, timedelta

from django.core.files.base import ContentFile

from accounts.models import User
from petplace.demo import pictures
from providers.choices import DocumentKind
from providers.domain import documents
from providers.models import Provider

# How many of a hundred businesses hand it in, and for how many days it is good; None: it does not run out.
HANDED_IN = {
    DocumentKind.IDENTITY: (80, 1_500),
    DocumentKind.INSURANCE: (55, 300),
    DocumentKind.BACKGROUND_CHECK: (30, 600),
    DocumentKind.LICENCE: (25, 900),
    DocumentKind.FIRST_AID: (35, None),
}


def hand_in(provider: Provider, *, by: User, staff: User, draw: random.Random, now: datetime) -> None:
    """Let ``provider`` hand in some papers, and ``staff`` take them a day later."""
    for kind, (share, days) in HANDED_IN.items():
        if draw.randrange(100) >= share:
            continue
        document = documents.add(
            provider,
            kind=kind,
            file=ContentFile(pictures.paper(kind.label), f"{kind}.png"),
            valid_until=None if days is None else (now + timedelta(days=days)).date(),
            by=by,
            now=now,
        )
        documents.check(document, by=staff, is_accepted=True, now=now + timedelta(days=1))
