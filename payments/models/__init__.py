from payments.models.charge import CallKind, Dispute, GatewayCall, GatewayEvent, Payment, PaymentMethod, Refund
from payments.models.expense import Expense, ExpenseCategory
from payments.models.invoice import Invoice, InvoiceKind, InvoiceLine, InvoiceSeries, LineKind
from payments.models.ledger import AccountKind, EntryKind, LedgerAccount, LedgerEntry, LedgerLine
from payments.models.payout import Payout, PayoutAccount, PayoutApproval, PayoutFreeze, PayoutItem
from payments.models.reconciliation import DifferenceKind, ReconciliationDifference, ReconciliationRun
from payments.models.sandbox import (
    SandboxAccount,
    SandboxCharge,
    SandboxDispute,
    SandboxEvent,
    SandboxRefund,
    SandboxTransfer,
)
from payments.models.terms import CommissionRule, PromoCode, PromoRedemption
from payments.states import InvoiceState

__all__ = [
    "AccountKind",
    "CallKind",
    "CommissionRule",
    "DifferenceKind",
    "Dispute",
    "EntryKind",
    "Expense",
    "ExpenseCategory",
    "GatewayCall",
    "GatewayEvent",
    "Invoice",
    "InvoiceKind",
    "InvoiceLine",
    "InvoiceSeries",
    "InvoiceState",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerLine",
    "LineKind",
    "Payment",
    "PaymentMethod",
    "Payout",
    "PayoutAccount",
    "PayoutApproval",
    "PayoutFreeze",
    "PayoutItem",
    "PromoCode",
    "PromoRedemption",
    "ReconciliationDifference",
    "ReconciliationRun",
    "Refund",
    "SandboxAccount",
    "SandboxCharge",
    "SandboxDispute",
    "SandboxEvent",
    "SandboxRefund",
    "SandboxTransfer",
]
