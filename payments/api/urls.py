"""Paths of the REST API under `/api/v1/`."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from payments.api import promo_codes, views, webhooks

router = SimpleRouter(use_regex_path=False)
router.register("invoices", views.InvoiceViewSet, basename="api-invoice")
router.register("providers/<uuid:provider_id>/promo-codes", promo_codes.PromoCodeViewSet, basename="promo-code")
urlpatterns = [*router.urls, path("webhooks/<slug:gateway>/", webhooks.receive, name="api-webhook")]
