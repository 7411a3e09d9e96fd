"""What must be true of invoices."""

from petplace.invariants import register

register(
    "an invoice's total is the sum of its lines",
    """SELECT i.uid, i.total, coalesce(sum(l.amount), 0) FROM payments_invoice i
       LEFT JOIN payments_invoiceline l ON l.invoice_id = i.id
       GROUP BY i.id HAVING i.total <> coalesce(sum(l.amount), 0)""",
)
