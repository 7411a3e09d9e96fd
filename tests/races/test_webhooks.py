"""Webhooks as gateways send them: many at once, again and again, in any order, and some that are not genuine.

The whole site takes them, in two server processes, while four workers deal with what has come in. ``PETPLACE_STORM=20``
sends 1,000 events each of 20 times, in another order every time.
"""

import http.client
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from django.db import connection
from django.db.models import Q, Sum
from django.utils import timezone

from payments.domain import charges, events, invoices
from payments.gateways import sandbox, sandbox_webhooks
from payments.models import GatewayEvent, Invoice, LedgerLine, Payment
from payments.models.sandbox import SandboxEvent
from tests.factories import UserFactory, make_provider
from tests.payments.money import sale
from tests.races import server
from tests.races.burst import Tally, share

ASKED = int(os.environ.get("PETPLACE_STORM", "0"))
SEEDS = ASKED or 2
PAYMENTS = 200 if ASKED else 10
EVENTS = 5  # of each payment
PARALLEL = 50
WORKERS = 4
FORGED, LATE = 0.10, 0.05
COPIES = 50


class Post(NamedTuple):
    """A webhook as it is sent, and the answer it must get."""

    body: bytes
    signature: str
    expected: int


class Till:
    """Sells the same at the same prices each time, so that the books of two tills can be compared."""

    def __init__(self) -> None:
        self.now = timezone.now()
        self.provider, self.payer = make_provider(now=self.now), UserFactory()
        before = SandboxEvent.objects.count()
        self.sold = [self._sell(number) for number in range(PAYMENTS)]
        self.events = list(SandboxEvent.objects.order_by("pk")[before:])

    def _sell(self, number: int) -> Invoice:
        """Paid, given back twice, disputed and decided; or one of the refunds fails. All unknown to us."""
        invoice = sale(self.provider, self.payer, 10_000 + number)
        if number % 3 == 0:
            invoices.open_draft(invoice, now=self.now)
            invoices.earn(invoice, now=self.now, payout_due_at=self.now + timedelta(days=1))
        ref = charges.start(invoice, by=self.payer, now=self.now).charge.ref
        sandbox.pay(ref, token="tok_visa")
        refund = sandbox.refund_in_dashboard(ref, amount=100 + number)
        sandbox.refund_in_dashboard(ref, amount=50)
        if number % 4 == 0:
            sandbox.fail_refund(refund.ref)
            sandbox.refund_in_dashboard(ref, amount=1)
        else:
            sandbox.close_dispute(sandbox.open_dispute(ref, amount=200), is_won=number % 4 == 1)
        return invoice

    def books(self) -> list[tuple[object, ...]]:
        """Return for each sale what it, its payment and each account in the ledger say."""
        return [
            (
                Invoice.objects.values_list("state", "paid_amount", "credited_amount").get(pk=invoice.pk),
                Payment.objects.values_list("state", "captured_amount", "refunded_amount").get(invoice=invoice),
                dict(
                    LedgerLine.objects.filter(Q(entry__invoice=invoice) | Q(entry__invoice__parent=invoice))
                    .values_list("account__kind")
                    .annotate(Sum("amount"))
                    .order_by("account__kind")
                ),
            )
            for invoice in self.sold
        ]


def genuine(event: SandboxEvent, now: datetime) -> Post:
    body = json.dumps(event.payload).encode()
    return Post(body, sandbox_webhooks.sign(body, at=now), 200)


def storm(till: Till, seed: int) -> list[Post]:
    """Return each event one to five times, forged and late ones among them, in any order."""
    chance = random.Random(seed)
    posts = [genuine(event, till.now) for event in till.events for _ in range(chance.randint(1, 5))]
    for event in till.events:
        body = json.dumps(event.payload).encode()
        if chance.random() < FORGED:
            posts.append(Post(body, sandbox_webhooks.sign(body, at=till.now, secret="guessed"), 400))
        if chance.random() < LATE:
            posts.append(Post(body, sandbox_webhooks.sign(body, at=till.now - timedelta(seconds=301)), 400))
    chance.shuffle(posts)
    return posts


def send(ports: list[int], posts: list[Post], *, parallel: int = PARALLEL) -> Tally:
    """Send all posts, each of ``parallel`` senders over a connection of its own."""
    shares = [posts[number::parallel] for number in range(min(parallel, len(posts)))]
    with ThreadPoolExecutor(len(shares)) as senders:
        done = senders.map(lambda pair: list(_send_all(ports[pair[0] % len(ports)], pair[1])), enumerate(shares))
        answers = [one for sent in done for one in sent]
    return Tally([one[0] for one in answers], [one[1] for one in answers], [one[2] for one in answers])


def _send_all(port: int, posts: list[Post]) -> Iterator[tuple[str, float, int]]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for post in posts:
        began = time.monotonic()
        headers = {
            "Host": "localhost",
            "Content-Type": "application/json",
            sandbox_webhooks.SIGNATURE_HEADER: post.signature,
        }
        line.request("POST", "/api/v1/webhooks/sandbox/", post.body, headers)
        answer = line.getresponse()
        answer.read()
        seconds = time.monotonic() - began
        outcome = {200: "won", 400: "refused"} if answer.status == post.expected else {}
        yield outcome.get(answer.status, f"HTTP {answer.status} instead of {post.expected}"), seconds, answer.status
    line.close()


@contextmanager
def workers() -> Iterator[None]:
    """Deal with what comes in, on several threads, as long as this is open and until nothing is left."""
    is_over = threading.Event()

    def work() -> None:
        try:
            while True:
                was_over = is_over.is_set()
                if not events.process_due(now=timezone.now(), limit=20).looks:
                    if was_over:
                        return
                    time.sleep(0.01)
        finally:
            connection.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        working = [pool.submit(work) for _ in range(WORKERS)]
        try:
            yield
        finally:
            is_over.set()
        for one in working:
            one.result()


@pytest.fixture
def ports(settings):
    assert settings.PAYMENT_GATEWAYS == ["sandbox"]
    with server.running(None) as found:
        yield found


def test_a_storm_of_webhooks(ports, report):
    """Whatever the order, the books say what they say when each event comes once and in turn."""
    reference = Till()
    assert len(reference.events) == EVENTS * PAYMENTS
    with workers():
        send(ports, [genuine(event, timezone.now()) for event in reference.events], parallel=1)
    seconds = []
    for seed in range(SEEDS):
        till = Till()
        posts = storm(till, seed)
        with workers():
            tally = send(ports, posts)
        report.add(tally, ["refused"], timed=False)
        seconds += tally.seconds
        assert tally.counts == {
            "won": sum(post.expected == 200 for post in posts),
            "refused": sum(post.expected == 400 for post in posts),
        }
        assert till.books() == reference.books()
    assert set(GatewayEvent.objects.values_list("state", flat=True)) == {"processed"}
    assert GatewayEvent.objects.count() == EVENTS * PAYMENTS * (1 + SEEDS)
    report.name += f": p99 {share(seconds, 0.99):.2f} s"


def copies(ports: list[int]) -> Tally:
    """Send one event many times at the same moment."""
    till = Till()
    return send(ports, [genuine(till.events[0], till.now)] * COPIES)


def test_copies_at_the_same_moment_are_one_event(ports, report):
    tally = copies(ports)
    report.add(tally)
    assert tally.counts == {"won": COPIES}
    assert GatewayEvent.objects.count() == 1


@pytest.mark.control
def test_control_copies_without_the_constraint(ports, report):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payments_gatewayevent DROP CONSTRAINT gateway_event_once")
        try:
            report.add(copies(ports), timed=False)
            kept = GatewayEvent.objects.count()
            cursor.execute("TRUNCATE payments_gatewayevent CASCADE")
        finally:
            cursor.execute(
                "ALTER TABLE payments_gatewayevent ADD CONSTRAINT gateway_event_once UNIQUE (gateway, event_id)"
            )
    report.name += f": {kept} rows of one event"
    assert kept > 1
