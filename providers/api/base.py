"""What the endpoints under a provider have in common."""

from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import Q
from django.http import Http404
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.domain import second_factor
from petplace.api.idempotency import idempotent
from petplace.api.views import GenericViewSet
from petplace.http import caller_of
from petplace.roles import Right, TeamRight, may, team_may
from providers.models import Membership, Provider


class ReadableByAll(BasePermission):
    """Anyone may read what is public; writing takes a sign-in."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.method in SAFE_METHODS or bool(request.user and request.user.is_authenticated)


class AtProvider(GenericViewSet):
    """Find the provider in the path for this caller, and say what the caller is there.

    Reading: the public ones if ``is_public``, else those of the caller's teams (and all, for staff of the platform).
    Writing: those of the caller's teams, else 404; and it takes a manager, else 403.
    """

    is_public: ClassVar[bool] = False
    provider_kwarg = "provider_id"

    @cached_property
    def now(self) -> datetime:
        return timezone.now()

    @cached_property
    def role(self) -> str | None:
        """The caller's role in the provider's team."""
        if not self.request.user.is_authenticated:
            return None
        rows = Membership.objects.filter(provider__uid=self.kwargs[self.provider_kwarg], user_id=self.request.user.pk)
        return rows.values_list("role", flat=True).first()

    @property
    def is_team(self) -> bool:
        """Whether the caller sees what is not public: the team, and staff of the platform."""
        return self.role is not None or may(self.request.user, Right.READ)

    @cached_property
    def provider(self) -> Provider:
        provider = Provider.objects.filter(uid=self.kwargs[self.provider_kwarg]).first()
        if provider is None:
            raise Http404
        is_reading = self.request.method in SAFE_METHODS
        if not (self.is_team or (is_reading and self.is_public and provider.is_public)):
            raise Http404
        if not is_reading:
            self.check_writer()
        if self.role is not None and not (is_reading and self.is_public):
            second_factor.demand(caller_of(self.request), now=self.now)
        return provider

    def check_writer(self) -> None:
        if self.role is None:
            raise PermissionDenied("Only the provider's own managers may do this.")
        if not team_may(self.role, TeamRight.MANAGE):
            raise PermissionDenied("Only managers may do this.")

    def get_serializer_context(self) -> dict[str, Any]:
        context = {**super().get_serializer_context(), "now": self.now}
        if self.kwargs:
            context |= {"provider": self.provider, "is_team": self.is_team}
        return context

    def read(self, form: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the checked input, or raise 400."""
        checked = form(data=self.request.data, context=self.get_serializer_context(), **kwargs)
        checked.is_valid(raise_exception=True)
        return dict(checked.validated_data)


def clean_upload(field: str, clean: Any, file: Any) -> Any:
    """Return the cleaned file, or raise 400 that names ``field``."""
    try:
        return clean(file)
    except DjangoValidationError as error:
        raise ValidationError({field: list(error.messages)}) from error


class PartViewSet(AtProvider):
    """Rows of one kind under a provider: list, add, read, change, remove. The hooks are one domain call each."""

    input_class: ClassVar[Any]
    change_class: ClassVar[Any]

    def rows(self) -> Any:
        """Return the rows that the caller may see."""
        raise NotImplementedError

    def add(self, data: dict[str, Any]) -> Any:
        raise NotImplementedError

    def change(self, row: Any, data: dict[str, Any]) -> Any:
        raise NotImplementedError

    def drop(self, row: Any) -> Any:
        """Remove ``row``; return it when it was only switched off."""
        raise NotImplementedError

    def get_queryset(self) -> Any:
        return self.rows()

    def shown(self, row: Any) -> Any:
        return self.get_serializer(self.rows().get(pk=row.pk)).data

    def list(self, request: Request, provider_id: Any) -> Response:
        """List them."""
        page = self.paginate_queryset(self.rows())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @idempotent
    def create(self, request: Request, provider_id: Any) -> Response:
        """Add one (managers)."""
        row = self.add(self.read(self.input_class))
        return Response(self.shown(row), status=201)

    def retrieve(self, request: Request, provider_id: Any, id: Any) -> Response:
        """Read one."""
        return Response(self.get_serializer(self.get_object()).data)

    def partial_update(self, request: Request, provider_id: Any, id: Any) -> Response:
        """Change one (managers). What is left out stays."""
        row = self.get_object()
        return Response(self.shown(self.change(row, self.read(self.change_class, partial=True))))

    def destroy(self, request: Request, provider_id: Any, id: Any) -> Response:
        """Remove one (managers). What has a history is switched off instead and answered."""
        kept = self.drop(self.get_object())
        return Response(status=204) if kept is None else Response(self.shown(kept))


def visible_filter(is_team: bool) -> Q:
    """Return the filter of active rows for the public, of all rows for the team."""
    return Q() if is_team else Q(is_active=True)
