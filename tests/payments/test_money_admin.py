"""Staff: money is looked at and acted on, never typed; every act is the domain's."""

import pytest
from django.urls import reverse

from accounts.models import AuditEntry
from payments.domain import calls, payouts, refunds
from payments.models import (
    Dispute,
    GatewayCall,
    Invoice,
    Payment,
    Payout,
    PayoutAccount,
    PayoutFreeze,
    ReconciliationDifference,
    ReconciliationRun,
    Refund,
)
from tests.factories import StaffFactory, UserFactory
from tests.payments.fake import NAME
from tests.payments.money import DAY, NOW, hear, paid, sale
from tests.payments.test_earnings import earned

pytestmark = pytest.mark.django_db
PAGES = (
    "payment", "refund", "dispute", "gatewaycall", "gatewayevent", "payout", "payoutfreeze", "ledgerentry",
    "ledgeraccount", "reconciliationrun", "reconciliationdifference", "invoice",
)  # fmt: skip


@pytest.fixture
def staff(client):
    user = StaffFactory()
    client.force_login(user)
    return user


@pytest.fixture
def payment(fake, provider, payer):
    return paid(fake, sale(provider, payer))


@pytest.fixture
def world(fake, payment, provider):
    """One of everything."""
    PayoutAccount.objects.create(provider=provider, gateway=NAME, ref="acct_1", is_ready=True)
    earned(payment.invoice)
    refunds.request(payment, amount=100, by=None, reason="Sorry", now=NOW)
    hear(fake)
    payouts.collect_due(now=NOW + 2 * DAY)
    fake.open_dispute(payment.ref, amount=500)
    hear(fake)
    run = ReconciliationRun.objects.create(gateway=NAME, since=NOW, until=NOW + DAY)
    ReconciliationDifference.objects.create(
        run=run, kind="missing_here", object_kind="refund", ref="re_x", currency="EUR", theirs=-100
    )
    return payment


def act(client, model, row, action, **fields):
    url = reverse(f"admin:payments_{model}_changelist")
    data = {"action": action, "_selected_action": [row.pk], **fields}
    response = client.post(url, data, follow=True)
    return [str(message) for message in response.context["messages"]]


def written(action):
    return [(entry.actor, entry.target_uid) for entry in AuditEntry.objects.filter(action=action)]


@pytest.mark.parametrize("model", PAGES)
def test_every_list_and_row_can_be_read_and_nothing_written(client, staff, world, model):
    listing = client.get(reverse(f"admin:payments_{model}_changelist"))
    assert listing.status_code == 200
    row = listing.context["cl"].result_list[0]
    url = reverse(f"admin:payments_{model}_change", args=[row.pk])
    assert client.get(url).status_code == 200
    assert client.post(url, {"amount": "1"}).status_code == 403
    assert client.get(reverse(f"admin:payments_{model}_add")).status_code == 403
    assert client.get(reverse(f"admin:payments_{model}_delete", args=[row.pk])).status_code == 403


def test_nobody_else_gets_in(client, world):
    client.force_login(UserFactory())
    assert client.get(reverse("admin:payments_payment_changelist")).status_code == 302


def test_a_part_is_given_back(client, staff, payment):
    said = act(client, "payment", payment, "give_back", amount="12.50", words="The dog was ill")

    assert said == [f"{payment}: is being refunded."]
    assert Refund.objects.values_list("amount", "reason", "by", "origin").get() == (
        1250, "The dog was ill", staff.pk, "staff",
    )  # fmt: skip


def test_all_that_is_left_is_given_back_and_then_no_more(client, staff, payment):
    act(client, "payment", payment, "give_back", amount="", words="")
    said = act(client, "payment", payment, "give_back", amount="1", words="")

    assert Refund.objects.get().amount == 10_000
    assert "More cannot be given back" in said[0]


@pytest.mark.parametrize("amount", ["x", "-1", "0.001"])
def test_nonsense_is_not_given_back(client, staff, payment, amount):
    assert len(act(client, "payment", payment, "give_back", amount=amount)) == 1
    assert not Refund.objects.exists()


def test_a_payout_is_kept_back_and_let_go(client, staff, payment):
    assert "Say why" in act(client, "invoice", payment.invoice, "freeze", words="")[0]
    act(client, "invoice", payment.invoice, "freeze", words="A complaint")
    freeze = PayoutFreeze.objects.get()
    assert (freeze.reason, freeze.by, freeze.until) == ("A complaint", staff, None)

    act(client, "invoice", payment.invoice, "unfreeze")
    freeze.refresh_from_db()
    assert freeze.until is not None


def test_a_dispute_is_answered(client, staff, fake, payment):
    fake.open_dispute(payment.ref)
    hear(fake)

    said = act(client, "dispute", Dispute.objects.get(), "submit", words="We were there.")

    assert "is answered" in said[0]
    assert Dispute.objects.get().evidence["words"] == "We were there."
    assert GatewayCall.objects.get(kind="evidence").state == "waiting"
    assert written("dispute_answer") == [(staff, str(Dispute.objects.get().uid))]


def test_a_call_is_made_at_once(client, staff, fake, payment):
    refunds.request(payment, amount=100, by=None, reason="Sorry", now=NOW)
    fake.is_down = True
    calls.run_due(now=NOW)
    before = GatewayCall.objects.get().due_at

    assert "due now" in act(client, "gatewaycall", GatewayCall.objects.get(), "send_again")[0]

    assert GatewayCall.objects.get().due_at != before
    GatewayCall.objects.update(state="done")
    assert "made already" in act(client, "gatewaycall", GatewayCall.objects.get(), "send_again")[0]
    assert written("call_retry") == [(staff, str(GatewayCall.objects.get().uid))]


def test_a_failed_payout_is_sent_again(client, staff, world):
    payout = Payout.objects.get()
    assert "Only a payout that failed" in act(client, "payout", payout, "send_again")[0]
    Payout.objects.update(state="failed", paid_at=None)

    act(client, "payout", payout, "send_again")

    assert (Payout.objects.get().state, GatewayCall.objects.filter(kind="transfer").count()) == ("waiting", 2)


def test_a_large_payout_is_approved(client, staff, world):
    Payout.objects.update(state="to_approve", paid_at=None, approvals_needed=2)
    payout = Payout.objects.get()

    assert "approved by you" in act(client, "payout", payout, "approve")[0]
    assert "Somebody else" in act(client, "payout", payout, "approve")[0]

    assert (Payout.objects.get().state, list(payout.approvals.values_list("by", flat=True))) == (
        "to_approve",
        [staff.pk],
    )


def test_a_difference_is_closed_with_a_word(client, staff, world):
    difference = ReconciliationDifference.objects.get()
    assert "Say what you found." in act(client, "reconciliationdifference", difference, "resolve", words=" ")[0]
    assert (ReconciliationDifference.objects.get().resolved_at, written("resolve_difference")) == (None, [])

    act(client, "reconciliationdifference", difference, "resolve", words="A chargeback fee")

    difference.refresh_from_db()
    assert (difference.note, difference.resolved_at is None) == ("A chargeback fee", False)
    assert "closed already" in act(client, "reconciliationdifference", difference, "resolve", words="Again")[0]
    assert written("resolve_difference") == [(staff, str(difference.uid))]
    assert Invoice.objects.filter(kind="sale").count() == Payment.objects.count() == 1
