"""The demo town, small: two cities of it are built by the same code as all."""

from collections import Counter
from dataclasses import replace
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import User
from bookings.models import Booking
from messaging.domain import outbox
from messaging.models import Delivery
from petplace import invariants
from petplace.demo import builder
from petplace.demo.town import CITIES
from providers.models import Provider, Service, VerificationDocument

pytestmark = pytest.mark.django_db


@pytest.fixture
def _two_small_cities(monkeypatch: pytest.MonkeyPatch, settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path
    home, away = CITIES[0], CITIES[-1]
    monkeypatch.setattr(builder, "CITIES", (replace(home, providers=6, owners=4), replace(away, providers=4, owners=2)))


@pytest.mark.usefixtures("_two_small_cities")
def test_seed_demo_fills_an_empty_database_once_and_it_holds_together():
    said, again = StringIO(), StringIO()

    call_command("seed_demo", stdout=said)
    call_command("seed_demo", stdout=again)

    states = Counter(Booking.objects.values_list("state", flat=True))
    assert f"Demo town ready: 10 providers, {Service.objects.count()} services, 6 pet owners" in said.getvalue()
    assert again.getvalue() == "The demo town is there already.\n"
    assert {"completed", "confirmed", "cancelled"} <= set(states)
    assert VerificationDocument.objects.filter(is_accepted=True).exists()
    assert set(Provider.objects.values_list("state", flat=True)) == {"approved", "submitted", "rejected", "suspended"}
    assert Booking.objects.filter(owner__email="owner@demo.petplace.test").count() >= 5
    assert all(email.endswith("@demo.petplace.test") for email in User.objects.values_list("email", flat=True))
    assert not Delivery.objects.filter(channel="email", state="waiting", due_at__lte=timezone.now()).exists()
    outbox.deliver_due(now=timezone.now())  # in the app, as the worker does it at its first tick
    assert [str(finding) for finding in invariants.check() if not finding.is_ok] == []


def test_seed_demo_is_refused_where_the_demo_is_off(settings):
    settings.DEMO = False

    with pytest.raises(CommandError, match="switched off"):
        call_command("seed_demo")
