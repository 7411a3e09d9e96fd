"""Paths of the REST API under `/api/v1/`."""

from rest_framework.routers import SimpleRouter

from payments.api import views

router = SimpleRouter(use_regex_path=False)
router.register("invoices", views.InvoiceViewSet, basename="api-invoice")
urlpatterns = router.urls
