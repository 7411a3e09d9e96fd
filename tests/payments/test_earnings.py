"""Who gets what of a payment, when it is paid out, and what promo codes take off."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import AuditEntry
from payments.domain import calls, earnings, invoices, ledger, payouts, promo_codes, promos, refunds
from payments.domain.invoices import InvoiceTerms
from payments.gateways import registry
from payments.gateways.base import Transfer
from payments.models import (
    GatewayCall,
    Invoice,
    LedgerEntry,
    Payout,
    PayoutAccount,
    PayoutFreeze,
    PayoutItem,
    PromoCode,
    PromoRedemption,
)
from petplace.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from petplace.money import allocate, half_up
from providers.models import Membership
from tests.factories import StaffFactory, UserFactory, make_branch, make_support
from tests.payments.fake import NAME, FakeGateway, installed
from tests.payments.money import DAY, NOW, balances, broken, hear, paid, sale

pytestmark = pytest.mark.django_db
# 100.00 of care at 20 % tax on top, 5.00 service fee; 10 % commission; the code took 10.00 off at the platform's cost.
TERMS = InvoiceTerms(2000, False, 1800, 500, 1000, 1000)
TOTAL = 11_300  # 9000 + 500 + 1800


@pytest.fixture
def account(provider):
    return PayoutAccount.objects.create(provider=provider, gateway=NAME, ref="acct_1", is_ready=True)


def earned(invoice, now=NOW):
    return invoices.earn(invoice, now=now, payout_due_at=now + 2 * DAY)


# --- Arithmetic ---------------------------------------------------------------------------------


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**9))
def test_half_up_rounds_a_half_away_from_zero(numerator, denominator):
    rounded = half_up(numerator, denominator)

    assert abs(rounded * denominator - numerator) * 2 <= denominator
    assert half_up(-numerator, denominator) == -rounded


def test_half_up_by_example():
    assert [half_up(*pair) for pair in ((5, 2), (-5, 2), (1, 3), (2, 3), (0, 7))] == [3, -3, 0, 1, 0]
    with pytest.raises(ValueError, match="positive"):
        half_up(1, 0)


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=6))
def test_allocate_loses_nothing_and_stays_close(total, weights):
    shares = allocate(total, weights)

    assert sum(shares) == total
    if whole := sum(weights):
        for share, weight in zip(shares, weights, strict=True):
            assert abs(share * whole - total * weight) < whole


def test_allocate_by_example():
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert allocate(-100, [1, 1, 1]) == [-34, -33, -33]
    assert allocate(7, [0, 0]) == [0, 7]
    for weights in ([], [-1, 2]):
        with pytest.raises(ValueError, match="weights"):
            allocate(1, weights)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.data())
def test_a_split_is_exact(rest, fee, tax, subsidy, data):
    invoice = Invoice(
        total=rest + fee + tax, owner_fee=fee, tax_amount=tax, subsidy=subsidy,
        commission=data.draw(st.integers(0, rest + subsidy)),
    )  # fmt: skip
    paid_amount = data.draw(st.integers(0, invoice.total))

    parts = earnings.split(invoice, paid_amount)

    assert parts.provider + parts.tax + parts.platform == paid_amount + parts.subsidy
    assert min(parts.provider, parts.tax, parts.platform, parts.subsidy) >= 0


# --- Recognition --------------------------------------------------------------------------------


def test_what_is_earned_is_divided(fake, provider, payer):
    invoice = sale(provider, payer, TOTAL, terms=TERMS)
    paid(fake, invoice)
    assert balances() == {"gateway_clearing": TOTAL, "customer_funds": -TOTAL}

    earned(invoice)
    earned(invoice, now=NOW + DAY)

    assert balances() == {
        "gateway_clearing": TOTAL, "promotions": 1000, "provider_payable": -9000, "tax_payable": -1800,
        "platform_fees": -1500,
    }  # fmt: skip
    assert PayoutItem.objects.values_list("amount", "due_at").get() == (10_800, NOW + 2 * DAY)
    assert payouts.balance(provider, "EUR") == 10_800
    assert broken() == []


@pytest.mark.parametrize("order", ["pay, earn, refund", "earn, pay, refund", "pay, refund, earn"])
def test_the_order_does_not_matter(fake, provider, payer, order):
    invoice = sale(provider, payer, TOTAL, terms=TERMS)
    invoices.open_draft(invoice, now=NOW)
    for step in order.split(", "):
        if step == "pay":
            payment = paid(fake, Invoice.objects.get(pk=invoice.pk))
        elif step == "earn":
            earned(invoice)
        else:
            refunds.request(payment, amount=5650, by=None, reason="Half", now=NOW)
    hear(fake)

    assert balances() == {
        "gateway_clearing": 5650, "promotions": 500, "provider_payable": -4500, "tax_payable": -900,
        "platform_fees": -750,
    }  # fmt: skip
    assert sum(PayoutItem.objects.values_list("amount", flat=True)) == 5400
    assert broken() == []


def test_cash_is_settled_with_what_the_provider_is_owed(fake, provider, payer):
    invoice = sale(provider, payer, TOTAL, terms=TERMS, prepay=0)
    invoices.settle(invoice, now=NOW)

    earned(invoice)

    assert balances()["cash"] == TOTAL
    assert sorted(PayoutItem.objects.values_list("amount", flat=True)) == [-TOTAL, 10_800]
    assert payouts.balance(provider, "EUR") == -500  # fee and commission, less the platform's discount
    assert broken() == []


def test_a_visit_that_the_platform_pays_whole(fake, provider, payer):
    invoice = sale(provider, payer, 0, terms=InvoiceTerms(subsidy=5000, commission=500), prepay=0)

    earned(invoice)

    assert balances() == {"promotions": 5000, "provider_payable": -4500, "platform_fees": -500}
    assert (Invoice.objects.get().state, broken()) == ("paid", [])


def test_a_tip_goes_to_the_provider_whole(fake, provider, payer):
    invoice = sale(provider, payer, TOTAL, terms=TERMS)
    paid(fake, invoice)
    earned(invoice)

    def tip(amount, now=NOW, by=payer):
        return invoices.tip(invoice, amount=amount, by=by, now=now, tip_until=NOW + 14 * DAY)

    first, second = tip(300), tip(500)
    assert (first.pk, second.total, second.state) == (second.pk, 500, "draft")
    assert tip(500).pk == first.pk
    payment = paid(fake, second)

    assert (payment.amount, balances()["tips_payable"]) == (500, -500)
    assert Invoice.objects.get(pk=first.pk).state == "paid"
    assert tip(100).pk != first.pk
    with pytest.raises(InvalidTransition):
        tip(100, now=NOW + 15 * DAY)
    with pytest.raises(NotAllowed):
        tip(100, by=UserFactory())
    with pytest.raises(InvalidInput):
        tip(0)
    assert broken() == []


def test_an_extra_charge_has_tax_inside_and_pays_commission(fake, provider, payer):
    invoice = sale(provider, payer, TOTAL, terms=TERMS)
    paid(fake, invoice)
    earned(invoice)

    extra = invoices.charge_extra(invoice, description="Bath", amount=1200, by=payer, now=NOW)

    assert (extra.tax_amount, extra.commission, extra.state, extra.is_issued) == (200, 100, "open", True)
    paid(fake, extra)
    assert balances()["tax_payable"] == -2000
    assert broken() == []


@pytest.mark.parametrize(("amount", "description"), [(0, "Bath"), (-1, "Bath"), (10**9, "Bath"), (100, " ")])
def test_an_extra_charge_says_how_much_and_what_for(provider, payer, amount, description):
    with pytest.raises(InvalidInput):
        invoices.charge_extra(
            sale(provider, payer, prepay=0), description=description, amount=amount, by=payer, now=NOW
        )


def test_nothing_is_added_to_what_is_not_owed(provider, payer):
    with pytest.raises(InvalidTransition):
        invoices.charge_extra(sale(provider, payer), description="Bath", amount=1, by=payer, now=NOW)


def test_debts_are_paid_in_cash_in_parts(fake, provider, payer):
    invoice = sale(provider, payer, prepay=0)

    def take(amount):
        return invoices.record_cash(invoice, amount=amount, by=payer, now=NOW)

    take(4000)
    with pytest.raises(InvalidInput):
        take(6001)
    take(6000)

    assert Invoice.objects.get().state == "paid"
    with pytest.raises(InvalidTransition):
        take(1)
    assert broken() == []


# --- Numbers ------------------------------------------------------------------------------------


def test_numbers_are_by_provider_and_local_year(provider, payer):
    make_branch(provider, time_zone="Pacific/Auckland", country="NZ")
    new_year = NOW.replace(month=12, day=31, hour=12)

    numbers = [invoices.issue(sale(provider, payer), now=now).number for now in (NOW, NOW, new_year, NOW)]

    assert numbers == ["2026-000001", "2026-000002", "2027-000001", "2026-000003"]


def test_a_number_is_given_once(provider, payer):
    invoice = sale(provider, payer)

    assert [invoices.issue(invoice, now=NOW).number for _ in range(2)] == ["2026-000001"] * 2


# --- Payouts ------------------------------------------------------------------------------------


@pytest.fixture
def due(fake, provider, payer, account):
    invoice = sale(provider, payer, TOTAL, terms=TERMS)
    paid(fake, invoice)
    return earned(invoice)


def test_a_payout_is_made_when_it_is_due(fake, due):
    assert payouts.collect_due(now=NOW + DAY) == []

    payout = payouts.collect_due(now=NOW + 2 * DAY)[0]
    assert (payout.amount, payout.state, balances()["payouts_in_transit"]) == (10_800, "waiting", -10_800)
    assert payouts.collect_due(now=NOW + 3 * DAY) == []
    hear(fake, now=NOW + 2 * DAY)

    payout.refresh_from_db()
    assert (payout.state, payout.ref, payout.paid_at) == ("paid", payout.ref, NOW + 2 * DAY)
    assert balances() == {"gateway_clearing": 500, "promotions": 1000, "platform_fees": -1500}
    assert (fake.balance("EUR"), broken()) == (500, [])


def test_a_refund_after_the_payout_is_taken_off_the_next(fake, due, provider, payer):
    payouts.collect_due(now=NOW + 2 * DAY)
    hear(fake, now=NOW + 2 * DAY)
    payment = due.payments.get()
    refunds.request(payment, amount=1130, by=None, reason="A tenth", now=NOW + 3 * DAY)

    assert payouts.collect_due(now=NOW + 9 * DAY) == []
    assert payouts.balance(provider, "EUR") == -1080
    other = sale(provider, payer, 5000)
    paid(fake, other, now=NOW + 9 * DAY)
    earned(other)

    assert payouts.collect_due(now=NOW + 9 * DAY)[0].amount == 5000 - 1080
    assert broken() == []


def test_an_account_that_is_not_ready_waits(due, account):
    PayoutAccount.objects.update(is_ready=False)

    assert payouts.collect_due(now=NOW + 2 * DAY) == []


@pytest.fixture
def narrow(fake, account):
    """A second gateway, that takes dollars alone; the provider's newest account is there."""
    one = FakeGateway(name="narrow")
    with pytest.MonkeyPatch.context() as patch:  # undone before ``fake`` is
        patch.setattr(one, "supports", lambda currency: currency == "USD")
        patch.setattr(registry, "names", lambda: [NAME, "narrow"])
        patch.setattr(registry, "get", {NAME: fake, "narrow": one}.__getitem__)
        yield PayoutAccount.objects.create(provider=account.provider, gateway="narrow", ref="acct_2", is_ready=True)


def test_a_payout_goes_to_the_newest_account_that_takes_its_currency(fake, due, account, narrow, payer):
    dollars = sale(due.provider, payer, 5000, currency="USD")
    paid(fake, dollars)
    earned(dollars)

    made = payouts.collect_due(now=NOW + 2 * DAY)

    assert [(one.currency, one.account, one.gateway) for one in made] == [
        ("EUR", account, NAME), ("USD", narrow, "narrow"),
    ]  # fmt: skip
    assert broken() == []


def test_a_payout_waits_for_an_account_that_takes_its_currency(due, account, narrow):
    PayoutAccount.objects.filter(pk=account.pk).update(is_ready=False)
    assert payouts.collect_due(now=NOW + 2 * DAY) == []

    PayoutAccount.objects.filter(pk=account.pk).update(is_ready=True)

    assert payouts.collect_due(now=NOW + 2 * DAY)[0].account == account


def test_an_account_of_a_gateway_that_is_gone_is_passed_over(due, account, caplog):
    PayoutAccount.objects.create(provider=due.provider, gateway="gone", ref="acct_2", is_ready=True)

    assert payouts.collect_due(now=NOW + 2 * DAY)[0].account == account

    PayoutAccount.objects.filter(pk=account.pk).update(is_ready=False)
    PayoutItem.objects.update(payout=None)
    assert payouts.collect_due(now=NOW + 3 * DAY) == []
    assert "could not be made" not in caplog.text


def test_a_complaint_keeps_it_back(due):
    staff = StaffFactory()
    payouts.freeze(due, reason="The dog is unwell.", by=staff, now=NOW)
    assert payouts.collect_due(now=NOW + 2 * DAY) == []

    assert payouts.unfreeze(due, by=staff, now=NOW + 2 * DAY) == 1
    assert len(payouts.collect_due(now=NOW + 2 * DAY)) == 1


def test_a_complaint_has_a_reason_and_may_have_an_end(due):
    staff = StaffFactory()
    with pytest.raises(InvalidInput):
        payouts.freeze(due, reason=" ", by=staff, now=NOW)
    payouts.freeze(due, reason="Look at it", by=staff, now=NOW, until=NOW + 3 * DAY)

    assert payouts.collect_due(now=NOW + 2 * DAY) == []
    assert len(payouts.collect_due(now=NOW + 3 * DAY)) == 1


def test_a_dispute_keeps_it_back_until_it_is_decided(fake, due):
    ref = fake.open_dispute(due.payments.get().ref, amount=100)
    hear(fake)
    assert PayoutFreeze.objects.get().invoice == due
    assert payouts.unfreeze(due, by=StaffFactory(), now=NOW) == 0
    assert payouts.collect_due(now=NOW + 2 * DAY) == []

    fake.close_dispute(ref, is_won=True)
    hear(fake)

    assert len(payouts.collect_due(now=NOW + 2 * DAY)) == 1


def test_a_payout_that_is_refused_is_tried_again_and_given_up(fake, due):
    staff = StaffFactory()
    fake.refuses_transfers = True
    now = NOW + 2 * DAY
    payout = payouts.collect_due(now=now)[0]
    for _ in range(payouts.MAX_ATTEMPTS):
        assert calls.run_due(now=now).failed == 1
        now += 2 * DAY
    payout.refresh_from_db()
    assert (payout.state, payout.attempts, payout.last_error) == ("failed", 8, "No such account.")
    assert len(set(GatewayCall.objects.values_list("key", flat=True))) == 8
    assert staff.notifications.filter(kind="payout_failed").count() == 1

    fake.refuses_transfers = False
    payouts.send_again(payout, by=staff, now=now)
    calls.run_due(now=now)

    payout.refresh_from_db()
    assert (payout.state, broken()) == ("paid", [])
    with pytest.raises(InvalidTransition):
        payouts.send_again(payout, by=staff, now=now)


# --- Large ones ---------------------------------------------------------------------------------


@pytest.fixture
def admin():
    return StaffFactory()


@pytest.fixture
def large(fake, admin, due, settings):
    settings.LARGE_PAYOUTS = {"*": 107}
    return payouts.collect_due(now=NOW + 2 * DAY)[0]


def test_a_large_payout_is_sent_when_two_people_approved_it(fake, admin, large, provider):
    other = StaffFactory()
    assert (large.state, large.approvals_needed, large.calls.count()) == ("to_approve", 2, 0)
    assert admin.notifications.filter(kind="payout_to_approve").count() == 1
    assert calls.run_due(now=NOW + 3 * DAY).done == 0
    assert (payouts.balance(provider, "EUR"), broken()) == (0, [])

    assert payouts.approve(large, by=admin, now=NOW + 3 * DAY).is_to_approve
    with pytest.raises(DomainError, match="Somebody else") as error:
        payouts.approve(large, by=admin, now=NOW + 3 * DAY)
    assert error.value.code == "already_approved"
    assert (calls.run_due(now=NOW + 3 * DAY).done, fake.balance("EUR")) == (0, 11_300)

    assert payouts.approve(large, by=other, now=NOW + 4 * DAY).state == "waiting"
    calls.run_due(now=NOW + 4 * DAY)
    large.refresh_from_db()
    assert (large.state, fake.balance("EUR"), broken()) == ("paid", 500, [])
    with pytest.raises(InvalidTransition):
        payouts.approve(large, by=StaffFactory(), now=NOW + 4 * DAY)
    entries = AuditEntry.objects.filter(action="payout_approve").order_by("pk")
    assert [(entry.actor_uid, entry.after["approvals"]) for entry in entries] == [(admin.uid, 1), (other.uid, 2)]


def test_support_owners_and_who_belongs_to_the_provider_approve_nothing(large, provider):
    insider, support = StaffFactory(), make_support()
    Membership.objects.create(provider=provider, user=insider, role="staff")
    for by in (UserFactory(), support, insider):
        with pytest.raises(NotAllowed):
            payouts.approve(large, by=by, now=NOW + 3 * DAY)
    assert (large.approvals.count(), payouts.Payout.objects.get().state) == (0, "to_approve")


@pytest.mark.parametrize(
    ("limits", "state"),
    [({}, "waiting"), ({"*": 108}, "waiting"), ({"EUR": 107}, "to_approve"), ({"*": 1, "EUR": 200}, "waiting")],
)
def test_how_much_is_large_is_a_setting_by_currency(due, settings, limits, state):
    settings.LARGE_PAYOUTS = limits
    assert payouts.collect_due(now=NOW + 2 * DAY)[0].state == state


def test_a_large_payout_that_went_out_alone_is_seen(large):
    Payout.objects.update(state="waiting")
    assert ["two people approved it" in line for line in broken()] == [True]


def test_a_payout_whose_answer_was_lost_is_paid_once(fake, due):
    payouts.collect_due(now=NOW + 2 * DAY)
    fake.drops_line = True

    calls.run_due(now=NOW + 2 * DAY)
    calls.run_due(now=NOW + 3 * DAY)

    assert (fake.balance("EUR"), Payout.objects.get().state) == (500, "paid")


def test_a_transfer_that_is_on_its_way_is_asked_about_again(fake, due, monkeypatch):
    payout = payouts.collect_due(now=NOW + 2 * DAY)[0]
    send = fake.transfer
    monkeypatch.setattr(fake, "transfer", lambda *a, **k: replace(send(*a, **k), state="pending"))
    assert calls.run_due(now=NOW + 2 * DAY).later == 1
    payout.refresh_from_db()
    assert (payout.state, payout.ref is None) == ("waiting", False)

    monkeypatch.undo()
    with installed(fake):
        calls.run_due(now=NOW + 3 * DAY)

    payout.refresh_from_db()
    assert (payout.state, fake.balance("EUR"), broken()) == ("paid", 500, [])
    sent = Transfer(payout.ref, 10_800, "EUR", "failed", "Too late")
    assert payouts.record(payout, sent, now=NOW).is_paid
    assert payouts.refuse(payout, why="Too late", now=NOW).is_paid


def test_a_transfer_that_failed_there_is_tried_under_another_key(fake, due, monkeypatch):
    payout = payouts.collect_due(now=NOW + 2 * DAY)[0]

    payouts.record(payout, Transfer("tr_x", 10_800, "EUR", "failed"), now=NOW + 2 * DAY)

    payout.refresh_from_db()
    assert (payout.attempts, payout.last_error) == (1, "The gateway could not send it.")
    assert sorted(GatewayCall.objects.values_list("key", flat=True)) == [f"payout:{payout.uid}:{n}" for n in (1, 2)]


def test_a_provider_whose_payout_cannot_be_made_does_not_stop_the_others(fake, due, monkeypatch, caplog):
    monkeypatch.setattr(payouts, "_collect", lambda pk, now: 1 // 0)

    assert payouts.collect_due(now=NOW + 2 * DAY) == []
    assert "could not be made" in caplog.text


# --- Promo codes --------------------------------------------------------------------------------


def make_promo(**options):
    return promo_codes.create(code="SPRING", provider=None, **({"percent_bp": 1000} | options))


def redeem(promo, user, provider):
    return promos.redeem(promo, user=user, invoice=sale(provider, user), amount=100, now=NOW)


def test_a_code_is_used_as_often_as_it_says(provider):
    promo = make_promo(max_uses=2)
    redeem(promo, UserFactory(), provider)
    redeem(promo, UserFactory(), provider)

    with pytest.raises(promos.PromoError) as error:
        redeem(promo, UserFactory(), provider)

    assert error.value.code == "promo_used_up"
    assert (PromoCode.objects.get().used_count, broken()) == (2, [])


def test_one_person_uses_it_as_often_as_one_may(provider, payer):
    promo = make_promo(max_uses_per_person=1)
    first = redeem(promo, payer, provider)
    assert promos.redeem(promo, user=payer, invoice=first.invoice, amount=100, now=NOW) == first

    with pytest.raises(promos.PromoError) as error:
        invoices.transaction.atomic()(lambda: redeem(promo, payer, provider))()

    assert error.value.code == "promo_used_before"
    redeem(promo, UserFactory(), provider)
    assert broken() == []


def test_a_use_is_given_back_once_when_nothing_comes_of_it(provider, payer):
    redemption = redeem(make_promo(max_uses=1), payer, provider)

    for _ in range(2):
        invoices.keep_only(redemption.invoice, keep=0, reason="Hold expired", now=NOW)

    assert (PromoCode.objects.get().used_count, PromoRedemption.objects.get().released_at) == (0, NOW)
    assert promos.release(redemption.invoice, now=NOW) is False
    invoices.revive(redemption.invoice, now=NOW)
    assert (PromoCode.objects.get().used_count, PromoRedemption.objects.get().released_at) == (1, None)
    assert broken() == []


def test_what_comes_back_to_life_may_find_its_code_used_up(provider, payer):
    promo = make_promo(max_uses=1)
    redemption = redeem(promo, payer, provider)
    invoices.keep_only(redemption.invoice, keep=0, reason="Hold expired", now=NOW)
    redeem(promo, UserFactory(), provider)

    with pytest.raises(promos.PromoError):
        invoices.revive(redemption.invoice, now=NOW)


def test_a_fee_that_is_kept_keeps_the_use(provider, payer):
    redemption = redeem(make_promo(), payer, provider)
    invoices.open_draft(redemption.invoice, now=NOW)

    invoices.keep_only(redemption.invoice, keep=500, reason="Late", now=NOW)

    assert PromoRedemption.objects.get().released_at is None


def test_only_what_died_is_revived(provider, payer):
    with pytest.raises(InvalidTransition):
        invoices.revive(sale(provider, payer), now=NOW)
    assert ledger.recognized(Invoice.objects.get()) == {}
    assert LedgerEntry.objects.count() == 0
