"""The approval queue in the administration."""

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from providers.domain import documents
from tests.factories import StaffFactory, UserFactory, make_branch, make_provider, make_service

pytestmark = pytest.mark.django_db
LIST = reverse("admin:providers_provider_changelist")


@pytest.fixture
def staff(client):
    user = StaffFactory()
    client.force_login(user)
    return user


def act(client, action, *providers, **more):
    data = {"action": action, "_selected_action": [provider.pk for provider in providers], **more}
    return client.post(LIST, data, follow=True).content.decode()


def paper(provider, kind="licence"):
    file = ContentFile(b"%PDF-1.4", name="x.pdf")
    return documents.add(provider, kind=kind, file=file, now=timezone.now())


def test_the_queue_shows_who_waits_longest_first(client, staff):
    now = timezone.now()
    make_provider(name="Newer", state="submitted", now=now - timedelta(days=2))
    make_provider(name="Older", state="submitted", now=now - timedelta(days=9))
    make_provider(name="Not in it")
    body = client.get(LIST, {"state__exact": "submitted"}).content.decode()
    assert body.index("Older") < body.index("Newer")
    assert "1\xa0week, 2\xa0days" in body
    assert "Not in it" not in body


def test_the_queue_takes_the_same_queries_for_many_rows(client, staff):
    def count():
        with CaptureQueriesContext(connection) as queries:
            client.get(LIST)
        return len(queries)

    make_provider(state="submitted")
    count()
    few = count()
    for _ in range(4):
        make_provider(state="submitted")
    assert count() == few


def test_approving_shows_the_documents_first(client, staff):
    provider = make_provider(state="submitted")
    document = paper(provider)
    body = act(client, "approve", provider)
    assert str(document.uid) in body
    assert "/provider/documents/" in body
    provider.refresh_from_db()
    assert provider.state == "submitted"
    body = act(client, "approve", provider, confirmed="yes", **{f"seen_{provider.pk}": [str(document.uid)]})
    assert "Happy Paws: done (approve)." in body
    provider.refresh_from_db()
    document.refresh_from_db()
    assert (provider.state, document.is_accepted, document.checked_by) == ("approved", True, staff)
    assert provider.events.last().by == staff


def test_a_document_that_came_meanwhile_stops_the_approval(client, staff):
    provider = make_provider(state="submitted")
    seen = paper(provider)
    paper(provider, "insurance")
    body = act(client, "approve", provider, confirmed="yes", **{f"seen_{provider.pk}": [str(seen.uid), "nonsense"]})
    assert "The documents changed while you looked." in body
    provider.refresh_from_db()
    assert provider.state == "submitted"


@pytest.mark.parametrize(
    ("action", "start", "end"), [("reject", "submitted", "rejected"), ("suspend", "approved", "suspended")]
)
def test_a_refusal_needs_a_reason(client, staff, action, start, end):
    provider = make_provider(state=start)
    assert "Reason, which the provider reads" in act(client, action, provider)
    assert "Say why" in act(client, action, provider, confirmed="yes", reason="  ")
    provider.refresh_from_db()
    assert provider.state == start
    act(client, action, provider, confirmed="yes", reason="Too many complaints.")
    provider.refresh_from_db()
    assert (provider.state, provider.state_reason) == (end, "Too many complaints.")


def test_one_bad_row_does_not_stop_the_rest(client, staff):
    draft, suspended = make_provider(name="Draft", state="draft"), make_provider(name="Back", state="suspended")
    body = act(client, "reinstate", draft, suspended, confirmed="yes")
    assert "Draft: This provider is draft" in body
    assert "Back: done (reinstate)." in body
    suspended.refresh_from_db()
    assert suspended.state == "approved"


def test_states_cannot_be_typed(client, staff):
    provider = make_provider(state="submitted")
    page = reverse("admin:providers_provider_change", args=[provider.pk])
    assert "Waiting for approval" in client.get(page).content.decode()
    assert client.post(page, {"state": "approved"}).status_code == 403


def test_documents_are_checked(client, staff):
    provider = make_provider()
    one, other = paper(provider), paper(provider, "insurance")
    url = reverse("admin:providers_verificationdocument_changelist")
    client.post(url, {"action": "accept", "_selected_action": [one.pk]})
    client.post(url, {"action": "refuse", "_selected_action": [other.pk]})
    one.refresh_from_db()
    other.refresh_from_db()
    assert (one.is_accepted, other.is_accepted, other.checked_by) == (True, False, staff)


@pytest.mark.parametrize(
    "model", ["provider", "verificationdocument", "branch", "resource", "service", "publicholiday"]
)
def test_every_list_and_detail_opens(client, staff, model):
    service = make_service(make_branch())
    provider = service.provider
    row = {
        "provider": provider, "verificationdocument": paper(provider), "branch": service.branch,
        "resource": service.branch.resources.get(), "service": service,
    }.get(model)  # fmt: skip
    assert client.get(reverse(f"admin:providers_{model}_changelist"), {"q": "a"}).status_code in (200, 302)
    if row:
        assert client.get(reverse(f"admin:providers_{model}_change", args=[row.pk])).status_code == 200


def test_only_staff_get_in(client):
    client.force_login(UserFactory())
    assert client.get(LIST).status_code == 302
