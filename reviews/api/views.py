"""Reviews over the API."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from bookings.models import Booking
from petplace.api.fields import parse_uuid
from petplace.api.idempotency import idempotent
from petplace.api.views import ApiView, GenericViewSet
from petplace.errors import NotAllowed
from petplace.http import caller_of
from petplace.roles import Right, may
from providers.models import Provider
from providers.permissions import can_work_for
from reviews import permissions
from reviews.api import serializers
from reviews.choices import ReviewSide
from reviews.domain import moderation, replies, writing
from reviews.models import LateCancellation, Review


def _booking(user: User, id: str) -> Booking:
    """Return a booking that the caller sees, by id or reference."""
    uid = parse_uuid(id)
    named: dict[str, Any] = {"uid": uid} if uid else {"reference": id.upper()}
    return get_object_or_404(Booking.objects.visible_to(user).select_related("provider", "owner"), **named)


def _shown_review(user: User, uid: UUID) -> Review:
    review = get_object_or_404(Review.objects.with_author().select_related("booking__owner"), uid=uid)
    if not (review.is_shown and permissions.can_see(user, review)):
        raise Http404
    return review


class BookingReviewView(ApiView):
    """The caller's own side's review of a visit: the owner's of the provider, or the provider's of the owner.

    ``{id}`` is the booking's id or its reference.
    """

    @extend_schema(operation_id="booking_review_retrieve", responses=serializers.ReviewSerializer)
    def get(self, request: Request, id: str) -> Response:
        """Return what the caller's side wrote; 404 while it has not. Staff reads the owner's."""
        booking = _booking(caller_of(request), id)
        side = permissions.side_of(caller_of(request), booking) or ReviewSide.OWNER
        review = get_object_or_404(Review.objects.with_author(), booking=booking, side=side)
        return Response(serializers.ReviewSerializer(review).data)

    @extend_schema(
        operation_id="booking_review_create",
        request=serializers.ReviewInputSerializer,
        responses={201: serializers.ReviewSerializer},
    )
    @idempotent
    def post(self, request: Request, id: str) -> Response:
        """Write it. Nobody else sees it until the other side wrote, too, or 14 days after the visit.

        `already_reviewed`, `review_window_closed` or `invalid_transition` (409) say why not.
        """
        booking = _booking(caller_of(request), id)
        form = serializers.ReviewInputSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        review = writing.write(booking, by=caller_of(request), **form.validated_data, now=timezone.now())
        written = Review.objects.with_author().get(pk=review.pk)
        return Response(serializers.ReviewSerializer(written).data, status=status.HTTP_201_CREATED)


class OwnerReviewsViewSet(mixins.ListModelMixin, GenericViewSet):
    """What providers said of the owner of a booking, newest first: for the booking's provider alone."""

    serializer_class = serializers.ReviewSerializer
    queryset = Review.objects.none()

    def get_queryset(self) -> "QuerySet[Review]":
        user = caller_of(self.request)
        booking = _booking(user, self.kwargs["id"])
        if not (may(user, Right.READ) or can_work_for(user, booking.provider)):
            raise NotAllowed("What providers write about owners is for providers.")
        return Review.objects.about(booking.owner).shown().with_author()


class ReplyView(ApiView):
    @extend_schema(
        operation_id="review_reply_create",
        request=serializers.ReplyInputSerializer,
        responses={201: serializers.ReviewSerializer},
    )
    @idempotent
    def post(self, request: Request, id: UUID) -> Response:
        """Answer a review in public, once, as a manager of the provider. 409 `already_replied`."""
        review = _shown_review(caller_of(request), id)
        form = serializers.ReplyInputSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        replies.reply(review, by=caller_of(request), **form.validated_data, now=timezone.now())
        answered = Review.objects.with_author().get(pk=review.pk)
        return Response(serializers.ReviewSerializer(answered).data, status=status.HTTP_201_CREATED)


class FlagView(ApiView):
    @extend_schema(
        operation_id="review_flag_create",
        request=serializers.FlagInputSerializer,
        responses={201: serializers.FlagSerializer},
    )
    @idempotent
    def post(self, request: Request, id: UUID) -> Response:
        """Ask Pet Place to look at a review or its reply. 409 `already_flagged`, `too_many_flags`."""
        review = _shown_review(caller_of(request), id)
        form = serializers.FlagInputSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        flag = moderation.flag(review, by=caller_of(request), **form.validated_data, now=timezone.now())
        return Response(serializers.FlagSerializer(flag).data, status=status.HTTP_201_CREATED)


class _OfProviderViewSet(mixins.ListModelMixin, GenericViewSet):
    permission_classes = [AllowAny]
    cache_seconds = 60

    def provider(self) -> Provider:
        return get_object_or_404(Provider.objects.visible_to(caller_of(self.request)), uid=self.kwargs["id"])


class ProviderReviewsViewSet(_OfProviderViewSet):
    """What owners said of a provider, newest first."""

    serializer_class = serializers.ReviewSerializer
    queryset = Review.objects.none()

    def get_queryset(self) -> "QuerySet[Review]":
        return Review.objects.of(self.provider()).shown().with_author()


class LateCancellationsViewSet(_OfProviderViewSet):
    """Confirmed visits that the provider called off five days or less before their start, newest first."""

    serializer_class = serializers.LateCancellationSerializer
    queryset = LateCancellation.objects.none()

    def get_queryset(self) -> "QuerySet[LateCancellation]":
        return LateCancellation.objects.of(self.provider()).shown()
