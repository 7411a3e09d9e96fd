"""Pages."""

from django.urls import URLPattern, URLResolver, path

from payments.views import owner

app_name = "payments"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", owner.invoices, name="list"),
    path("<uuid:uid>/", owner.invoice, name="detail"),
]
