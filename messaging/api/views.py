"""Notifications over the API."""

from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from messaging import domain
from messaging.api.serializers import NotificationSerializer, ReadCountSerializer
from messaging.models import Notification
from petplace.api import params
from petplace.api.pagination import CursorPagination
from petplace.api.views import GenericViewSet
from petplace.http import caller_of


class NotificationParams(params.Params):
    unread = params.Boolean(help_text="True: only those not read yet; false: only those read.")


class NotificationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """What the caller was told, newest first."""

    params_class = NotificationParams
    serializer_class = NotificationSerializer
    pagination_class = CursorPagination
    cursor_field = "due_at"
    queryset = Notification.objects.none()

    def get_queryset(self):
        found = Notification.objects.visible_to(caller_of(self.request), now=timezone.now())
        unread = self.params()["unread"] if self.action == "list" else None
        return found if unread is None else found.filter(read_at__isnull=unread)

    @extend_schema(request=None)
    def read(self, request: Request, id: UUID) -> Response:
        """Mark one as read; the first time counts."""
        notification = domain.read(self.get_object(), now=timezone.now())
        return Response(self.get_serializer(notification).data)

    @extend_schema(request=None, responses=ReadCountSerializer)
    def read_all(self, request: Request) -> Response:
        """Mark all as read."""
        return Response({"read": domain.read_all(caller_of(request), now=timezone.now())})
