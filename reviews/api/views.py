"""Reviews over the API."""

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from bookings.models import Booking
from petplace.api.fields import parse_uuid
from petplace.api.idempotency import idempotent
from petplace.api.views import ApiView, GenericViewSet
from petplace.http import caller_of
from providers.models import Provider
from reviews import domain
from reviews.api.serializers import ReviewInputSerializer, ReviewSerializer
from reviews.models import Review


class BookingReviewView(ApiView):
    """The review of one visit: read by both sides, written by its owner, once.

    ``{id}`` is the booking's id or its reference.
    """

    def booking(self, request: Request, id: str) -> Booking:
        uid = parse_uuid(id)
        named = {"uid": uid} if uid else {"reference": id.upper()}
        return get_object_or_404(Booking.objects.visible_to(caller_of(request)), **named)

    @extend_schema(operation_id="booking_review_retrieve", responses=ReviewSerializer)
    def get(self, request: Request, id: str) -> Response:
        """Return the review; 404 while there is none."""
        review = get_object_or_404(Review.objects.with_author(), booking=self.booking(request, id))
        return Response(ReviewSerializer(review).data)

    @extend_schema(
        operation_id="booking_review_create", request=ReviewInputSerializer, responses={201: ReviewSerializer}
    )
    @idempotent
    def post(self, request: Request, id: str) -> Response:
        """Write it: `already_reviewed`, `review_window_closed` or `invalid_transition` (409) say why not."""
        booking = self.booking(request, id)
        form = ReviewInputSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        review = domain.write(booking, by=caller_of(request), **form.validated_data, now=timezone.now())
        written = Review.objects.with_author().get(pk=review.pk)
        return Response(ReviewSerializer(written).data, status=status.HTTP_201_CREATED)


class ProviderReviewsViewSet(mixins.ListModelMixin, GenericViewSet):
    """What owners said of a provider, newest first."""

    permission_classes = [AllowAny]
    serializer_class = ReviewSerializer
    cache_seconds = 60
    queryset = Review.objects.none()

    def get_queryset(self):
        provider = get_object_or_404(Provider.objects.visible_to(caller_of(self.request)), uid=self.kwargs["id"])
        return Review.objects.of(provider).with_author()
