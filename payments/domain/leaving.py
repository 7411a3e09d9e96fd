"""What money keeps about someone who closes the account: the figures, not what was written beside them."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q, Sum

from accounts.models import User
from payments.models import Dispute, Expense, GatewayEvent, Payment, Payout, PayoutItem
from payments.models.sandbox import SandboxCharge
from payments.states import OPEN_DISPUTE_STATES, PayoutState
from petplace.errors import DomainError
from providers.domain import leaving
from providers.models import Provider


def refuse_while_money_moves(user: User) -> None:
    """Refuse while a bank decides a dispute, or while a business that would be left by all has money to come."""
    alone = [membership.provider_id for membership in leaving.alone_in_charge(user)]
    theirs = Q(payment__invoice__payer=user) | Q(payment__invoice__provider__in=alone)
    if Dispute.objects.filter(theirs, state__in=OPEN_DISPUTE_STATES).exists():
        raise DomainError("A bank is deciding about a payment. Wait until that is over.", code="open_disputes")
    waiting = PayoutItem.objects.waiting().filter(provider__in=alone).order_by().values("provider", "currency")
    is_owed = waiting.annotate(sum=Sum("amount")).filter(sum__gt=0).exists()
    if is_owed or Payout.objects.filter(provider__in=alone).exclude(state=PayoutState.PAID).exists():
        raise DomainError("Money is on its way to you. Wait until it is paid out.", code="open_payouts")


def forget_payer(user: User, now: datetime) -> None:
    """Blank what gateways told us beside the figures, and what was sent to a bank in a dispute."""
    payments = Payment.objects.filter(invoice__payer=user)
    payments.update(failure_message="", return_url="")
    Dispute.objects.filter(payment__in=payments).update(evidence={})
    GatewayEvent.objects.filter(payment_uid__in=payments.values("uid")).update(payload={})
    SandboxCharge.objects.filter(ref__in=payments.values("ref")).update(description="", metadata={}, request={})


def forget_provider(provider: Provider, now: datetime) -> None:
    """Blank the words of a business's expenses, and delete their receipts."""
    for expense in Expense.objects.filter(provider=provider).exclude(receipt=""):
        name, storage = expense.receipt.name, expense.receipt.storage
        transaction.on_commit(lambda name=name, storage=storage: storage.delete(name), robust=True)  # type: ignore[misc]
    Expense.objects.filter(provider=provider).update(note="", receipt="")
