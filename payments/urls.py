"""Pages of the one who pays."""

from django.urls import URLPattern, URLResolver, path

from payments.views import owner, pay

app_name = "payments"
urlpatterns: list[URLPattern | URLResolver] = [
    path("invoices/", owner.invoices, name="list"),
    path("invoices/<uuid:uid>/", owner.invoice, name="detail"),
    path("invoices/<uuid:uid>/pdf/", owner.pdf, name="pdf"),
    path("pay/<uuid:uid>/", pay.pay, name="pay"),
    path("pay/<uuid:uid>/return/", pay.returned, name="return"),
]
