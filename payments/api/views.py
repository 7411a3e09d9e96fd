"""Invoices over the API: read only, they follow from bookings."""

from rest_framework import mixins

from payments.api.serializers import InvoiceDetailSerializer, InvoiceSerializer
from payments.models import Invoice, InvoiceState
from petplace.api import params
from petplace.api.views import GenericViewSet
from petplace.http import caller_of


class InvoiceParams(params.Params):
    role = params.Choice(["payer", "provider"], help_text="Only those that you pay, or that your providers wrote.")
    state = params.Choices(InvoiceState.values)


class InvoiceViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """Those that the caller pays, or manages as a provider."""

    params_class = InvoiceParams
    queryset = Invoice.objects.none()

    def get_serializer_class(self):
        return InvoiceSerializer if self.action == "list" else InvoiceDetailSerializer

    def get_queryset(self):
        user = caller_of(self.request)
        found = Invoice.objects.visible_to(user).with_parties()
        if self.action != "list":
            return found.prefetch_related("lines__invoice")
        chosen = self.params()
        if chosen["role"]:
            found = found.paid_by(user) if chosen["role"] == "payer" else found.exclude(payer_id=user.pk)
        return found.filter(state__in=chosen["state"]) if chosen["state"] else found
