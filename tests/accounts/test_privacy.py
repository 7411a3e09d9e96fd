"""A person's data: the copy is whole and nobody else's, and nothing of it is left when the account is closed."""

import datetime as dt
import io
import json
import re
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.db import DatabaseError, connection, transaction
from django.db.models import CharField, EmailField, FilePathField, JSONField, Model, SlugField, TextField
from django.test import Client
from django.urls import reverse
from phonenumber_field.modelfields import PhoneNumberField
from rest_framework.test import APIClient

from accounts.domain import closing, consents, credentials, exporting
from accounts.models import AuditEntry, Consent, DataExport, TokenFamily, User
from bookings.models import Booking, BookingEvent, Complaint, Incident
from messaging.domain import outbox
from messaging.models import Delivery, Message, Notification, Report
from payments.domain import events as gateway_events
from payments.models import Dispute, Expense, GatewayEvent, Invoice, Payment
from petplace.errors import DomainError
from petplace.models import IdempotencyKey
from providers.domain import documents
from providers.models import Certification, Membership, ProfileEdit, Resource, TimeOff, VerificationDocument
from reviews.models import Flag, Review
from tests.accounts.conftest import PASSWORD
from tests.factories import (
    NOW,
    CareRecordFactory,
    DeviceFactory,
    PetFactory,
    UserFactory,
    VaccinationFactory,
    make_booking,
    make_branch,
    make_provider,
    make_resource,
    make_service,
    make_talk,
    manager_of,
    write,
)
from tests.payments.steps import make_sale, owe, pay

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def files(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@dataclass
class Traces:
    """A person who has used everything, with a marker of its own in each place."""

    user: User
    prefix: str
    markers: set[str]
    hidden: set[str]  # kept about the person, but no part of a copy: keys, caches, what others said to us

    def found_in(self, text: str) -> set[str]:
        return set(re.findall(rf"{self.prefix}\d\d", text))


def leave_traces(prefix: str) -> Traces:
    """Write ``prefix`` and a number into every model that has words, files or addresses of a person."""
    markers: set[str] = set()
    hidden: set[str] = set()

    def mark(*, is_hidden: bool = False) -> str:
        made = f"{prefix}{len(markers | hidden):02d}"
        (hidden if is_hidden else markers).add(made)
        return made

    def file(suffix: str) -> "ContentFile[bytes]":
        return ContentFile(mark().encode(), f"x.{suffix}")

    user = UserFactory(email=f"{prefix.lower()}@example.test", full_name=mark(), home_place=mark())
    User.objects.filter(pk=user.pk).update(phone="+4930901820" if prefix == "ANNMARK" else "+4930901821")
    TokenFamily.objects.create(user=user, current_jti=uuid.uuid4(), user_agent=mark(), expires_at=NOW + 900 * DAY)
    pet = PetFactory(
        owner=user, name=mark(), breed=mark(), notes=mark(), medication_notes=mark(), vet_name=mark(),
        photo=file("jpg"),
    )  # fmt: skip
    VaccinationFactory(pet=pet, document=file("pdf"))
    CareRecordFactory(pet=pet, note=mark(), attachment=file("pdf"))
    visit = make_booking(state="completed", owner=user, pets=[pet], note=mark())
    Booking.objects.filter(pk=visit.pk).update(access_note=mark())
    Complaint.objects.create(
        booking=visit, by=user, text=mark(), made_at=NOW, answer="", closed_at=NOW, closed_by=manager_of(visit)
    )
    BookingEvent.objects.filter(booking=visit, by=user).update(reason=mark())
    incident = Incident.objects.create(
        booking=visit, provider=visit.provider, by=user, kind="other", side="owner", text=mark(), made_at=NOW
    )
    Incident.objects.filter(pk=incident.pk).update(
        state="resolved", resolution=mark(), resolved_at=NOW, resolved_by=manager_of(visit)
    )
    SocialAccount.objects.create(user=user, provider="openid", uid=mark(), extra_data={"name": mark()})
    Authenticator.objects.create(user=user, type="totp", data={"secret": mark(is_hidden=True)})
    review = Review.objects.create(
        booking=visit, side="owner", provider=visit.provider, author=user, rating=5, text="Kind people",
        due_at=NOW, published_at=NOW,
    )  # fmt: skip
    Flag.objects.create(review=review, by=user, reason="other", note=mark(), made_at=NOW)
    talk = make_talk(owner=user)
    message = write(talk, user, mark())
    Message.objects.filter(pk=message.pk).update(photo="")
    Report.objects.create(
        conversation=talk, message=message, by=user, side="owner", reason="spam", text=mark(), quote=message.text,
        made_at=NOW,
    )  # fmt: skip
    DeviceFactory(user=user, label=mark())
    Notification.objects.create(user=user, kind="x", key=f"k{prefix}", title=mark(), due_at=NOW)
    told = manager_of(visit)
    Notification.objects.create(
        user=told, kind="x", key=f"t{prefix}", topic=f"booking:{visit.uid}", title=mark(is_hidden=True), due_at=NOW
    )
    IdempotencyKey.objects.create(
        user=user, route="x", key="x", body_hash="x", response_status=200, response_body=mark(is_hidden=True).encode()
    )
    payment = pay(make_sale(payer=user, subject="Walk"))
    GatewayEvent.objects.create(
        gateway="sandbox", event_id=uuid.uuid4().hex, kind="x", payment_uid=payment.uid, due_at=NOW, state="processed",
        payload={"name": mark(is_hidden=True)},
    )  # fmt: skip
    # The business of this one person.
    provider = make_provider(user, name=mark(), bio=mark())
    branch = make_branch(provider, address=mark())
    person = branch.resources.get(user=user)
    Resource.objects.filter(pk=person.pk).update(name=mark())
    Certification.objects.create(resource=person, name=mark())
    TimeOff.objects.create(resource=person, during=(NOW, NOW + DAY), reason=mark())
    make_service(branch, description=mark())
    documents.add(provider, kind="licence", file=file("pdf"), note=mark(), now=NOW)
    Expense.objects.create(
        provider=provider,
        category="supplies",
        amount=1,
        currency="EUR",
        on=NOW.date(),
        note=mark(),
        receipt=file("pdf"),
    )
    for row in (user, pet, provider):
        LogEntry.objects.create(
            user=told, content_type=ContentType.objects.get_for_model(row), object_id=str(row.pk),
            object_repr=mark(is_hidden=True), action_flag=2, change_message=mark(is_hidden=True),
        )  # fmt: skip
    ProfileEdit.objects.create(provider=provider, field="name", what=mark(), before={"name": mark()}, by=user, at=NOW)
    # What the person was for somebody else's business.
    elsewhere = make_branch(make_provider())
    Membership.objects.create(provider=elsewhere.provider, user=user, role="staff")
    team_mate = make_resource(elsewhere, user=user, name=mark())
    paper = documents.add(
        team_mate.branch.provider,
        kind="certificate",
        file=file("pdf"),
        note=mark(),
        resource=team_mate,
        by=user,
        now=NOW,
    )
    assert paper.resource == team_mate
    consents.accept_texts(user, now=NOW)
    return Traces(user, prefix, markers, hidden)


@pytest.fixture
def ann(db: None) -> Traces:
    return leave_traces("ANNMARK")


@pytest.fixture
def bob(db: None) -> Traces:
    return leave_traces("BOBMARK")


def _zip_of(user: User) -> zipfile.ZipFile:
    stream = io.BytesIO()
    exporting.write(user, stream)
    return zipfile.ZipFile(stream)


def _text_of(archive: zipfile.ZipFile) -> str:
    return "\n".join(archive.read(name).decode() for name in archive.namelist())


# --- G01: the copy -------------------------------------------------------------------------------


def test_the_copy_has_every_mark_of_the_person_and_none_of_another(ann: Traces, bob: Traces) -> None:
    archive = _zip_of(ann.user)
    text = _text_of(archive)

    assert len(ann.markers) >= 20
    assert ann.found_in(text) == ann.markers
    assert bob.found_in(text) == set()
    assert len([name for name in archive.namelist() if name.startswith("files/")]) == 6
    for secret in (ann.user.password, str(ann.user.token_families.get().current_jti), "push.example.test"):
        assert secret not in text
    profile = json.loads(archive.read("data/accounts.user.json"))[0]
    assert (profile["uid"], profile["email"]) == (str(ann.user.uid), "annmark@example.test")


def test_what_the_other_side_wrote_is_not_in_it(ann: Traces) -> None:
    talk = Message.objects.get(author=ann.user).conversation
    manager = Membership.objects.get(provider=talk.provider).user
    write(talk, manager, "Our own words", now=NOW)

    assert "Our own words" not in _text_of(_zip_of(ann.user))


# Rows that say nothing about a person who uses the site, or that are no part of a copy, each with the reason.
NOT_IN_A_COPY = {
    "account.emailconfirmation": "keys that open doors, for days",
    "accounts.dataexport": "the copies themselves",
    "admin.logentry": "acts of staff",
    "auth.group": "roles, the same for everybody",
    "auth.permission": "the same for everybody",
    "bookings.allocation": "times of a resource; the booking tells them",
    "bookings.incidentnote": "notes of staff",
    "contenttypes.contenttype": "the same for everybody",
    "messaging.liveevent": "what open pages were told, for three days",
    "messaging.outboxmessage": "developers' copies of deliveries",
    "messaging.stafflook": "acts of staff",
    "petplace.heartbeat": "signs of life of machines",
    "petplace.idempotencykey": "answers of the API, for a day",
    "petplace.limitcount": "counted tries under hashes, for hours",
    "providers.openhours": "derived",
    "providers.providerevent": "decisions of staff; the audit names those about a person",
    "providers.publicholiday": "the same for everybody",
    "sessions.session": "the keys of browsers; usersessions tells which",
    "socialaccount.socialapp": "set up by staff",
    "socialaccount.socialtoken": "keys that open doors; none is stored",
}


def test_every_model_is_in_the_copy_or_says_why_not() -> None:
    models = {model._meta.label_lower for model in apps.get_models()}
    # Beside what people were billed and paid, money is the books of the platform.
    books = {name for name in models if name.startswith("payments.")} - set(exporting.sources)
    assert {"payments.payment", "payments.invoice"} <= set(exporting.sources)

    assert models - books - set(exporting.sources) - set(NOT_IN_A_COPY) == set()
    assert set(exporting.sources) & set(NOT_IN_A_COPY) == set()


def _ready(user: User, **moment: Any) -> DataExport:
    exporting.ask(user, **({"now": NOW} | moment))
    assert exporting.make_waiting(**({"now": NOW} | moment)) == 1
    return DataExport.objects.get(user=user)


def test_one_a_day_made_by_the_job_and_told(files: Path, time_machine: Any) -> None:
    time_machine.move_to(NOW, tick=False)
    user = UserFactory()
    export = _ready(user)
    with pytest.raises(DomainError, match="one copy a day") as refused:
        exporting.ask(user, now=NOW + DAY - dt.timedelta(seconds=1))

    assert refused.value.code == "export_too_soon"
    assert (export.state, export.expires_at, export.size > 0) == ("ready", NOW + 7 * DAY, True)
    assert Notification.objects.get(user=user, kind="account_export_ready").url == reverse("accounts:privacy")
    assert [row.action for row in AuditEntry.objects.filter(actor=user)] == ["export"]
    assert len(list(files.rglob("*.zip"))) == 1


def test_a_newer_copy_replaces_the_older(files: Path, django_capture_on_commit_callbacks: Any) -> None:
    user = UserFactory()
    _ready(user)
    with django_capture_on_commit_callbacks(execute=True):
        newer = _ready(user, now=NOW + DAY)

    assert newer.asked_at == NOW + DAY
    assert len(list(files.rglob("*.zip"))) == 1


def test_a_link_lives_for_minutes_and_for_one_password(time_machine: Any) -> None:
    time_machine.move_to(NOW, tick=False)
    user = UserFactory()
    export = _ready(user)
    key = exporting.key_of(export)
    client = Client()

    def fetch(key: str) -> int:
        answer = client.get(reverse("accounts:export_file", args=[key]))
        if answer.status_code == 200:
            assert zipfile.is_zipfile(io.BytesIO(b"".join(answer.streaming_content)))  # type: ignore[arg-type]
            assert answer["Cache-Control"] == "private, no-store"
            assert answer["Content-Disposition"].startswith("attachment;")
        return int(answer.status_code)

    assert fetch(key) == 200
    assert AuditEntry.objects.filter(action="download_export", target_uid=user.uid).count() == 1
    assert [fetch(one) for one in ("x", key[:-1] + ("A" if key[-1] != "A" else "B"), key.replace(".", ":"))] == [
        404
    ] * 3
    time_machine.move_to(NOW + dt.timedelta(minutes=5, seconds=1), tick=False)
    assert fetch(key) == 404
    fresh = exporting.key_of(export)
    assert fetch(fresh) == 200
    credentials.set_password(user, "another-good-password-2", now=NOW)
    assert fetch(fresh) == 404


def test_a_copy_dies_after_a_week(files: Path, time_machine: Any, django_capture_on_commit_callbacks: Any) -> None:
    user = UserFactory()
    export = _ready(user)
    time_machine.move_to(NOW + 7 * DAY, tick=False)
    assert Client().get(reverse("accounts:export_file", args=[exporting.key_of(export)])).status_code == 404
    assert exporting.delete_expired(now=NOW + 7 * DAY - dt.timedelta(seconds=1)) == 0
    with django_capture_on_commit_callbacks(execute=True):
        assert exporting.delete_expired(now=NOW + 7 * DAY) == 1

    assert list(files.rglob("*.zip")) == []


def test_one_that_fails_stops_no_other_and_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = UserFactory(), UserFactory()
    write_all = exporting.write

    def sometimes(user: User, stream: Any) -> None:
        if user == bad:
            raise RuntimeError("no room")
        write_all(user, stream)

    monkeypatch.setattr(exporting, "write", sometimes)
    for user in (bad, good):
        exporting.ask(user, now=NOW)
    assert [exporting.make_waiting(now=NOW) for _ in range(4)] == [1, 0, 0, 0]

    assert DataExport.objects.get(user=bad).state == "failed"
    assert exporting.ask(bad, now=NOW).is_waiting


def test_doors_of_the_copy(client: Client, api: APIClient, login: Any) -> None:
    user = UserFactory()
    assert client.get(reverse("accounts:privacy")).status_code == 302
    client.force_login(user)
    assert "Make a copy" in client.get(reverse("accounts:privacy")).text
    assert client.get(reverse("accounts:export")).status_code == 405
    client.post(reverse("accounts:export"))
    assert "putting it together" in client.get(reverse("accounts:privacy")).text
    assert "one copy a day" in client.post(reverse("accounts:export"), follow=True).text

    headers = {"Authorization": f"Bearer {login(user)['access']}"}
    asked = api.get("/api/v1/me/export/", headers=headers).json()
    assert (asked["state"], asked["url"]) == ("waiting", None)
    again = api.post("/api/v1/me/export/", headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "export_too_soon")
    exporting.make_waiting(now=DataExport.objects.get().asked_at)
    assert "Download" in client.get(reverse("accounts:privacy")).text
    ready = api.get("/api/v1/me/export/", headers=headers).json()
    assert ready["state"] == "ready"
    assert zipfile.is_zipfile(io.BytesIO(Client().get(ready["url"]).getvalue()))
    other = {"Authorization": f"Bearer {login(UserFactory())['access']}"}
    assert api.get("/api/v1/me/export/", headers=other).status_code == 404
    assert api.post("/api/v1/me/export/", headers=other).status_code == 202


# --- G02 to G04: erasure -------------------------------------------------------------------------


def _everything() -> dict[str, str]:
    """Return the text of every table."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM \"{table}\" t")
            found[table] = cursor.fetchone()[0]
        # A row shows bytes as hexadecimal digits.
        cursor.execute(
            "SELECT coalesce(string_agg(convert_from(response_body, 'UTF8'), ' '), '') FROM petplace_idempotencykey"
        )
        found["petplace_idempotencykey"] += cursor.fetchone()[0] or ""
    return found


def test_nothing_is_left_anywhere(
    files: Path, ann: Traces, bob: Traces, django_capture_on_commit_callbacks: Any
) -> None:
    _ready(ann.user)
    before = _everything()
    seen = set().union(*(ann.found_in(text) for text in before.values()))
    kept_files = [path for path in files.rglob("*") if path.is_file() and b"ANNMARK" in path.read_bytes()]
    stored = {name for path in kept_files if path.suffix != ".zip" for name in ann.found_in(path.read_text())}
    assert seen | stored == ann.markers | ann.hidden  # the search sees each of them

    with django_capture_on_commit_callbacks(execute=True):
        closing.close(ann.user, now=NOW)

    left = {table: text for table, text in _everything().items() if re.search(r"annmark|\+4930901820", text, re.I)}
    assert {table: re.findall(r".{0,60}annmark.{0,60}", text, re.IGNORECASE) for table, text in left.items()} == {}
    assert [path for path in files.rglob("*") if path.is_file() and b"ANNMARK" in path.read_bytes()] == []
    redis = cache._cache.get_client(None)  # type: ignore[attr-defined]
    held = [key + (redis.get(key) or b"" if redis.type(key) == b"string" else b"") for key in redis.keys("*")]
    assert not [one for one in held if b"annmark" in one.lower()]
    # Another person's rows are untouched, money is all there, and what was decided.
    assert set().union(*(bob.found_in(text) for text in _everything().values())) >= bob.hidden
    assert Invoice.objects.filter(payer=ann.user).exists()
    assert Payment.objects.filter(invoice__payer=ann.user).exists()
    assert AuditEntry.objects.filter(action="close_account", target_uid=ann.user.uid).exists()


# Words that stay when a person has gone, each with the reason. All other words in rows that are the person's own go.
STAYS = {
    "accounts.consent.version": "which text was agreed to",
    "bookings.booking.terms": "made by us: deadlines and shares",
    "bookings.booking.time_zone": "the clock of the place",
    "bookings.bookingevent.detail": "made by us: sums and times",
    "bookings.quote.cancellation": "made by us: deadlines and shares",
    "bookings.quoteline.description": "what was offered",
    "messaging.conversation.subject": "what was booked; the other side's talk, too",
    "payments.invoice.number": "the law asks for it",
    "payments.invoice.subject": "the law asks for what was sold",
    "payments.invoiceline.description": "the law asks for what was sold",
    "payments.payment.failure_code": "one of the gateway's own",
    "payments.payment.gateway": "one of ours",
    "providers.branch.time_zone": "the clock of the place",
    "reviews.review.text": "public, under no name",
}


def _words(model: type[Model]) -> list[str]:
    """Return the columns of ``model`` that hold free words, or JSON with such."""
    free = [
        field
        for field in model._meta.concrete_fields
        if isinstance(field, CharField | TextField | JSONField)
        and not isinstance(field, FilePathField | SlugField | EmailField | PhoneNumberField)
        and not (field.choices or field.unique or field.primary_key)
        and (field.max_length is None or field.max_length >= 20)
    ]
    return [field.name for field in free]


def test_each_word_of_a_person_goes_or_says_why_it_stays(ann: Traces, django_capture_on_commit_callbacks: Any) -> None:
    """What nobody thought of: each column of words in each row that is in the copy gets a mark of its own."""
    marks: dict[str, str] = {}
    for source in exporting.sources.values():
        for name in _words(source.model):
            mark = f"Z{len(marks):03d}Z"
            column = f"{source.label}.{name}"
            is_json = isinstance(source.model._meta.get_field(name), JSONField)
            try:
                with transaction.atomic():
                    changed = source.rows(ann.user).order_by().update(**{name: {"x": mark} if is_json else mark})
            except (DatabaseError, TypeError):
                continue  # never changed by anybody (audit), or only one of some words
            if changed:
                marks[mark] = column
    assert len(marks) > 60

    with django_capture_on_commit_callbacks(execute=True):
        closing.close(ann.user, now=NOW)

    left = " ".join(_everything().values())
    stayed = sorted(column for mark, column in marks.items() if mark in left)
    assert stayed == sorted(STAYS), stayed


def test_reviews_stay_under_no_name(ann: Traces, client: Client) -> None:
    closing.close(ann.user, now=NOW)

    review = Review.objects.get(author=ann.user)
    assert (review.text, review.author.get_full_name()) == ("Kind people", "Former user")


def test_nothing_is_sent_to_somebody_who_has_left() -> None:
    user = UserFactory()
    due = Notification.objects.create(user=user, kind="x", key="x", title="x", due_at=NOW)
    Delivery.objects.create(notification=due, channel="email", due_at=NOW)
    closing.close(user, now=NOW)
    from django.core import mail

    outbox.deliver_due(now=NOW + DAY)

    assert not Delivery.objects.exists()
    assert mail.outbox == []


def test_who_comes_back_is_somebody_new(api: APIClient) -> None:
    old = credentials.register(email="ann@example.test", password=PASSWORD, full_name="Ann")
    assert old is not None
    PetFactory(owner=old)
    closing.close(old, now=NOW)
    answer = api.post(
        "/api/v1/auth/register/", {"email": "ann@example.test", "password": PASSWORD, "full_name": "Ann Again"}
    )

    assert answer.status_code == 201
    new = User.objects.get(email="ann@example.test")
    assert (new.pk != old.pk, new.pets.count(), new.bookings.count()) == (True, 0, 0)
    assert new.consents.count() == 2
    assert not Consent.objects.exclude(ip=None).filter(user=old).exists()


def _refused(user: User) -> str:
    with pytest.raises(DomainError) as refused:
        closing.close(user, now=NOW)
    user.refresh_from_db()
    assert user.is_active
    return refused.value.code


def test_an_open_complaint_keeps_its_maker() -> None:
    visit = make_booking(state="completed")
    Complaint.objects.create(booking=visit, by=visit.owner, text="Wet dog", made_at=NOW)

    assert _refused(visit.owner) == "open_complaints"


def test_an_open_dispute_keeps_payer_and_business() -> None:
    provider = make_provider()
    make_branch(provider)
    payment = pay(make_sale(provider))
    dispute = Dispute.objects.create(payment=payment, ref="dp_1", amount=100)

    assert _refused(payment.invoice.payer) == "open_disputes"
    assert _refused(leaving_manager(provider)) == "open_disputes"
    dispute.state = "lost"
    dispute.save()
    closing.close(payment.invoice.payer, now=NOW)


def leaving_manager(provider: Any) -> User:
    return Membership.objects.get(provider=provider).user


def test_money_to_come_keeps_a_business() -> None:
    from tests.payments.steps import earn

    sale = make_sale()
    pay(sale)
    earn(sale)

    assert _refused(leaving_manager(sale.provider)) == "open_payouts"


def test_a_visit_that_was_paid_in_cash_keeps_nobody() -> None:
    invoice = owe(make_business_of_one())
    manager = leaving_manager(invoice.provider)

    assert closing.close(manager, now=NOW).closed_at == NOW


def make_business_of_one() -> Any:
    provider = make_provider()
    make_branch(provider)
    return provider


# --- Consents and what is kept only for a while --------------------------------------------------


def test_signing_up_is_agreeing_to_the_texts_of_today(client: Client, settings: Any) -> None:
    settings.REQUIRE_VERIFIED_EMAIL = False
    body = {"email": "new@example.test", "password1": PASSWORD, "password2": PASSWORD, "full_name": "New"}
    assert client.post(reverse("account_signup"), body).status_code == 302
    user = User.objects.get(email="new@example.test")

    rows = user.consents.order_by("kind").values_list("kind", "version", "ip", "withdrawn_at")
    assert list(rows) == [
        ("privacy", django_settings.PRIVACY_VERSION, "127.0.0.1", None),
        ("terms", django_settings.TERMS_VERSION, "127.0.0.1", None),
    ]


def test_agreeing_taking_back_and_agreeing_again_is_a_log(settings: Any) -> None:
    user = UserFactory()
    first = consents.give(user, "marketing", now=NOW)
    assert consents.give(user, "marketing", now=NOW + DAY) == first
    assert consents.withdraw(user, "marketing", now=NOW + DAY) == 1
    assert consents.withdraw(user, "marketing", now=NOW + DAY) == 0
    assert not consents.stands(user, "marketing")
    consents.give(user, "marketing", now=NOW + 2 * DAY)
    settings.PRIVACY_VERSION = "2027-01"
    consents.give(user, "marketing", now=NOW + 3 * DAY)

    assert [(row.version, row.at, row.withdrawn_at) for row in user.consents.order_by("pk")] == [
        ("2026-11", NOW, NOW + DAY),
        ("2026-11", NOW + 2 * DAY, None),
        ("2027-01", NOW + 3 * DAY, None),
    ]


def test_doors_of_consents(client: Client, api: APIClient, login: Any) -> None:
    user = UserFactory()
    client.force_login(user)
    client.post(reverse("accounts:news"), {"on": "yes"})
    assert consents.stands(user, "marketing")
    assert "No more news" in client.get(reverse("accounts:privacy")).text
    client.post(reverse("accounts:news"), {"on": "no"})
    assert not consents.stands(user, "marketing")

    headers = {"Authorization": f"Bearer {login(user)['access']}"}
    answer = api.put("/api/v1/me/consents/", {"marketing": True}, headers=headers)
    assert [(row["kind"], row["withdrawn_at"] is None) for row in answer.json()] == [
        ("marketing", True),
        ("marketing", False),
    ]
    assert api.get("/api/v1/me/consents/", headers=headers).json() == answer.json()


def test_the_texts_name_their_version_and_that_cookies_need_no_banner(client: Client) -> None:
    assert "Version 2026-11" in client.get(reverse("terms")).text
    notice = client.get(reverse("privacy")).text
    for part in ("Version 2026-11", "why there is no banner", "48 hours before", "90 days", "400 days"):
        assert part in notice


@pytest.mark.parametrize("state", ["rejected", "left", "approved", "submitted"])
def test_papers_are_kept_for_ninety_days(state: str, files: Path, django_capture_on_commit_callbacks: Any) -> None:
    provider = make_provider(state="approved" if state == "left" else state, now=NOW - 10 * DAY)
    VerificationDocument.objects.filter(provider=provider).delete()
    paper = documents.add(provider, kind="licence", file=ContentFile(b"x", "x.pdf"), now=NOW)
    VerificationDocument.objects.filter(pk=paper.pk).update(created_at=NOW - 10 * DAY)
    if state == "left":
        Membership.objects.filter(provider=provider).delete()
    last = provider.events.latest("at").at
    is_over = state in ("rejected", "left")
    assert documents.delete_old(now=last + 90 * DAY - dt.timedelta(seconds=1)) == 0
    with django_capture_on_commit_callbacks(execute=True):
        assert documents.delete_old(now=max(last, NOW - 10 * DAY) + 90 * DAY) == is_over

    assert provider.documents.exists() is not is_over
    assert len(list(files.rglob("*.pdf"))) == (not is_over)


def test_what_gateways_sent_is_blanked_after_four_hundred_days() -> None:
    made = [
        GatewayEvent.objects.create(
            gateway="sandbox", event_id=state, kind="x", payload={"a": 1}, due_at=NOW, state=state
        )
        for state in ("processed", "ignored", "failed")
    ]
    GatewayEvent.objects.update(created_at=NOW)
    assert gateway_events.strip_old(now=NOW + 400 * DAY - dt.timedelta(seconds=1)) == 0
    assert gateway_events.strip_old(now=NOW + 400 * DAY) == 2
    assert [GatewayEvent.objects.get(pk=row.pk).payload for row in made] == [{}, {}, {"a": 1}]


def test_the_night_does_all_of_it(time_machine: Any) -> None:
    from petplace import tasks

    assert {"copies of data", "documents", "gateway payloads", "ways in"} <= set(tasks.CHORES)
    visit = make_booking(state="completed")
    time_machine.move_to(visit.ends_at + DAY, tick=False)
    Booking.objects.update(access_note="Under the pot")
    tasks.housekeeping()
    visit.refresh_from_db()
    assert visit.access_note == ""
