"""Money at the same moment: one effect each, whatever is clicked, refunded, redeemed or paid out twice."""

from collections import Counter
from functools import partial

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from payments.domain import calls, charges, invoices, payouts, promo_codes, promos, refunds
from payments.domain.invoices import InvoiceTerms
from payments.models import Invoice, Payment, Payout, PayoutAccount, PromoCode, PromoRedemption, Refund
from payments.models.sandbox import SandboxCharge
from tests.factories import UserFactory, make_provider
from tests.payments.fake import NAME, FakeGateway, installed
from tests.payments.money import sale
from tests.races.burst import SIZE, Crew, ForkedCrew
from tests.races.conftest import ASKED

TOO_MUCH = ["refund_too_much"]
LIMIT, WANTED = 10, 40


class Bank:
    """A provider, somebody who pays, and a gateway."""

    def __init__(self) -> None:
        self.now = timezone.now()
        self.gateway = FakeGateway(now=self.now)
        self.provider, self.payer = make_provider(now=self.now), UserFactory()

    def sale(self, total: int = 100, **options) -> Invoice:
        return sale(self.provider, self.payer, total, **options)

    def paid(self, invoice: Invoice) -> Payment:
        started = charges.start(invoice, by=self.payer, now=self.now)
        self.gateway.pay(started.charge.ref)
        return charges.sync(started.payment, now=self.now)

    def rest(self) -> None:
        """Make all calls that are due; one pass makes two hundred."""
        while calls.run_due(now=self.now).done:
            pass


@pytest.fixture
def bank():
    one = Bank()
    with installed(one.gateway):
        yield one


@pytest.fixture
def rounds(slots):
    return slots if ASKED else 2


def fresh(model, row):
    """An instance of its own, as each request of a server has."""
    return model.objects.get(pk=row.pk)


def refund(bank, payment, amount):
    return partial(give_back, payment, amount, bank.now)


def give_back(payment, amount, now):
    return refunds.request(fresh(Payment, payment), amount=amount, by=None, reason="Sorry", now=now)


def test_two_partial_refunds(bank, rounds, host, report):
    with ForkedCrew(2, host=host) as crew:
        for _ in range(rounds):
            payment = bank.paid(bank.sale())
            tally = crew.burst([refund(bank, payment, 60)] * 2)
            report.add(tally, TOO_MUCH)
            assert tally.counts == {"won": 1, "refund_too_much": 1}
    bank.rest()
    assert bank.gateway.balance("EUR") == 40 * rounds


def test_cancelling_and_a_refund_by_staff(bank, rounds, host, report):
    with ForkedCrew(4, host=host) as crew:
        for _ in range(rounds):
            payment = bank.paid(bank.sale())
            cancel = partial(invoices.keep_only, payment.invoice, keep=0, reason="Cancelled", now=bank.now)
            tally = crew.burst([cancel, refund(bank, payment, 100)] * 2)
            report.add(tally, TOO_MUCH)
            assert sum(payment.refunds.values_list("amount", flat=True)) == 100
    bank.rest()
    assert bank.gateway.balance("EUR") == 0


def test_a_full_refund_clicked_twenty_times(bank, rounds, host, report):
    with ForkedCrew(20, host=host) as crew:
        for _ in range(rounds):
            payment = bank.paid(bank.sale())
            tally = crew.burst([refund(bank, payment, 100)] * 20)
            report.add(tally, TOO_MUCH)
            assert tally.counts == {"won": 1, "refund_too_much": 19}


def capture_at_once(bank, crew, report):
    """Let ten accept at once, then four workers make the call for it."""
    payment = bank.paid(bank.sale(terms=InvoiceTerms(capture_method="manual")))
    report.add(crew.burst([lambda: charges.want_capture(fresh(Invoice, payment.invoice), now=bank.now)] * 10))
    report.add(crew.burst([partial(calls.run_due, now=bank.now)] * 4))
    return fresh(Payment, payment)


def test_captured_once(bank, rounds, host, report):
    with Crew(10, host=host) as crew:
        for _ in range(rounds):
            assert capture_at_once(bank, crew, report).state == "captured"
    assert bank.gateway.asked.count("capture") == rounds
    assert bank.gateway.balance("EUR") == 100 * rounds


def test_news_of_one_payment_in_four_hands(bank, rounds, host, report):
    with Crew(4, host=host) as crew:
        for _ in range(rounds):
            started = charges.start(bank.sale(), by=bank.payer, now=bank.now)
            bank.gateway.pay(started.charge.ref)
            bank.gateway.refund_in_dashboard(started.charge.ref, 30)
            tally = crew.burst([lambda p=started.payment: charges.sync(fresh(Payment, p), now=bank.now)] * 4)
            report.add(tally)
            payment = fresh(Payment, started.payment)
            assert (payment.captured_amount, payment.refunded_amount, payment.refunds.count()) == (100, 30, 1)


def pay_ten_times(bank, crew):
    invoice = bank.sale()
    return invoice, crew.burst([partial(pay, invoice, bank.payer, bank.now)] * 10)


def pay(invoice, payer, now):
    return charges.start(fresh(Invoice, invoice), by=payer, now=now)


def test_pay_clicked_ten_times(rounds, host, report):
    bank = Bank()  # at the sandbox: several processes share its database
    with ForkedCrew(10, host=host) as crew:
        for _ in range(rounds):
            invoice, tally = pay_ten_times(bank, crew)
            report.add(tally)
            assert tally.counts == {"won": 10}
            assert invoice.payments.count() == 1
    assert SandboxCharge.objects.count() == rounds


def redeem_at_once(bank, crew, people, invoices_):
    promo = promo_codes.create(code=f"SPRING-{PromoCode.objects.count()}", provider=None, percent_bp=1, max_uses=LIMIT)
    attempts = [
        partial(retried_redeem, promo.pk, user, invoice, bank.now)
        for user, invoice in zip(people, invoices_, strict=True)
    ]
    return promo, crew.burst(attempts)


def retried_redeem(pk, user, invoice, now):
    return redeem(PromoCode.objects.get(pk=pk), user, invoice, now)


@invoices.retried
def redeem(promo, user, invoice, now):
    return promos.redeem(promo, user=user, invoice=invoice, amount=1, now=now)


def test_a_promo_limit_of_ten_and_forty_at_once(bank, rounds, host, report):
    people = [UserFactory() for _ in range(WANTED)]
    with ForkedCrew(WANTED, host=host) as crew:
        for _ in range(max(rounds // 3, 1)):
            promo, tally = redeem_at_once(bank, crew, people, [bank.sale() for _ in people])
            report.add(tally, ["promo_used_up"])
            assert tally.counts == {"won": LIMIT, "promo_used_up": WANTED - LIMIT}
            assert promo.redemptions.count() == LIMIT


def test_once_per_person_from_five_tabs(bank, rounds, host, report):
    user = UserFactory()
    with ForkedCrew(5, host=host) as crew:
        for number in range(rounds):
            promo = promo_codes.create(code=f"ONCE-{number}", provider=None, percent_bp=1, max_uses_per_person=1)
            made = [bank.sale() for _ in range(5)]
            tally = crew.burst([partial(retried_redeem, promo.pk, user, one, bank.now) for one in made])
            report.add(tally, ["promo_used_before"])
            assert tally.counts == {"won": 1, "promo_used_before": 4}


def given_back_at_once(bank, crew, promo):
    """Redeem for a sale, then let four give the use back: even without the lock of the invoice it is one."""
    invoice = bank.sale()
    retried_redeem(promo.pk, UserFactory(), invoice, bank.now)
    return crew.burst([partial(release, invoice, bank.now)] * 4)


@invoices.retried
def release(invoice, now):
    return promos.release(invoice, now=now)


def test_a_use_is_given_back_once(bank, rounds, host, report):
    promo = promo_codes.create(code="BACK", provider=None, percent_bp=1, max_uses=LIMIT)
    for _ in range(LIMIT - 1):
        retried_redeem(promo.pk, UserFactory(), bank.sale(), bank.now)
    with ForkedCrew(4, host=host) as crew:
        for _ in range(rounds):
            tally = given_back_at_once(bank, crew, promo)
            report.add(tally)
            assert sorted(tally.results) == [False, False, False, True]
            assert fresh(PromoCode, promo).used_count == LIMIT - 1
    retried_redeem(promo.pk, UserFactory(), bank.sale(), bank.now)
    with pytest.raises(promos.PromoError):
        retried_redeem(promo.pk, UserFactory(), bank.sale(), bank.now)


def earned_by(bank):
    """Return a provider who is owed 100, due now."""
    bank.provider = make_provider(now=bank.now)
    PayoutAccount.objects.create(provider=bank.provider, gateway=NAME, ref=f"acct_{bank.provider.pk}", is_ready=True)
    invoice = bank.sale()
    bank.paid(invoice)
    invoices.earn(invoice, now=bank.now, payout_due_at=bank.now)


def test_the_payout_job_run_four_times(bank, rounds, host, report):
    with Crew(4, host=host) as crew:
        for _ in range(rounds):
            earned_by(bank)
            tally = crew.burst([partial(payouts.collect_due, now=bank.now)] * 4)
            report.add(tally)
            assert sum(len(made) for made in tally.results) == 1
            report.add(crew.burst([partial(calls.run_due, now=bank.now)] * 4))
    assert set(Payout.objects.values_list("amount", "state")) == {(100, "paid")}
    assert bank.gateway.balance("EUR") == 0


def issue_at_once(bank, crew):
    return crew.burst([partial(issue, bank.sale(), bank.now) for _ in range(SIZE)])


def issue(invoice, now):
    return invoices.issue(fresh(Invoice, invoice), now=now).number


def test_numbers_without_a_gap(bank, host, report):
    with ForkedCrew(host=host) as crew:
        tally = issue_at_once(bank, crew)
    report.add(tally)
    year = bank.now.year
    assert sorted(tally.results) == [f"{year}-{number:06d}" for number in range(1, SIZE + 1)]


# --- Controls: with the guards off it must be seen to go wrong ----------------------------------


@pytest.fixture
def unguarded(settings):
    """Switch off the locks of money, and the constraints that would still hold."""
    settings.DISABLE_PAYMENT_LOCKS = True
    execute("ALTER TABLE payments_payment DROP CONSTRAINT payment_sums_possible")
    execute("DROP INDEX payment_one_attempt_at_a_time")
    execute("ALTER TABLE payments_invoice DROP CONSTRAINT invoice_credit_possible")
    yield
    execute("SET petplace.test_run = 'on'; TRUNCATE payments_payment, payments_invoice CASCADE")
    execute(
        "ALTER TABLE payments_payment ADD CONSTRAINT payment_sums_possible CHECK"
        " (refunded_amount >= 0 AND refunded_amount <= captured_amount AND captured_amount <= amount)"
    )
    execute(
        "CREATE UNIQUE INDEX payment_one_attempt_at_a_time ON payments_payment (invoice_id)"
        " WHERE state IN ('new', 'requires_action', 'processing')"
    )
    execute(
        "ALTER TABLE payments_invoice ADD CONSTRAINT invoice_credit_possible CHECK"
        " (credited_amount >= 0 AND credited_amount <= total)"
    )


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.control
def test_control_two_partial_refunds_without_guards(bank, unguarded, rounds, control_host, report):
    over = 0
    with Crew(2, host=control_host) as crew:
        for _ in range(rounds):
            payment = bank.paid(bank.sale())
            report.add(crew.burst([refund(bank, payment, 60)] * 2), TOO_MUCH)
            over += sum(Refund.objects.filter(payment=payment).values_list("amount", flat=True)) > 100
    report.name += f": {over} of {rounds} gave back more than was paid"
    assert over >= 1


@pytest.mark.control
def test_control_cancelling_and_a_refund_without_guards(bank, unguarded, control_host, report):
    over = tried = 0
    with Crew(4, host=control_host) as crew:
        while over < 2 and tried < 60:  # on a fast line not every burst meets
            tried += 1
            payment = bank.paid(bank.sale())
            cancel = partial(invoices.keep_only, payment.invoice, keep=0, reason="Cancelled", now=bank.now)
            report.add(crew.burst([cancel, refund(bank, payment, 100)] * 2), TOO_MUCH)
            over += sum(Refund.objects.filter(payment=payment).values_list("amount", flat=True)) > 100
    report.name += f": {over} of {tried} gave back more than was paid"
    assert over


@pytest.mark.control
def test_control_captured_without_guards(bank, unguarded, rounds, control_host, report):
    """Workers that do not lease a call make it together; one charge is left only because the gateway knows its key."""
    with Crew(10, host=control_host) as crew:
        for _ in range(rounds):
            capture_at_once(bank, crew, report)
    asked = bank.gateway.asked.count("capture")
    report.name += f": asked {asked} times for {rounds}"
    assert asked > rounds


@pytest.mark.control
def test_control_pay_clicked_without_guards(bank, unguarded, rounds, control_host, report):
    doubled = 0
    with Crew(10, host=control_host) as crew:
        for _ in range(rounds):
            invoice, tally = pay_ten_times(bank, crew)
            report.add(tally)
            doubled += invoice.payments.count() > 1
    report.name += f": {doubled} of {rounds} begun more than once"
    assert doubled >= 1


@pytest.mark.control
def test_control_a_promo_limit_without_guards(bank, unguarded, control_host, report):
    people = [UserFactory() for _ in range(WANTED)]
    with Crew(WANTED, host=control_host) as crew:
        promo, tally = redeem_at_once(bank, crew, people, [bank.sale() for _ in people])
    report.add(tally, ["promo_used_up"])
    used = PromoRedemption.objects.filter(promo=promo).count()
    report.name += f": {used} uses of {LIMIT}"
    assert used > LIMIT


@pytest.mark.control
def test_control_a_use_looked_up_and_then_given_back(bank, rounds, control_host, report, monkeypatch):
    def looked_up(invoice, *, now):
        used = PromoRedemption.objects.filter(invoice=invoice, released_at=None).first()
        if used is not None:
            PromoCode.objects.filter(pk=used.promo_id, used_count__gt=0).update(used_count=F("used_count") - 1)
            used.released_at = now
            used.save()

    monkeypatch.setattr(promos, "release", looked_up)
    promo = promo_codes.create(code="BACK", provider=None, percent_bp=1)
    PromoCode.objects.update(used_count=100)
    with Crew(4, host=control_host) as crew:
        for _ in range(rounds):
            report.add(given_back_at_once(bank, crew, promo))
    given_back = 100 + rounds - fresh(PromoCode, promo).used_count
    report.name += f": {given_back} uses given back of {rounds}"
    assert given_back > rounds


@pytest.mark.control
def test_control_the_payout_job_without_guards(bank, unguarded, rounds, control_host, report):
    doubled = 0
    with Crew(4, host=control_host) as crew:
        for _ in range(rounds):
            earned_by(bank)
            tally = crew.burst([partial(payouts.collect_due, now=bank.now)] * 4)
            report.add(tally)
            doubled += sum(len(made) for made in tally.results if isinstance(made, list)) > 1
    report.name += f": {doubled} of {rounds} paid more than once"
    assert doubled >= 1


@pytest.mark.control
def test_control_numbers_without_guards(bank, unguarded, control_host, report):
    with Crew(host=control_host) as crew:
        tally = issue_at_once(bank, crew)
    outcomes = Counter(one if one in ("won", "conflict") else "other" for one in tally.outcomes)
    report.name += f": {outcomes['won']} of {SIZE} got a number"
    assert outcomes["won"] < SIZE  # the others drew a number that was given already
