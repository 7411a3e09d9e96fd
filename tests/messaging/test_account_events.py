"""What people hear about their own account."""

import pytest

from accounts.domain.events import AccountEvent
from messaging import account_events
from messaging.models import Delivery, Notification
from tests.factories import NOW, UserFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("event", list(AccountEvent))
def test_each_event_is_told_with_what_to_do(event):
    user = UserFactory()

    account_events.tell(user, event, NOW)

    told = Notification.objects.get(user=user)
    assert (told.title, told.body) == account_events.TEXTS[event]
    assert told.url == ("/account/privacy/" if told.kind == "account_export_ready" else "/account/settings/")
    assert sorted(told.deliveries.values_list("channel", flat=True)) == ["email", "in_app"]


def test_a_closed_account_is_sent_nothing_more():
    user, other = UserFactory(), UserFactory()
    for one in (user, other):
        account_events.tell(one, AccountEvent.PASSWORD_CHANGED, NOW)

    account_events.forget(user, NOW)

    assert list(Notification.objects.values_list("user", flat=True)) == [other.pk]
    assert Delivery.objects.count() == 2
