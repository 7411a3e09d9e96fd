"""Who sees which invoice: pages, API, admin."""

import datetime as dt
import uuid

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from payments.domain import invoices
from payments.domain.invoices import Line
from payments.models import Invoice, LineKind
from providers.domain import team
from tests.factories import StaffFactory, UserFactory, make_booking, make_provider, manager_of
from tests.queries import assert_constant

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 24, 16, 0, tzinfo=dt.UTC)


@pytest.fixture
def booking():
    return make_booking()


def more(booking, count=5):
    for number in range(count):
        invoices.write(
            provider=booking.provider, payer=booking.owner, subject=f"Extra {number}", currency="EUR",
            lines=[Line(LineKind.BASE, "Walk", 1, 100)], due_at=NOW,
        )  # fmt: skip


def colleague(booking):
    user = UserFactory()
    team.add(booking.provider, email=user.email, role="staff", by=manager_of(booking))
    return user


def signed_in(client, user):
    client.force_login(user)
    return client


def api(user=None):
    client = APIClient()
    client.force_authenticate(user)
    return client


# --- The one who pays ---------------------------------------------------------------------------


def test_owner_list_shows_own_invoices_with_totals(client, booking):
    make_booking()

    response = signed_in(client, booking.owner).get(reverse("payments:list"))

    assert list(response.context["page_obj"]) == [booking.invoice]
    assert "€25.00" in response.content.decode()


def test_owner_list_without_invoices_says_what_to_do(client):
    response = signed_in(client, UserFactory()).get(reverse("payments:list"))

    assert "No invoices yet" in response.content.decode()


def test_owner_list_asks_the_same_for_one_and_many(client, booking):
    signed_in(client, booking.owner)
    assert_constant(lambda: client.get(reverse("payments:list")), lambda: more(booking))


def test_owner_detail_shows_every_line(client, booking):
    response = signed_in(client, booking.owner).get(reverse("payments:detail", args=[booking.invoice.uid]))

    text = response.content.decode()
    assert booking.reference in text
    for line in booking.invoice.lines.all():
        assert line.description in text


def test_owner_pages_need_signing_in(client, booking):
    for url in (reverse("payments:list"), reverse("payments:detail", args=[booking.invoice.uid])):
        response = client.get(url)
        assert (response.status_code, response.url.split("?")[0]) == (302, reverse("account_login"))


def test_owner_detail_of_someone_else_is_not_there(client, booking):
    url = reverse("payments:detail", args=[booking.invoice.uid])

    assert signed_in(client, UserFactory()).get(url).status_code == 404
    assert client.get(reverse("payments:detail", args=[uuid.uuid4()])).status_code == 404


# --- The provider -------------------------------------------------------------------------------


def provider_url(booking):
    return reverse("provider:invoices", args=[booking.provider.slug])


def test_manager_sees_the_list_and_its_sums(client, booking):
    more(booking, 1)
    invoices.settle(Invoice.objects.latest("pk"), now=NOW)

    response = signed_in(client, manager_of(booking)).get(provider_url(booking))

    assert response.context["sums"] == {"open": 2500, "paid": 100}
    assert response.context["page_obj"].paginator.count == 2


def test_manager_can_filter_by_state(client, booking):
    more(booking, 1)
    invoices.settle(Invoice.objects.latest("pk"), now=NOW)
    signed_in(client, manager_of(booking))

    assert list(client.get(provider_url(booking), {"state": "open"}).context["page_obj"]) == [booking.invoice]
    assert client.get(provider_url(booking), {"state": "void"}).context["page_obj"].paginator.count == 0
    assert client.get(provider_url(booking), {"state": "x", "page": "x"}).context["page_obj"].paginator.count == 2


def test_manager_list_asks_the_same_for_one_and_many(client, booking):
    signed_in(client, manager_of(booking))
    assert_constant(lambda: client.get(provider_url(booking)), lambda: more(booking))


def test_manager_sees_one_invoice_of_the_own_provider_only(client, booking):
    foreign = make_booking()
    signed_in(client, manager_of(booking))

    def url(invoice):
        return reverse("provider:invoice", args=[booking.provider.slug, invoice.uid])

    assert client.get(url(booking.invoice)).context["invoice"] == booking.invoice
    assert client.get(url(foreign.invoice)).status_code == 404


def test_staff_of_the_provider_may_not_and_others_find_nothing(client, booking):
    assert signed_in(client, colleague(booking)).get(provider_url(booking)).status_code == 403
    assert signed_in(client, UserFactory()).get(provider_url(booking)).status_code == 404


# --- The API ------------------------------------------------------------------------------------


def test_api_lists_what_one_pays_and_manages(booking):
    client = api(booking.owner)

    body = client.get("/api/v1/invoices/").json()

    assert (body["count"], body["results"][0]["id"]) == (1, str(booking.invoice.uid))
    assert body["results"][0]["total"] == {"amount": 2500, "currency": "EUR"}
    assert api(manager_of(booking)).get("/api/v1/invoices/").json()["count"] == 1
    assert api(UserFactory()).get("/api/v1/invoices/").json()["count"] == 0
    assert api(colleague(booking)).get("/api/v1/invoices/").json()["count"] == 0


def test_api_detail_has_lines(booking):
    body = api(booking.owner).get(f"/api/v1/invoices/{booking.invoice.uid}/").json()

    assert body["booking"] == booking.reference
    assert (body["state"], body["payer"], body["provider"]) == (
        "open",
        str(booking.owner.uid),
        str(booking.provider.uid),
    )
    assert [(line["kind"], line["quantity"], line["amount"]) for line in body["lines"]] == [
        ("base", 1, {"amount": 2500, "currency": "EUR"})
    ]


def test_api_invoice_without_a_booking(booking):
    more(booking, 1)

    body = api(booking.owner).get(f"/api/v1/invoices/{Invoice.objects.latest('pk').uid}/").json()

    assert body["booking"] is None


def test_api_filters_by_role_and_state(booking):
    owner = booking.owner
    make_booking(owner=owner)
    own_business = make_provider(owner)
    invoices.write(
        provider=own_business, payer=UserFactory(), subject="Mine", currency="EUR",
        lines=[Line(LineKind.BASE, "Walk", 1, 100)], due_at=NOW,
    )  # fmt: skip
    client = api(owner)

    def count(query):
        return client.get(f"/api/v1/invoices/?{query}").json()["count"]

    assert [count(q) for q in ("", "role=payer", "role=provider", "state=paid", "state=open,paid")] == [3, 2, 1, 0, 3]


@pytest.mark.parametrize("query", ["role=x", "state=nonsense", "page=0", "page=x", "page_size=-1"])
def test_api_list_refuses_nonsense(booking, query):
    response = api(booking.owner).get(f"/api/v1/invoices/?{query}")

    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    assert list(response.json()["errors"]) == [query.split("=")[0]]


def test_api_detail_of_someone_else_is_not_there(booking):
    assert api(UserFactory()).get(f"/api/v1/invoices/{booking.invoice.uid}/").status_code == 404


def test_api_needs_a_token(booking):
    response = APIClient().get("/api/v1/invoices/")

    assert (response.status_code, response.json()["status"]) == (401, 401)


def test_api_invoices_cannot_be_written(booking):
    assert api(booking.owner).post("/api/v1/invoices/", {}).status_code == 405
    assert api(booking.owner).delete(f"/api/v1/invoices/{booking.invoice.uid}/").status_code == 405


def test_api_asks_the_same_for_one_and_many(booking):
    client = api(booking.owner)
    assert_constant(lambda: client.get("/api/v1/invoices/"), lambda: more(booking))


# --- The admin ----------------------------------------------------------------------------------


def test_admin_shows_invoices_and_lets_nobody_type_money(client, booking):
    signed_in(client, StaffFactory())

    listing = client.get(reverse("admin:payments_invoice_changelist"))
    assert "€25.00" in listing.content.decode()
    url = reverse("admin:payments_invoice_change", args=[booking.invoice.pk])
    assert client.get(url).status_code == 200
    assert client.post(url, {"total": "1"}).status_code == 403
    assert client.get(reverse("admin:payments_invoice_add")).status_code == 403
    assert client.get(reverse("admin:payments_invoice_delete", args=[booking.invoice.pk])).status_code == 403
