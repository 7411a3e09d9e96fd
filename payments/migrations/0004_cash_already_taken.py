"""Invoices that were paid at the visit before there was a ledger get the payment and the entry that they lack."""

from django.db import migrations
from django.db.models import F


def write_cash(apps, schema_editor):
    Invoice = apps.get_model('payments', 'Invoice')
    Payment = apps.get_model('payments', 'Payment')
    Account = apps.get_model('payments', 'LedgerAccount')
    Entry = apps.get_model('payments', 'LedgerEntry')
    Line = apps.get_model('payments', 'LedgerLine')
    for invoice in Invoice.objects.filter(state='paid', paid_amount=0, total__gt=0).iterator():
        payment = Payment.objects.create(
            invoice=invoice, gateway='cash', method='cash', amount=invoice.total, currency=invoice.currency,
            state='captured', captured_amount=invoice.total, captured_at=invoice.paid_at,
        )
        cash, _ = Account.objects.get_or_create(kind='cash', provider=invoice.provider, currency=invoice.currency)
        funds, _ = Account.objects.get_or_create(kind='customer_funds', provider=None, currency=invoice.currency)
        entry = Entry.objects.create(
            kind='cash', key=f'cash:{payment.uid}', currency=invoice.currency, at=invoice.paid_at, invoice=invoice,
            payment=payment, memo='Paid at the visit, before there was a ledger',
        )
        Line.objects.create(entry=entry, account=cash, amount=invoice.total)
        Line.objects.create(entry=entry, account=funds, amount=-invoice.total)
    Invoice.objects.filter(state='paid').update(paid_amount=F('total'))


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0003_ledger_guards'),
    ]

    operations = [
        migrations.RunPython(write_cash, migrations.RunPython.noop),
    ]
