"""Pages of the provider dashboard that show invoices, under `/provider/`."""

from django.urls import URLPattern, URLResolver, path

from payments.views import promo_codes, provider

urlpatterns: list[URLPattern | URLResolver] = [
    path("<slug:slug>/invoices/", provider.invoices, name="invoices"),
    path("<slug:slug>/invoices/<uuid:uid>/", provider.invoice, name="invoice"),
    path("<slug:slug>/promo-codes/", promo_codes.promo_codes, name="promo_codes"),
    path("<slug:slug>/promo-codes/<uuid:uid>/end/", promo_codes.end_promo_code, name="promo_code_end"),
]
