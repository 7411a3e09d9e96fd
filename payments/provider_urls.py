"""Pages of the provider dashboard that show invoices, under `/provider/`."""

from django.urls import URLPattern, URLResolver, path

from payments.views import provider

urlpatterns: list[URLPattern | URLResolver] = [
    path("<slug:slug>/invoices/", provider.invoices, name="invoices"),
    path("<slug:slug>/invoices/<uuid:uid>/", provider.invoice, name="invoice"),
]
