"""Kinds that only tests notify of."""

import pytest

from messaging import kinds
from messaging.choices import Channel
from messaging.domain import outbox
from messaging.kinds import Kind, Urgency

TESTED = {
    name: Kind(name, name.title(), "bookings", (Channel.IN_APP, Channel.EMAIL), urgency=Urgency.URGENT)
    for name in ("test", "reminder", "x")
}


@pytest.fixture(autouse=True)
def _kinds(monkeypatch):
    monkeypatch.setattr(kinds, "_kinds", {**kinds._kinds, **TESTED})
    monkeypatch.setattr(outbox, "_away", {})
