"""Pets over the API: the owner's to write; a provider that cares for the pet may read."""

from datetime import date
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from messaging.texts import zone_of
from petplace.api import params
from petplace.api.idempotency import idempotent
from petplace.api.parsers import UploadParser
from petplace.api.schema import FILE_ANSWER
from petplace.api.views import ApiView, GenericViewSet
from petplace.http import caller_of
from petplace.uploads import clean_document, clean_photo, private_response
from pets import domain, permissions
from pets.api import serializers
from pets.models import CareRecord, Pet, Vaccination
from pets.views.access import visible_pet


def today_of(request: Request) -> date:
    """Return the caller's local date: what is "in the past" is theirs to say."""
    return timezone.localdate(timezone=zone_of(caller_of(request)))


def pet_for(request: Request, uid: UUID) -> Pet:
    """Return a pet that the caller may read, and for a change, own."""
    pet = visible_pet(caller_of(request), uid, now=timezone.now())
    if request.method not in SAFE_METHODS and not permissions.can_edit(caller_of(request), pet):
        raise PermissionDenied("Only the owner can change this.")
    return pet


class PetParams(params.Params):
    archived = params.Boolean(default=False, help_text="True: those in the archive instead.")


class PetViewSet(mixins.ListModelMixin, GenericViewSet):
    """One's own pets."""

    params_class = PetParams
    serializer_class = serializers.PetSerializer
    queryset = Pet.objects.none()

    def get_queryset(self) -> QuerySet[Pet]:
        own = Pet.objects.owned_by(caller_of(self.request))
        return own.archived() if self.params()["archived"] else own.active()

    @idempotent
    def create(self, request: Request) -> Response:
        pet = domain.create(caller_of(request), today=today_of(request), **self._read())
        return Response(self.get_serializer(pet).data, status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, id: UUID) -> Response:
        """Return one's own pet, or one that a provider of the caller cares for."""
        return Response(self.get_serializer(pet_for(request, id)).data)

    def partial_update(self, request: Request, id: UUID) -> Response:
        pet = domain.update(pet_for(request, id), today=today_of(request), **self._read(partial=True))
        return Response(self.get_serializer(pet).data)

    def destroy(self, request: Request, id: UUID) -> Response:
        """Delete the pet; one that was booked goes to the archive instead."""
        domain.remove(pet_for(request, id), now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None)
    def archive(self, request: Request, id: UUID) -> Response:
        pet = domain.archive(pet_for(request, id), now=timezone.now())
        return Response(self.get_serializer(pet).data)

    @extend_schema(request=None)
    def restore(self, request: Request, id: UUID) -> Response:
        return Response(self.get_serializer(domain.restore(pet_for(request, id))).data)

    def _read(self, *, partial: bool = False) -> dict[str, Any]:
        form = self.get_serializer(data=self.request.data, partial=partial)
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)


class _PassportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """Rows that hang on a pet; ``pet_id`` is in the path."""

    def get_queryset(self) -> QuerySet[Any]:
        pet = pet_for(self.request, self.kwargs["pet_id"])
        return super().get_queryset().model._default_manager.filter(pet=pet).select_related("pet")

    @idempotent
    def create(self, request: Request, pet_id: UUID) -> Response:
        pet = pet_for(request, pet_id)
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        row = self.add(pet, form.validated_data)
        return Response(self.get_serializer(row).data, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pet_id: UUID, id: UUID) -> Response:
        row = self.get_object()
        form = self.get_serializer(row, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        return Response(self.get_serializer(self.change(row, form.validated_data)).data)

    def destroy(self, request: Request, pet_id: UUID, id: UUID) -> Response:
        self.remove(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def add(self, pet: Pet, data: dict[str, Any]) -> Any:
        raise NotImplementedError

    def change(self, row: Any, data: dict[str, Any]) -> Any:
        raise NotImplementedError

    def remove(self, row: Any) -> None:
        raise NotImplementedError


class VaccinationViewSet(_PassportViewSet):
    """The vaccinations of a pet, the longest valid first."""

    serializer_class = serializers.VaccinationSerializer
    queryset = Vaccination.objects.none()

    def add(self, pet: Pet, data: dict[str, Any]) -> Vaccination:
        return domain.add_vaccination(pet, today=today_of(self.request), **data)

    def change(self, row: Vaccination, data: dict[str, Any]) -> Vaccination:
        return domain.update_vaccination(row, today=today_of(self.request), **data)

    def remove(self, row: Vaccination) -> None:
        domain.remove_vaccination(row)


class CareRecordViewSet(_PassportViewSet):
    """The treatment history of a pet, newest first."""

    serializer_class = serializers.CareRecordSerializer
    queryset = CareRecord.objects.none()

    def add(self, pet: Pet, data: dict[str, Any]) -> CareRecord:
        return domain.add_record(pet, by=caller_of(self.request), today=today_of(self.request), **data)

    def change(self, row: CareRecord, data: dict[str, Any]) -> CareRecord:
        return domain.update_record(row, today=today_of(self.request), **data)

    def remove(self, row: CareRecord) -> None:
        domain.remove_record(row)


class _FileView(ApiView):
    """A private file: GET it, PUT another, DELETE it."""

    parser_classes = [UploadParser]
    clean: ClassVar[Any] = staticmethod(clean_document)

    def row(self, request: Request, **ids: UUID) -> Any:
        raise NotImplementedError

    def file(self, row: Any) -> Any:
        raise NotImplementedError

    def name(self, row: Any) -> str:
        raise NotImplementedError

    def save(self, row: Any, file: Any) -> None:
        raise NotImplementedError

    @extend_schema(responses=FILE_ANSWER)
    def get(self, request: Request, **ids: UUID) -> HttpResponse:
        row = self.row(request, **ids)
        return private_response(self.file(row), filename=self.name(row))

    @extend_schema(request={"multipart/form-data": serializers.FileSerializer}, responses={204: None})
    def put(self, request: Request, **ids: UUID) -> Response:
        row = self.row(request, **ids)
        form = serializers.FileSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            file = self.clean(form.validated_data["file"])
        except DjangoValidationError as error:
            raise ValidationError({"file": error.messages}) from None
        self.save(row, file)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, **ids: UUID) -> Response:
        self.save(self.row(request, **ids), None)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PhotoView(_FileView):
    clean = staticmethod(clean_photo)

    def row(self, request: Request, **ids: UUID) -> Pet:
        return pet_for(request, ids["id"])

    def file(self, row: Pet) -> Any:
        return row.photo

    def name(self, row: Pet) -> str:
        return row.name

    def save(self, row: Pet, file: Any) -> None:
        domain.set_photo(row, file)


class VaccinationDocumentView(_FileView):
    def row(self, request: Request, **ids: UUID) -> Vaccination:
        return get_object_or_404(pet_for(request, ids["pet_id"]).vaccinations, uid=ids["id"])

    def file(self, row: Vaccination) -> Any:
        return row.document

    def name(self, row: Vaccination) -> str:
        return f"{row.vaccine} {row.valid_until}"

    def save(self, row: Vaccination, file: Any) -> None:
        domain.set_document(row, file)


class CareRecordAttachmentView(_FileView):
    def row(self, request: Request, **ids: UUID) -> CareRecord:
        return get_object_or_404(pet_for(request, ids["pet_id"]).care_records, uid=ids["id"])

    def file(self, row: CareRecord) -> Any:
        return row.attachment

    def name(self, row: CareRecord) -> str:
        return f"{row.kind} {row.on}"

    def save(self, row: CareRecord, file: Any) -> None:
        domain.set_attachment(row, file)
