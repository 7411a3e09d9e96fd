"""What managers and approvers hear of an application."""

import pytest

from messaging.models import Notification
from providers.domain import applications
from tests.factories import NOW, StaffFactory, UserFactory, make_provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff():
    return StaffFactory()


@pytest.fixture
def manager():
    return UserFactory()


def heard(user):
    return list(Notification.objects.filter(user=user).order_by("pk").values_list("title", flat=True))


def last(user):
    return Notification.objects.filter(user=user).latest("pk")


def channels(user):
    return sorted(last(user).deliveries.values_list("channel", flat=True))


def test_a_draft_is_nobodys_business(staff, manager):
    make_provider(manager, is_told=True, state="draft")

    assert (heard(manager), heard(staff)) == ([], [])


def test_handing_in_thanks_the_manager_and_calls_staff(staff, manager):
    make_provider(manager, is_told=True, state="submitted", name="Happy Paws")

    assert heard(manager) == ["We have the application of Happy Paws"]
    assert heard(staff) == ["Happy Paws waits for approval"]
    assert (channels(manager), channels(staff)) == (["email", "in_app"], ["in_app"])
    assert last(staff).url == "/admin/providers/provider/?state__exact=submitted"


def test_approval_is_told_once_to_each_manager(staff, manager):
    provider = make_provider(manager, is_told=True, state="approved", name="Happy Paws")

    assert heard(manager)[1:] == ["Happy Paws is approved"]
    assert last(manager).url == f"/provider/{provider.slug}/documents/"
    assert heard(staff) == ["Happy Paws waits for approval"]


@pytest.mark.parametrize(
    ("state", "title", "reason"),
    [
        ("rejected", "The application of Happy Paws needs changes", "Not yet."),
        ("suspended", "Happy Paws is suspended", "For now."),
    ],
)
def test_bad_news_comes_with_its_reason(manager, state, title, reason):
    make_provider(manager, is_told=True, state=state, name="Happy Paws")

    assert heard(manager)[-1] == title
    assert last(manager).body.endswith(f"The reason: {reason}")


def test_the_end_of_a_suspension_is_told(manager):
    provider = make_provider(manager, is_told=True, state="suspended", name="Happy Paws")

    applications.reinstate(provider, by=None, now=NOW)

    assert heard(manager)[-1] == "Happy Paws is back"


def test_a_new_name_after_approval_is_told_to_staff(staff, manager):
    provider = make_provider(manager, is_told=True, state="approved", name="Happy Paws")

    applications.update(provider, by=manager, now=NOW, name="Happy Dogs")

    assert heard(staff)[-1] == "Happy Dogs changed its profile"
    assert last(staff).body == "Name: Happy Paws → Happy Dogs"


def test_closed_accounts_are_told_nothing(manager):
    provider = make_provider(manager, is_told=True, state="submitted")
    manager.is_active = False
    manager.save()

    applications.approve(provider, by=None, now=NOW)

    assert len(heard(manager)) == 1
