"""Paths of the REST API under `/api/v1/`."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from payments.api import finance, promo_codes, views, webhooks

UNDER = "providers/<uuid:provider_id>/finance"
router = SimpleRouter(use_regex_path=False)
router.register("invoices", views.InvoiceViewSet, basename="api-invoice")
router.register("providers/<uuid:provider_id>/promo-codes", promo_codes.PromoCodeViewSet, basename="promo-code")
router.register(f"{UNDER}/expenses", finance.ExpenseViewSet, basename="api-expense")
urlpatterns = [
    *router.urls,
    path(f"{UNDER}/summary/", finance.SummaryView.as_view({"get": "retrieve"}), name="api-finance-summary"),
    path(f"{UNDER}/payouts/", finance.PayoutViewSet.as_view({"get": "list"}), name="api-payout-list"),
    path(
        f"{UNDER}/expenses/<uuid:id>/receipt/",
        finance.ReceiptViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
        name="api-expense-receipt",
    ),
    path("webhooks/<slug:gateway>/", webhooks.receive, name="api-webhook"),
]
