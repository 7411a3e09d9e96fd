"""Pages of the provider dashboard about money, under `/provider/`."""

from django.urls import URLPattern, URLResolver, path

from payments.views import expenses, finance, payouts, promo_codes, provider

urlpatterns: list[URLPattern | URLResolver] = [
    path("<slug:slug>/invoices/", provider.invoices, name="invoices"),
    path("<slug:slug>/invoices/<uuid:uid>/", provider.invoice, name="invoice"),
    path("<slug:slug>/promo-codes/", promo_codes.promo_codes, name="promo_codes"),
    path("<slug:slug>/promo-codes/<uuid:uid>/end/", promo_codes.end_promo_code, name="promo_code_end"),
    path("<slug:slug>/invoices/<uuid:uid>/pdf/", provider.pdf, name="invoice_pdf"),
    path("<slug:slug>/invoices/<uuid:uid>/cash/", provider.cash, name="invoice_cash"),
    path("<slug:slug>/finance/", finance.finance, name="finance"),
    path("<slug:slug>/finance/csv/", finance.csv, name="finance_csv"),
    path("<slug:slug>/finance/receivables/", finance.receivables, name="receivables"),
    path("<slug:slug>/payouts/", payouts.payouts, name="payouts"),
    path("<slug:slug>/payouts/set-up/", payouts.set_up, name="payouts_set_up"),
    path("<slug:slug>/payouts/back/", payouts.back, name="payouts_back"),
    path("<slug:slug>/expenses/", expenses.expenses, name="expenses"),
    path("<slug:slug>/expenses/<uuid:uid>/", expenses.expense, name="expense"),
    path("<slug:slug>/expenses/<uuid:uid>/remove/", expenses.remove, name="expense_remove"),
    path("<slug:slug>/expenses/<uuid:uid>/receipt/", expenses.receipt, name="expense_receipt"),
]
