"""A person's copy of everything that is kept about them (GDPR, articles 15 and 20).

Each app registers, when it starts, which rows are a person's own. What is another person's (what the other side of a
conversation wrote, who checked a document) and what only opens doors (keys, hashes, tokens) is left out.
"""

import json
import logging
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import IO, Any
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.core.signing import BadSignature, TimestampSigner
from django.db import models, transaction
from django.db.models import QuerySet

from accounts.audit import AuditAction
from accounts.domain import audit, events
from accounts.domain.events import AccountEvent
from accounts.models import DataExport, ExportState, User
from petplace.errors import DomainError

logger = logging.getLogger(__name__)

SALT = "petplace.accounts.export"
MAX_ATTEMPTS = 3
README = """This is the copy of your data that you asked for.

data/    one JSON file for each kind of row. Times are UTC. Money is in minor units (cents) with its currency.
files/   what you uploaded, named after its row.

Not in here: what others wrote, and passwords and keys.
"""


@dataclass(frozen=True)
class Source:
    """Rows of one model that are a person's own. ``names`` are further lookups, for readers: ``service__name``."""

    model: type[models.Model]
    rows: Callable[[User], QuerySet[Any]]
    skip: frozenset[str]
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        return str(self.model._meta.label_lower)

    def fields(self) -> dict[str, str]:
        """Return name in the file -> lookup. Rows are named by their uid, never by the key inside the database."""
        found: dict[str, str] = {}
        for field in self.model._meta.concrete_fields:
            if field.name in self.skip or (field.primary_key and not field.is_relation):
                continue
            related = field.related_model
            if related is None:
                found[field.name] = field.name
            elif isinstance(related, type) and any(one.name == "uid" for one in related._meta.concrete_fields):
                found[field.name] = f"{field.name}__uid"
        return found | {name: name for name in self.names}

    def files(self) -> list[str]:
        fields = self.model._meta.concrete_fields
        return [field.name for field in fields if isinstance(field, models.FileField) and field.name not in self.skip]


sources: dict[str, Source] = {}


def register(
    model: type[models.Model],
    rows: Callable[[User], QuerySet[Any]],
    *,
    skip: Collection[str] = (),
    names: Collection[str] = (),
) -> None:
    """Declare which rows of ``model`` belong to a person. ``skip`` names fields that are not theirs, or are secrets."""
    source = Source(model, rows, frozenset(skip), tuple(names))
    sources[source.label] = source


@transaction.atomic
def ask(user: User, *, now: datetime) -> DataExport:
    """Ask for a copy; a job makes it. Raises DomainError ``export_too_soon`` within ``EXPORT_EVERY_HOURS``."""
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    pause = timedelta(hours=settings.EXPORT_EVERY_HOURS)
    last = DataExport.objects.filter(user=user).exclude(state=ExportState.FAILED).first()
    if last is not None and (last.is_waiting or now < last.asked_at + pause):
        raise DomainError(
            "You can ask for one copy a day. The last one is below.",
            code="export_too_soon",
            extra={"next_at": (last.asked_at + pause).isoformat()},
        )
    made = DataExport.objects.create(user=user, asked_at=now)
    audit.record(AuditAction.EXPORT, by=user, target=user, after={"export": str(made.uid)}, now=now)
    return made


def make_waiting(*, now: datetime) -> int:
    """Make the copies that were asked for, each in its own transaction. Returns how many were made."""
    made = 0
    for pk in DataExport.objects.filter(state=ExportState.WAITING).order_by("pk").values_list("pk", flat=True):
        try:
            made += _make(pk, now=now)
        except Exception:
            logger.exception("The export %s could not be made", pk)
            _note_failure(pk)
    return made


@transaction.atomic
def _make(pk: int, *, now: datetime) -> int:
    export = (
        DataExport.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("user")
        .filter(pk=pk, state=ExportState.WAITING)
        .first()
    )
    if export is None:
        return 0  # somebody else makes it
    with tempfile.TemporaryFile() as stream:
        write(export.user, stream)
        export.size = stream.tell()
        stream.seek(0)
        export.file.save(f"{export.uid}.zip", File(stream), save=False)
    export.state, export.made_at = ExportState.READY, now
    export.expires_at = now + timedelta(days=settings.EXPORT_DAYS)
    export.save()
    for older in DataExport.objects.filter(user=export.user).exclude(pk=export.pk):
        _remove(older)
    events.tell(export.user, AccountEvent.EXPORT_READY, now=now)
    return 1


def _note_failure(pk: int) -> None:
    DataExport.objects.filter(pk=pk).update(attempts=models.F("attempts") + 1)
    DataExport.objects.filter(pk=pk, attempts__gte=MAX_ATTEMPTS).update(state=ExportState.FAILED)


def write(user: User, stream: IO[bytes]) -> None:
    """Write the ZIP of ``user`` to ``stream``."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", README)
        for source in sorted(sources.values(), key=lambda one: one.label):
            rows = list(_rows(source, user))
            if rows:
                archive.writestr(f"data/{source.label}.json", json.dumps(rows, indent=1, ensure_ascii=False))
            for name in source.files():
                _add_files(archive, source, name, user)


def _rows(source: Source, user: User) -> Iterator[dict[str, Any]]:
    fields = source.fields()
    for values in source.rows(user).order_by("pk").values_list(*fields.values()).iterator(chunk_size=500):
        yield {name: _plain(value) for name, value in zip(fields, values, strict=True)}


def _add_files(archive: zipfile.ZipFile, source: Source, name: str, user: User) -> None:
    for row in source.rows(user).exclude(**{name: ""}).order_by("pk").iterator(chunk_size=100):
        file = getattr(row, name)
        target = f"files/{source.label}/{row.uid}{PurePosixPath(file.name).suffix}"
        try:
            with file.open("rb") as stored, archive.open(target, "w") as copy:
                for chunk in iter(lambda stored=stored: stored.read(1 << 16), b""):  # type: ignore[misc]
                    copy.write(chunk)
        except FileNotFoundError:
            logger.warning("A file of %s %s is missing", source.label, row.pk)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int | float | list | dict):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID | Decimal) else f"{value}"


def key_of(export: DataExport) -> str:
    """Sign a link that opens the file for ``EXPORT_LINK_MINUTES``, and not after a new password."""
    return TimestampSigner(salt=SALT).sign(f"{export.uid.hex}.{export.user.token_version}")


@transaction.atomic
def open_link(key: str, *, now: datetime) -> DataExport | None:
    """Return the copy that a signed link opens, and write down that it was fetched; None for any dead link."""
    try:
        signed = TimestampSigner(salt=SALT).unsign(key, max_age=timedelta(minutes=settings.EXPORT_LINK_MINUTES))
        uid, _, version = signed.partition(".")
        found = DataExport.objects.select_related("user").filter(uid=UUID(uid), user__is_active=True).first()
    except (BadSignature, ValueError):
        return None
    if found is None or not found.is_open(now) or version != str(found.user.token_version):
        return None
    after = {"export": str(found.uid)}
    audit.record(AuditAction.DOWNLOAD_EXPORT, by=found.user, target=found.user, after=after, now=now)
    return found


def delete_expired(*, now: datetime) -> int:
    """Delete the copies whose week is over, with their files. Returns how many."""
    over = DataExport.objects.filter(models.Q(expires_at__lte=now) | models.Q(asked_at__lte=now - timedelta(days=30)))
    return _remove_all(over)


def forget(user: User, now: datetime) -> None:
    _remove_all(DataExport.objects.filter(user=user))


@transaction.atomic
def _remove_all(exports: QuerySet[DataExport]) -> int:
    gone = list(exports)
    for export in gone:
        _remove(export)
    return len(gone)


def _remove(export: DataExport) -> None:
    name, storage = export.file.name, export.file.storage
    export.delete()
    if name:
        transaction.on_commit(lambda: storage.delete(name), robust=True)
