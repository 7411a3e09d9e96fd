"""What must be true of money."""

from petplace.invariants import register

register(
    "an invoice's total is the sum of its lines",
    """SELECT i.uid, i.total, coalesce(sum(l.amount), 0) FROM payments_invoice i
       LEFT JOIN payments_invoiceline l ON l.invoice_id = i.id
       GROUP BY i.id HAVING i.total <> coalesce(sum(l.amount), 0)""",
)
register(
    "an invoice's credit is the sum of its credit notes",
    """SELECT i.uid, i.credited_amount, coalesce(sum(n.total), 0) FROM payments_invoice i
       LEFT JOIN payments_invoice n ON n.credits_id = i.id
       GROUP BY i.id HAVING i.credited_amount <> coalesce(sum(n.total), 0)""",
)
register(
    "numbers of invoices have no gap",
    """SELECT s.provider_id, s.year, s.next - 1 AS given, count(i.id) FROM payments_invoiceseries s
       LEFT JOIN payments_invoice i ON i.provider_id = s.provider_id AND i.number LIKE s.year || '-%'
       GROUP BY s.id HAVING count(i.id) <> s.next - 1
           OR coalesce(max(split_part(i.number, '-', 2)::int), 0) <> s.next - 1""",
)
register(
    "the ledger sums to zero in each currency",
    """SELECT e.currency, sum(l.amount) FROM payments_ledgerline l JOIN payments_ledgerentry e ON e.id = l.entry_id
       GROUP BY e.currency HAVING sum(l.amount) <> 0""",
)
register(
    "each ledger entry sums to zero and keeps to its currency",
    """SELECT e.key, sum(l.amount), count(*) FROM payments_ledgerentry e
       JOIN payments_ledgerline l ON l.entry_id = e.id JOIN payments_ledgeraccount a ON a.id = l.account_id
       GROUP BY e.id HAVING sum(l.amount) <> 0 OR count(*) < 2 OR bool_or(a.currency <> e.currency)""",
)
register(
    "each payment that was taken stands in the ledger once, with its amount",
    """SELECT p.uid, p.captured_amount, count(e.id) FROM payments_payment p
       LEFT JOIN payments_ledgerentry e ON e.payment_id = p.id AND e.kind IN ('capture', 'cash')
       LEFT JOIN LATERAL (SELECT sum(amount) AS amount FROM payments_ledgerline
                          WHERE entry_id = e.id AND amount > 0) taken ON true
       WHERE p.state = 'captured' OR e.id IS NOT NULL
       GROUP BY p.id HAVING count(e.id) <> 1 OR max(taken.amount) <> p.captured_amount""",
)
register(
    "each refund stands in the ledger once, and once more reversed if it failed",
    """SELECT r.uid, r.state, count(e.id) FROM payments_refund r
       LEFT JOIN payments_ledgerentry e ON e.refund_id = r.id
       GROUP BY r.id
       HAVING count(e.id) FILTER (WHERE e.kind = 'refund') > 1
           OR (r.state <> 'failed' AND count(e.id) <> 1)
           OR (r.state = 'failed' AND count(e.id) NOT IN (0, 2))""",
)
register(
    "no payment gives back more than it took",
    """SELECT p.uid, p.captured_amount, p.refunded_amount, coalesce(sum(r.amount), 0) FROM payments_payment p
       LEFT JOIN payments_refund r ON r.payment_id = p.id AND r.state <> 'failed'
       GROUP BY p.id
       HAVING coalesce(sum(r.amount), 0) > p.captured_amount OR coalesce(sum(r.amount), 0) <> p.refunded_amount""",
)
# Captured and cash, less refunds and lost disputes. Sums are made once for all invoices and joined: asked for each of
# them, a plan that misjudges the tables reads every line of an account again and again.
NETS = """SELECT i.id, i.uid, i.state, i.total, i.credited_amount, i.paid_amount,
                 coalesce(root.earned_at, i.earned_at) IS NOT NULL AS is_earned,
                 CASE WHEN i.state = 'void' THEN 0 ELSE i.total - i.credited_amount END AS claim,
                 coalesce(paid.amount, 0) - coalesce(lost.amount, 0) AS net
          FROM payments_invoice i LEFT JOIN payments_invoice root ON root.id = i.parent_id
          LEFT JOIN (SELECT invoice_id, sum(captured_amount - refunded_amount) AS amount FROM payments_payment
                     GROUP BY invoice_id) paid ON paid.invoice_id = i.id
          LEFT JOIN (SELECT p.invoice_id, sum(d.amount) AS amount FROM payments_dispute d
                     JOIN payments_payment p ON p.id = d.payment_id WHERE d.state = 'lost'
                     GROUP BY p.invoice_id) lost ON lost.invoice_id = i.id
          WHERE i.kind <> 'credit_note'"""
FUNDS = """SELECT e.invoice_id, -sum(l.amount) AS amount FROM payments_ledgerline l
           JOIN payments_ledgerentry e ON e.id = l.entry_id JOIN payments_ledgeraccount a ON a.id = l.account_id
           WHERE a.kind = 'customer_funds' GROUP BY e.invoice_id"""
register(
    "an invoice's paid amount is what its payments say",
    f"SELECT n.uid, n.paid_amount, n.net FROM ({NETS}) n WHERE n.paid_amount <> greatest(n.net, 0)",
)
register(
    "of an earned invoice nothing but an overpayment is left in the customers' funds, of another all that was paid",
    f"""SELECT n.uid, n.is_earned, n.net, n.claim, coalesce(funds.amount, 0) AS funds
        FROM ({NETS}) n LEFT JOIN ({FUNDS}) funds ON funds.invoice_id = n.id
        WHERE coalesce(funds.amount, 0)
              <> CASE WHEN n.is_earned THEN greatest(n.net - n.claim, 0) ELSE greatest(n.net, 0) END""",
)
register(
    "a paid invoice has nothing outstanding, an open one has",
    f"""SELECT n.uid, n.state, n.claim, n.paid_amount FROM ({NETS}) n
        WHERE (n.state = 'paid' AND n.paid_amount < n.claim)
           OR (n.state = 'open' AND n.claim > 0 AND n.paid_amount >= n.claim)""",
)
register(
    "what providers are owed is what their payout items say",
    """SELECT sides.provider_id, sides.currency, sides.owed, coalesce(items.amount, 0)
       FROM (SELECT a.provider_id, a.currency, -sum(l.amount) AS owed FROM payments_ledgerline l
             JOIN payments_ledgerentry e ON e.id = l.entry_id JOIN payments_ledgeraccount a ON a.id = l.account_id
             LEFT JOIN payments_invoice i ON i.id = e.invoice_id
             LEFT JOIN payments_invoice root ON root.id = i.parent_id
             WHERE a.kind IN ('provider_payable', 'tax_payable', 'tips_payable', 'cash')
               AND (e.kind = 'payout' OR coalesce(root.earned_at, i.earned_at) IS NOT NULL)
             GROUP BY a.provider_id, a.currency) sides
       LEFT JOIN (SELECT provider_id, currency, sum(amount) AS amount FROM payments_payoutitem
                  WHERE payout_id IS NULL GROUP BY provider_id, currency) items
         ON items.provider_id = sides.provider_id AND items.currency = sides.currency
       WHERE sides.owed <> coalesce(items.amount, 0)""",
)
register(
    "a payout is the sum of its items, and stands in the ledger once",
    """SELECT p.uid, p.amount, sum(i.amount) FROM payments_payout p
       LEFT JOIN payments_payoutitem i ON i.payout_id = p.id
       GROUP BY p.id HAVING p.amount <> coalesce(sum(i.amount), 0)
           OR (SELECT count(*) FROM payments_ledgerentry e WHERE e.payout_id = p.id AND e.kind = 'payout') <> 1
           OR (SELECT count(*) FROM payments_ledgerentry e WHERE e.payout_id = p.id AND e.kind = 'payout_paid')
              <> (p.state = 'paid')::int""",
)
register(
    "a large payout is sent only when two people approved it",
    """SELECT p.uid, p.state, p.approvals_needed FROM payments_payout p
       WHERE (SELECT count(*) FROM payments_payoutapproval a WHERE a.payout_id = p.id) < p.approvals_needed
         AND (p.state <> 'to_approve' OR EXISTS (SELECT FROM payments_gatewaycall c WHERE c.payout_id = p.id))""",
)
register(
    "a promo code is used as often as it says, and never too often",
    """SELECT c.code, c.used_count, c.max_uses, count(r.id) FROM payments_promocode c
       LEFT JOIN payments_promoredemption r ON r.promo_id = c.id AND r.released_at IS NULL
       GROUP BY c.id HAVING c.used_count <> count(r.id) OR count(r.id) > coalesce(c.max_uses, count(r.id))""",
)
register(
    "nobody uses a promo code more often than one person may",
    """SELECT c.code, r.user_id, count(*) FROM payments_promocode c
       JOIN payments_promoredemption r ON r.promo_id = c.id AND r.released_at IS NULL
       WHERE c.max_uses_per_person IS NOT NULL
       GROUP BY c.id, r.user_id HAVING count(*) > c.max_uses_per_person""",
)
register(
    "gateway calls and events do not lie about for an hour after their time",
    """SELECT key, due_at FROM payments_gatewaycall WHERE state = 'waiting' AND due_at < now() - interval '1 hour'
       UNION ALL
       SELECT event_id, due_at FROM payments_gatewayevent
       WHERE state IN ('new', 'failed') AND due_at < now() - interval '1 hour'""",
)
