"""Celery's doors to the money. Published by beat alone; what is due lies in the database."""

import logging

from celery import shared_task
from django.db import DatabaseError
from django.utils import timezone

from payments.domain import calls, charges, events, payouts, reconciliation
from payments.gateways import registry, sandbox_webhooks

logger = logging.getLogger(__name__)


@shared_task
def post_sandbox_events() -> None:
    """Post the sandbox gateway's webhooks that are due. Safe to run twice."""
    try:
        sandbox_webhooks.post_events(now=timezone.now())
    except DatabaseError as error:
        logger.warning("The sandbox's webhooks wait: the database is away (%s).", error)


@shared_task
def probe_gateways() -> None:
    """Ask the gateways that are paused whether they are back, so that no payer has to find out."""
    for name in registry.names():
        registry.probe(name)


@shared_task
def run_calls() -> None:
    """Make the gateway calls that transactions have decided on."""
    outcome = calls.run_due(now=timezone.now())
    if outcome != calls.Outcome():
        logger.info("Gateway calls: %s.", outcome)


@shared_task
def process_events() -> None:
    """Work on what the gateways told us."""
    outcome = events.process_due(now=timezone.now())
    if outcome != events.Outcome():
        logger.info("Gateway events: %s.", outcome)


@shared_task
def sync_stale_payments() -> None:
    """Ask about payments of which nothing was heard for a while: events get lost."""
    charges.sync_stale(now=timezone.now())


@shared_task
def collect_payouts() -> None:
    """Pay out what is due. The transfers are gateway calls."""
    made = payouts.collect_due(now=timezone.now())
    if made:
        logger.info("Payouts: %s made.", len(made))


@shared_task
def reconcile() -> None:
    """Compare the ledger with the gateways' lists."""
    for run in reconciliation.run_daily(now=timezone.now()):
        logger.info("Reconciliation of %s: %s differences. %s", run.gateway, run.difference_count, run.error)
