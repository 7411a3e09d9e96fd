"""Providers and what belongs to them over the API. Each act is one call of the domain."""

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from bookings.api.search import SearchParams, SearchResultSerializer, find_providers
from petplace.api.fields import format_instant
from petplace.api.idempotency import idempotent
from petplace.api.parsers import UploadParser
from petplace.uploads import clean_document, clean_photo
from providers import permissions
from providers.api import serializers as shapes
from providers.api.base import AtProvider, PartViewSet, ReadableByAll, clean_upload, visible_filter
from providers.choices import MembershipRole
from providers.domain import applications, branches, documents, resources, services, team
from providers.models import Membership, Provider, Resource

PRIVATE = {"Cache-Control": "private, no-store"}


def roles_of(user: Any, providers: list[Provider]) -> dict[int, str]:
    """Return the caller's role in each of the providers, by key."""
    if not user.is_authenticated:
        return {}
    rows = Membership.objects.filter(user_id=user.pk, provider__in=providers)
    return dict(rows.values_list("provider_id", "role"))


class ProviderViewSet(AtProvider):
    """Find providers, apply, and the life of an application."""

    permission_classes = [ReadableByAll]
    serializer_class = shapes.ProviderSerializer
    params_class = SearchParams
    provider_kwarg = "id"
    is_public = True
    cache_seconds = 30
    queryset = Provider.objects.all()

    def shown(self, provider: Provider) -> Any:
        loaded = Provider.objects.get(pk=provider.pk)
        context = {"now": self.now, "is_team": self.is_team, "roles": {provider.pk: self.role}}
        return shapes.ProviderSerializer(loaded, context=context).data

    @extend_schema(responses=SearchResultSerializer(many=True))
    def list(self, request: Request) -> Response:
        """Find who near by is free then, at which total."""
        return find_providers(request)

    @extend_schema(request=shapes.ProviderInput, responses={201: shapes.ProviderSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Apply: a draft, whose manager is the caller."""
        provider = applications.start(request.user, now=self.now, **self.read(shapes.ProviderInput))  # type: ignore[arg-type]
        self.kwargs = {"id": provider.uid}
        return Response(self.shown(provider), status=201)

    def retrieve(self, request: Request, id: Any) -> Response:
        """Read a provider: an approved one, or one of your own."""
        return Response(self.shown(self.provider))

    @extend_schema(request=shapes.ProviderInput)
    def partial_update(self, request: Request, id: Any) -> Response:
        """Change the profile (managers)."""
        data = self.read(shapes.ProviderInput, partial=True)
        return Response(self.shown(applications.update(self.provider, by=request.user, now=self.now, **data)))  # type: ignore[arg-type]

    @extend_schema(request=shapes.SubmitInput)
    @action(detail=True, methods=["post"])
    @idempotent
    def submit(self, request: Request, id: Any) -> Response:
        """Hand the application in (managers)."""
        self.read(shapes.SubmitInput)
        return Response(self.shown(applications.submit(self.provider, by=request.user, now=self.now)))  # type: ignore[arg-type]

    def _decide(self, request: Request, act: Callable[..., Provider], form: Any) -> Response:
        provider = self._reviewed(request)
        data = form(data=request.data)
        data.is_valid(raise_exception=True)
        arguments = dict(data.validated_data)
        if "documents" in arguments:
            arguments["seen"] = arguments.pop("documents")
        return Response(self.shown(act(provider, by=request.user, now=self.now, **arguments)))

    def _reviewed(self, request: Request) -> Provider:
        """Return the provider for its reviewer: 404 if the caller cannot see it, 403 if the caller is no staff."""
        found = Provider.objects.visible_to(request.user)
        provider = found.filter(uid=self.kwargs["id"]).first()
        if provider is None:
            raise Http404
        if not permissions.can_review(request.user):
            raise PermissionDenied("Only staff of the platform decide on applications.")
        return provider

    @extend_schema(request=shapes.ApproveInput)
    @action(detail=True, methods=["post"])
    @idempotent
    def approve(self, request: Request, id: Any) -> Response:
        """Approve an application (staff)."""
        return self._decide(request, applications.approve, shapes.ApproveInput)

    @extend_schema(request=shapes.TurnDownInput)
    @action(detail=True, methods=["post"])
    @idempotent
    def reject(self, request: Request, id: Any) -> Response:
        """Turn an application down, with a reason (staff)."""
        return self._decide(request, applications.reject, shapes.TurnDownInput)

    @extend_schema(request=shapes.TurnDownInput)
    @action(detail=True, methods=["post"])
    @idempotent
    def suspend(self, request: Request, id: Any) -> Response:
        """Take an approved provider out of search and booking, with a reason (staff)."""
        return self._decide(request, applications.suspend, shapes.TurnDownInput)

    @extend_schema(request=shapes.ReinstateInput)
    @action(detail=True, methods=["post"])
    @idempotent
    def reinstate(self, request: Request, id: Any) -> Response:
        """End a suspension (staff)."""
        return self._decide(request, applications.reinstate, shapes.ReinstateInput)


class _ProviderListViewSet(AtProvider):
    """Lists of whole providers that the caller is something to."""

    serializer_class = shapes.ProviderSerializer

    def found(self) -> Any:
        raise NotImplementedError

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.found()) or []
        context = {"now": self.now, "is_team": True, "roles": roles_of(request.user, page)}
        return self.get_paginated_response(shapes.ProviderSerializer(page, many=True, context=context).data)


class OwnProviderViewSet(_ProviderListViewSet):
    def found(self) -> Any:
        return Provider.objects.run_by(self.request.user).order_by("name", "pk")  # type: ignore[arg-type]

    @extend_schema(responses=shapes.ProviderSerializer(many=True))
    def list(self, request: Request) -> Response:
        """List the providers in whose team the caller is, in any state."""
        return super().list(request)


class WaitingViewSet(_ProviderListViewSet):
    def found(self) -> Any:
        return Provider.objects.waiting()

    @extend_schema(responses=shapes.ProviderSerializer(many=True))
    def list(self, request: Request) -> Response:
        """List the applications that wait for a decision, the oldest first (staff)."""
        if not permissions.can_review(request.user):
            raise PermissionDenied("Only staff of the platform see the applications.")
        return super().list(request)


@extend_schema_view(
    create=extend_schema(request=shapes.BranchInput, responses={201: shapes.BranchSerializer}),
    partial_update=extend_schema(request=shapes.BranchChange),
    destroy=extend_schema(responses={200: shapes.BranchSerializer, 204: None}),
)
class BranchViewSet(PartViewSet):
    """The places of a provider."""

    permission_classes = [ReadableByAll]
    serializer_class = shapes.BranchSerializer
    input_class, change_class = shapes.BranchInput, shapes.BranchChange
    is_public = True
    cache_seconds = 30

    def rows(self) -> Any:
        return self.provider.branches.filter(visible_filter(self.is_team))

    def add(self, data: dict[str, Any]) -> Any:
        return branches.create(self.provider, now=self.now, **data)

    def change(self, row: Any, data: dict[str, Any]) -> Any:
        return branches.update(row, by=self.request.user, now=self.now, **data)  # type: ignore[arg-type]

    def drop(self, row: Any) -> Any:
        return branches.remove(row, now=self.now)


@extend_schema_view(
    create=extend_schema(request=shapes.ResourceInput, responses={201: shapes.ResourceSerializer}),
    partial_update=extend_schema(request=shapes.ResourceChange),
    destroy=extend_schema(responses={200: shapes.ResourceSerializer, 204: None}),
)
class ResourceViewSet(PartViewSet):
    """People and things that can be booked, one booking at a time."""

    permission_classes = [ReadableByAll]
    serializer_class = shapes.ResourceSerializer
    input_class, change_class = shapes.ResourceInput, shapes.ResourceChange
    is_public = True
    cache_seconds = 30

    def rows(self) -> Any:
        found = Resource.objects.filter(visible_filter(self.is_team), branch__provider_id=self.provider.pk)
        return found.select_related("branch")

    def add(self, data: dict[str, Any]) -> Any:
        return resources.create(now=self.now, **data)

    def change(self, row: Any, data: dict[str, Any]) -> Any:
        return resources.update(row, **data)

    def drop(self, row: Any) -> Any:
        return resources.remove(row)


@extend_schema_view(
    create=extend_schema(request=shapes.ServiceInput, responses={201: shapes.ServiceSerializer}),
    partial_update=extend_schema(request=shapes.ServiceInput),
    destroy=extend_schema(responses={200: shapes.ServiceSerializer, 204: None}),
)
class ServiceViewSet(PartViewSet):
    """What is sold."""

    permission_classes = [ReadableByAll]
    serializer_class = shapes.ServiceSerializer
    input_class = change_class = shapes.ServiceInput
    is_public = True
    cache_seconds = 30

    def rows(self) -> Any:
        found = self.provider.services.all() if self.is_team else self.provider.services.active()
        return found.select_related("branch", "provider").prefetch_related("addons")

    def shown(self, row: Any) -> Any:
        return self._with_problems([self.rows().get(pk=row.pk)])[0]

    def _with_problems(self, rows: list[Any]) -> Any:
        context = self.get_serializer_context()
        if self.is_team:
            context["problems"] = services.problems_of(rows)
        return shapes.ServiceSerializer(rows, many=True, context=context).data

    def list(self, request: Request, provider_id: Any) -> Response:
        """List them."""
        return self.get_paginated_response(self._with_problems(self.paginate_queryset(self.rows()) or []))

    def retrieve(self, request: Request, provider_id: Any, id: Any) -> Response:
        """Read one."""
        return Response(self._with_problems([self.get_object()])[0])

    def add(self, data: dict[str, Any]) -> Any:
        return services.create(self.provider, now=self.now, **data)

    def change(self, row: Any, data: dict[str, Any]) -> Any:
        return services.update(row, now=self.now, **data)

    def drop(self, row: Any) -> Any:
        return services.remove(row, now=self.now)


@extend_schema_view(
    create=extend_schema(request=shapes.MemberInput, responses={201: shapes.MemberSerializer}),
    partial_update=extend_schema(request=shapes.MemberChange),
    destroy=extend_schema(responses={204: None}),
)
class MemberViewSet(PartViewSet):
    """Who works for the provider. Seen by the team, changed by managers."""

    serializer_class = shapes.MemberSerializer
    input_class, change_class = shapes.MemberInput, shapes.MemberChange

    def rows(self) -> Any:
        return self.provider.memberships.select_related("user")

    def add(self, data: dict[str, Any]) -> Any:
        return team.add(self.provider, by=self.request.user, **data)  # type: ignore[arg-type]

    def change(self, row: Any, data: dict[str, Any]) -> Any:
        role = data.get("role", row.role)
        return team.change_role(row, role=role, by=self.request.user, now=self.now)  # type: ignore[arg-type]

    def drop(self, row: Any) -> Any:
        return team.remove(row, by=self.request.user, now=self.now)  # type: ignore[arg-type]


@extend_schema_view(
    create=extend_schema(
        request={"multipart/form-data": shapes.DocumentInput}, responses={201: shapes.DocumentSerializer}
    ),
    partial_update=extend_schema(request=shapes.DocumentChange),
    destroy=extend_schema(responses={204: None}),
)
class DocumentViewSet(PartViewSet):
    """Papers for the approval: for managers, and for staff of the platform to read and check."""

    serializer_class = shapes.DocumentSerializer
    input_class, change_class = shapes.DocumentInput, shapes.DocumentChange

    def get_parsers(self) -> Any:
        takes_files = self.action_map and self.action_map.get("post") == "create" and self._is_post()
        return [UploadParser()] if takes_files else super().get_parsers()

    def _is_post(self) -> bool:
        request: Any = getattr(self, "request", None)
        return request is not None and request.method == "POST"

    def rows(self) -> Any:
        provider = self.provider
        if not (permissions.can_check(self.request.user) or self.role == MembershipRole.MANAGER):
            raise PermissionDenied("Only managers see the documents.")
        return provider.documents.all()

    def add(self, data: dict[str, Any]) -> Any:
        data["file"] = clean_upload("file", clean_document, data["file"])
        return documents.add(self.provider, by=self.request.user, now=self.now, **data)  # type: ignore[arg-type]

    def change(self, row: Any, data: dict[str, Any]) -> Any:
        return documents.annotate(row, note=data.get("note", row.note))

    def drop(self, row: Any) -> Any:
        return documents.remove(row)

    @extend_schema(responses={302: OpenApiResponse(description="`Location` is the address of the paper.")})
    @action(detail=True, methods=["get"])
    def file(self, request: Request, provider_id: Any, id: Any) -> HttpResponse:
        """Be led to the paper itself, by the same address as `link` gives. Who looks is written down."""
        return HttpResponseRedirect(self._address_of(self.get_object()), headers=PRIVATE)

    @extend_schema(responses=shapes.DocumentLinkSerializer)
    @action(detail=True, methods=["get"])
    def link(self, request: Request, provider_id: Any, id: Any) -> Response:
        """Get an address of the paper that a browser opens: yours, for five minutes."""
        url = self._address_of(self.get_object())
        return Response({"url": url, "expires_at": format_instant(self.now + documents.LINK_LIFE)}, headers=PRIVATE)

    def _address_of(self, row: Any) -> str:
        token = documents.link_token(row, user=self.request.user, needs_session=False)  # type: ignore[arg-type]
        return self.request.build_absolute_uri(reverse("provider:document_open", args=[token]))

    @extend_schema(request=shapes.DocumentCheckInput)
    @action(detail=True, methods=["post"])
    @idempotent
    def check(self, request: Request, provider_id: Any, id: Any) -> Response:
        """Record that you looked at it and took it or not (staff)."""
        row = self.get_object()
        data = shapes.DocumentCheckInput(data=request.data)
        data.is_valid(raise_exception=True)
        given = dict(data.validated_data)
        is_accepted = given.pop("accepted")
        checked = documents.check(row, by=request.user, is_accepted=is_accepted, now=self.now, **given)  # type: ignore[arg-type]
        return Response(self.get_serializer(checked).data)

    def check_writer(self) -> None:
        if self.action == "check":
            if not permissions.can_check(self.request.user):
                raise PermissionDenied("Only staff of the platform check documents.")
            return
        super().check_writer()


@extend_schema_view(
    create=extend_schema(request={"multipart/form-data": shapes.PhotoInput}, responses={201: shapes.PhotoSerializer}),
    destroy=extend_schema(responses={204: None}),
)
class PhotoViewSet(PartViewSet):
    """Pictures on the profile."""

    permission_classes = [ReadableByAll]
    parser_classes = [UploadParser]
    serializer_class = shapes.PhotoSerializer
    input_class = shapes.PhotoInput
    is_public = True
    cache_seconds = 30
    http_method_names = ["get", "post", "delete", "head"]

    def rows(self) -> Any:
        return self.provider.photos.all()

    def add(self, data: dict[str, Any]) -> Any:
        image = clean_upload("image", clean_photo, data["image"])
        return documents.add_photo(self.provider, image, caption=data["caption"])

    def drop(self, row: Any) -> Any:
        return documents.remove_photo(row)


class AvatarViewSet(AtProvider):
    """The picture or logo of a provider; the provider's ``photo_url`` says where it is."""

    parser_classes = [UploadParser]
    serializer_class = shapes.AvatarInput

    @extend_schema(request={"multipart/form-data": shapes.AvatarInput}, responses={204: None})
    def update(self, request: Request, provider_id: Any) -> Response:
        """Set it (managers)."""
        image = clean_upload("image", clean_photo, self.read(shapes.AvatarInput)["image"])
        documents.set_avatar(self.provider, image)
        return Response(status=204)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, provider_id: Any) -> Response:
        """Take it away (managers)."""
        documents.set_avatar(self.provider, None)
        return Response(status=204)


class EventViewSet(AtProvider):
    """The history of an application, for the team and for staff of the platform."""

    serializer_class = shapes.ProviderEventSerializer

    @extend_schema(responses=shapes.ProviderEventSerializer(many=True))
    def list(self, request: Request, provider_id: Any) -> Response:
        """List what happened, the oldest first."""
        page = self.paginate_queryset(self.provider.events.all())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)
