"""Everybody at every address: the world of the matrix test, and how an answer is read.

The columns of ``petplace.access`` are people here. All things of ``World.ids`` belong to ``owner`` and to the provider
of ``manager`` and ``member``; the other two have things of their own, and staff has none.
"""

import copy
import datetime as dt
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.test import Client, RequestFactory
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.audit import AuditAction
from accounts.domain import audit
from accounts.models import TokenFamily, User
from bookings.domain import incidents
from bookings.models import Booking, Complaint
from messaging.domain import moderation
from messaging.models import Conversation, Delivery, Notification, OutboxMessage
from payments.gateways import history
from payments.models import PayoutAccount
from petplace import access
from petplace.access import Column
from providers.models import ProfileEdit
from tests.api import addresses
from tests.api.operations import ABSENT, Operation, World, client_of, make_world, operations
from tests.factories import (
    NOW,
    PetFactory,
    UserFactory,
    make_admin,
    make_booking,
    make_branch,
    make_provider,
    make_service,
    make_support,
)

# What must be seen by these columns alone, wherever it turns up. All of it is text that nothing else contains.
OWNERS, TEAMS, MANAGERS = {Column.OWNER}, {Column.MANAGER, Column.MEMBER}, {Column.MANAGER}
STAFF, ADMINS = {Column.SUPPORT, Column.ADMIN}, {Column.ADMIN}
MARKERS: dict[str, set[Column]] = {
    "zq-owner-mail": OWNERS | TEAMS | STAFF,
    "zqownerlast": OWNERS | TEAMS | STAFF,
    "1512345678": OWNERS | TEAMS | STAFF,  # the owner's phone
    "zqhome": OWNERS | STAFF,
    "52.417395": OWNERS | STAFF,  # where the owner lives
    "zqpet": OWNERS | TEAMS | STAFF,
    "zqchip": OWNERS | TEAMS | STAFF,
    "zqmedication": OWNERS | TEAMS | STAFF,
    "zqfeeding": OWNERS | TEAMS | STAFF,
    "zqpetnotes": OWNERS | TEAMS | STAFF,
    "zqpetfile": OWNERS | TEAMS | STAFF,
    "zqvet": OWNERS | TEAMS | STAFF,
    "zqcare": OWNERS | TEAMS | STAFF,
    "zqbookingnote": OWNERS | TEAMS | STAFF,
    "zqmessage": OWNERS | TEAMS | STAFF,
    "zqnotice": OWNERS | STAFF,
    "zqincident": STAFF,  # who reported it is not shown it again
    "zqreport": STAFF,
    "zqcomplaint": OWNERS | TEAMS | STAFF,
    "zqoutbox": ADMINS,
    "zqaudit": ADMINS,
    "zqdevice": OWNERS,
    "zqstreet": OWNERS | TEAMS | STAFF,  # the provider's exact address: after a booking
    "52.521193": OWNERS | TEAMS | STAFF,
    "zq-manager-mail": TEAMS | STAFF,
    "zqmanagerlast": OWNERS | TEAMS | STAFF,
    "1519876543": TEAMS | STAFF,  # the manager's phone
    "zqtax": OWNERS | TEAMS | STAFF,  # stands on invoices
    "zqdocument": MANAGERS | ADMINS,
    "zqstatereason": TEAMS | STAFF,
    "zqexpense": MANAGERS,
    "zqaccount": MANAGERS | ADMINS,
    "zqtimeoff": TEAMS | STAFF,
    "zqquick": TEAMS,
    "ZQPROMO": MANAGERS | ADMINS,
}
_NOISE = re.compile(
    r'(name="csrfmiddlewaretoken" value="|data-csrf="|csrf-token" content="|nonce="|request_id"?[:=] ?"?|Token": ")'
    r"[\w./+=-]+"
)


@dataclass
class Answer:
    """What came back. ``text`` is all that it says: its headers and its body."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def text(self) -> str:
        return f"{self.headers} {self.body}"

    @property
    def letter(self) -> str:
        """The letter of ``petplace.access``; an exclamation mark for what none of them says."""
        if self.status == 401 or (self.status == 302 and self.goes_to("/accounts/login/", "/admin/login/")):
            return access.LOGIN
        if self.status >= 500 or self.status == 429 or self.goes_to("/account/2fa/", reverse("mfa_index")):
            return "!"
        return {403: access.FORBIDDEN, 404: access.HIDDEN, 405: access.NO_METHOD}.get(self.status, access.YES)

    def goes_to(self, *paths: str) -> bool:
        where = self.headers.get("Location", "").partition("?")[0]
        return where in paths

    def without_ids(self, ids: dict[str, str]) -> str:
        """Return the answer without what differs from request to request, and without the ids that were asked for."""
        text = _NOISE.sub("", self.body)
        for value in sorted(set(ids.values()), key=len, reverse=True):
            if len(value) > 5:
                text = text.replace(value, "ID")
        return f"{self.status} {text}"


def _read(answer: Any) -> Answer:
    status = answer.status_code
    if status == 503 and answer.request["PATH_INFO"] in STREAMS:
        return Answer(200, dict(answer.headers), "")  # this client is no server that has streams
    raw = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return Answer(status, dict(answer.headers), raw.decode("utf-8", "replace"))


@dataclass
class Cast:
    """The world, who looks at it, and what the two others have of their own."""

    world: World
    people: dict[Column, User | None]
    sessions: dict[Column, str]
    own: dict[Column, dict[str, str]]
    page_client: Client
    api_client: APIClient

    def ask(self, column: Column, key: str, *, ids: dict[str, str] | None = None, query: str = "") -> Answer:
        """Return the answer to ``column`` at the address ``key``; what it does is undone."""
        method, url, data = self.request(key, ids)
        return self.send(column, method, url + query, data)

    def send(self, column: Column, method: str, url: str, data: Any = None, **headers: str) -> Answer:
        cache.clear()  # counts of limits
        with (
            undone(),
            _silence(),
            history.played(NOW),
        ):  # as the demo town: the sandbox moves money inside a transaction
            if url.startswith("/api/"):
                self.api_client.force_authenticate(copy.copy(self.people[column]))
                if data is None:
                    return _read(self.api_client.generic(method, url, headers=headers))
                return _read(getattr(self.api_client, method.lower())(url, data, format="json", headers=headers))
            name = settings.SESSION_COOKIE_NAME
            self.page_client.cookies = SimpleCookie({name: self.sessions[column]} if column in self.sessions else {})
            form = "application/x-www-form-urlencoded"
            return _read(self.page_client.generic(method, url, data or b"", content_type=form, headers=headers))

    def request(self, key: str, ids: dict[str, str] | None = None) -> tuple[str, str, Any]:
        """Return the method, the address and the body for ``key`` with ``ids`` in place of the world's."""
        method, _, rest = key.partition(" ")
        world = self.world if ids is None else copy.copy(self.world)
        if ids is not None:
            world.ids, world.reviewed = ids, ids["bookings"]
        if rest.startswith("/"):
            operation = OPERATIONS[key]
            data = self.world.sample(operation.body) if operation.body is not None and method != "GET" else None
            if key in BODIES:
                data = {name: data[name] for name in BODIES[key]}
            if data and "provider" in data:
                data["provider"] = self.world.ids["providers"]
            return method, world.url(operation), data
        pattern = access.routes()[rest][1]
        if rest.startswith("admin:"):
            return method, reverse(rest, kwargs=_admin_kwargs(rest, pattern.pattern.regex.groupindex)), None
        return method, addresses.page_url(world, rest, pattern), None


STREAMS = ("/api/v1/events/", "/events/")
# Where the address alone says who asks, there is nobody from whom the owner's things must be kept.
KEYED = {"GET /api/v1/calendar/{token}.ics"}
# What is sent where a body with every field of the document would be refused for itself, before anybody asks who sends.
BODIES: dict[str, tuple[str, ...]] = {
    "POST /api/v1/bookings/{id}/payment/": (),
    "POST /api/v1/bookings/{id}/reschedule/": ("start",),
    "POST /api/v1/conversations/": ("client_id", "provider", "text"),
    "POST /api/v1/conversations/{id}/report/": ("reason", "text"),
}
OPERATIONS: dict[str, Operation] = {f"{one.method.upper()} {one.path}": one for one in operations()}


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def _silence() -> Iterator[None]:
    """Write no log: each refusal would leave its traceback there."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


# Which row of a model the administration is asked for: the first, and of these one that is still to be decided.
ROWS: dict[str, dict[str, Any]] = {"providers.profileedit": {"field": "name"}}


def row_of(model: Any) -> Any:
    rows = model._default_manager.filter(**ROWS.get(model._meta.label_lower, {}))
    return rows.order_by("pk").first()


def _model_of(name: str) -> Any:
    """Return the model of a screen of the administration."""
    for model in admin.site._registry:
        if name.startswith(f"admin:{model._meta.app_label}_{model._meta.model_name}_"):
            return model
    return None


def _admin_kwargs(name: str, groups: Any) -> dict[str, str]:
    if name == "admin:app_list":
        return {"app_label": "accounts"}
    model = User if name == "admin:auth_user_password_change" else _model_of(name)
    row = row_of(model) if model is not None else None
    return dict.fromkeys(groups, "1" if row is None else str(row.pk))


def leaks(column: Column, answer: Answer, key: str = "") -> list[str]:
    """Return the markers in the answer that are not for ``column``."""
    if key in KEYED:
        return []
    return [marker for marker, readers in MARKERS.items() if column not in readers and marker in answer.text]


def make_cast() -> Cast:
    world = make_world()
    family = TokenFamily.objects.create(user=world.owner, current_jti=ABSENT, expires_at=NOW + dt.timedelta(days=1))
    world.ids |= {"slug": world.provider.slug, "reference": world.reference, "apps": str(family.uid)}
    _mark(world)
    member = UserFactory(full_name="Member Person")
    world.provider.memberships.create(user=member, role="staff")
    other, rival = world.stranger, UserFactory()
    theirs = make_provider(rival, name="Rival Paws")
    branch = make_branch(theirs)
    service = make_service(branch)
    pet = PetFactory(owner=other)
    booking = make_booking(service, owner=other, pets=[pet], starts_at=NOW + dt.timedelta(days=2))
    own = {
        Column.OTHER_OWNER: {"pets": str(pet.uid), "bookings": str(booking.uid), "reference": booking.reference},
        Column.OTHER_MANAGER: {
            "providers": str(theirs.uid),
            "branches": str(branch.uid),
            "services": str(service.uid),
            "slug": theirs.slug,
        },
    }
    people: dict[Column, User | None] = {
        Column.VISITOR: None,
        Column.OWNER: User.objects.get(pk=world.owner.pk),
        Column.OTHER_OWNER: other,
        Column.MANAGER: User.objects.get(pk=world.manager.pk),
        Column.MEMBER: member,
        Column.OTHER_MANAGER: rival,
        Column.SUPPORT: make_support(),
        Column.ADMIN: make_admin(),
    }
    Authenticator.objects.bulk_create(
        Authenticator(user=user, type=Authenticator.Type.TOTP, data={"secret": "x"}) for user in people.values() if user
    )  # nobody stands before the wall of the second factor: that has tests of its own
    client, sessions = Client(raise_request_exception=False), {}
    for column, user in people.items():
        if user is not None:
            client.force_login(user)
            sessions[column] = client.cookies[settings.SESSION_COOKIE_NAME].value
            client.cookies.clear()
    made = Cast(world, people, sessions, own, client, client_of(None))
    for column in sessions:  # the row of each session is written at its first page, and stays for the rest
        client.cookies = SimpleCookie({settings.SESSION_COOKIE_NAME: sessions[column]})
        client.get("/accounts/sessions/")
    return made


def _mark(world: World) -> None:
    """Write the markers into the rows, past all rules."""
    ids = world.ids

    def put(model: str, uid: str, /, **values: Any) -> None:
        assert apps.get_model(model)._default_manager.filter(uid=uid).update(**values) == 1, model

    put(
        "accounts.user",
        str(world.owner.uid),
        email="zq-owner-mail@example.test",
        full_name="Olivia Zqownerlast".replace("Zq", "zq"),
        phone="+491512345678",
        home_place="zqhome",
        home_latitude=52.417395,
        home_longitude=13.1,
    )
    put(
        "accounts.user",
        str(world.manager.uid),
        email="zq-manager-mail@example.test",
        full_name="Mona zqmanagerlast",
        phone="+491519876543",
    )
    put(
        "pets.pet",
        ids["pets"],
        name="zqpet",
        microchip="zqchip",
        medication_notes="zqmedication",
        feeding_notes="zqfeeding",
        notes="zqpetnotes",
        vet_name="zqvet",
        photo=default_storage.save("pets/a.jpg", ContentFile(b"zqpetfile")),
    )
    paper = default_storage.save("care/a.pdf", ContentFile(b"zqpetfile"))
    put("pets.vaccination", ids["vaccinations"], document=paper)
    put("pets.carerecord", ids["care-records"], note="zqcare", attachment=paper)
    put("messaging.message", ids["messages"], text="zqmessage")
    put("messaging.notification", ids["notifications"], title="zqnotice")
    put("messaging.device", ids["devices"], label="zqdevice")
    put("messaging.quickreply", ids["quick-replies"], text="zqquick")
    put("providers.branch", ids["branches"], address="zqstreet 7", latitude=52.521193)
    put("providers.provider", ids["providers"], tax_id="zqtax", state_reason="zqstatereason")
    put("providers.verificationdocument", ids["documents"], note="zqdocument")
    put("providers.timeoff", ids["time-off"], reason="zqtimeoff")
    put("payments.expense", ids["expenses"], note="zqexpense")
    put("payments.promocode", ids["promo-codes"], code="ZQPROMO")
    PayoutAccount.objects.create(provider=world.provider, gateway="sandbox", ref="zqaccount")
    Booking.objects.filter(uid=ids["bookings"]).update(note="zqbookingnote")
    booking = Booking.objects.get(uid=ids["bookings"])
    incidents.report(booking, kind="other", text="zqincident", by=world.owner, now=NOW)
    Complaint.objects.create(booking=booking, by=world.owner, text="zqcomplaint", made_at=NOW)
    talk = Conversation.objects.get(uid=ids["conversations"])
    moderation.report(talk, reason="spam", text="zqreport", by=world.owner, now=NOW)
    delivery = Delivery.objects.create(
        notification=Notification.objects.get(uid=ids["notifications"]), channel="email", due_at=NOW
    )
    kept = OutboxMessage.objects.create(
        delivery=delivery, channel="email", to="x", title="zqoutbox", html="<p>zqoutbox</p>"
    )
    ids["outbox"] = str(kept.uid)
    provider = world.provider
    ProfileEdit.objects.create(provider=provider, what="Name", field="name", by=world.manager, at=NOW)
    audit.record(AuditAction.BLOCK_USER, by=world.staff, target=world.owner, reason="zqaudit", now=NOW)


def absent(ids: dict[str, str]) -> dict[str, str]:
    """Return ids of nothing for everything."""
    others = {"slug": "no-such-provider", "reference": "BK-ZZZZZZ", "calendar": "x" * 43, "overrides": "2031-01-01"}
    return {name: others.get(name, ABSENT) for name in ids}


STRANGERS = (Column.OTHER_OWNER, Column.OTHER_MANAGER)


def _asked(key: str) -> tuple[Column, ...]:
    """Return who is sent to an address: everybody; to a screen of a model one of those who are the same to it, in turn.

    The administration asks people who are no staff to sign in before it looks at anything else.
    """
    if not access.is_admin(key) or key in access.ADMINISTRATION:
        return tuple(Column)
    people = tuple(Column)[1:-2]
    return (Column.VISITOR, people[len(key) % len(people)], Column.SUPPORT, Column.ADMIN)


def examine(cast: Cast, key: str) -> list[str]:
    """Return what is wrong at an address.

    Answers other than the table's; markers that got out; and whoever learns nothing of a thing must get the same bytes
    for an id that is nobody's (Z11).
    """
    line, found, seen = access.MATRIX[key], [], ""
    if key.endswith("_history") and row_of(_model_of(key.partition(" ")[2])) is None:
        return []  # Django sends everybody away from a history of nothing, before it asks who they are
    nobodys = absent(cast.world.ids)
    answers: dict[Column, Answer] = {}
    asked = _asked(key)
    for column, letter in zip(Column, line, strict=True):
        if column not in asked:
            seen += letter
            continue
        answers[column] = answer = cast.ask(column, key)
        seen += answer.letter
        if answer.letter != letter:
            found.append(f"{key}: {column} got {answer.status} ({answer.letter}) instead of {letter}")
        found += [f"{key}: {marker} reached {column}" for marker in leaks(column, answer, key)]
    stranger = next((one for one in STRANGERS if access.letter_of(key, one) == access.HIDDEN), None)
    if stranger is not None and access.has_ids(key) and not access.is_admin(key):
        other = cast.ask(stranger, key, ids=nobodys)
        if other.without_ids(nobodys) != answers[stranger].without_ids(cast.world.ids):
            found.append(f"{key}: {stranger} can tell a foreign thing from none ({other.status})")
    if seen != line:
        found.append(f'If this is meant, write in petplace/access.py:  "{key}": "{seen}",')
    return found


def observed(cast: Cast, key: str) -> str:
    """Return the line for an address as it answers today, or nothing for a method that does not exist there."""
    if not access.is_api(key):
        first = {cast.ask(column, key).letter for column in (Column.OTHER_MANAGER, Column.ADMIN)}
        if first == {access.NO_METHOD}:
            return ""
    seen, found = "", []
    for column in Column:
        answer = cast.ask(column, key)
        seen += answer.letter
        found += [f"{marker} reached {column}" for marker in leaks(column, answer, key)]
    return f'    "{key}": "{seen}",' + (f"  LEAK: {'; '.join(found)}" if found else "")


def missing(cast: Cast) -> dict[str, list[str]]:
    """Return what has no line yet, by the table where it belongs, each as it answers today."""
    found: dict[str, list[str]] = {}
    screens = {f"admin:{model._meta.label_lower.replace('.', '_')}_": model for model in admin.site._registry}
    for key in access.without_line():
        name = key.partition(" ")[2]
        model = next((model for start, model in screens.items() if _is_screen(name, start)), None)
        table, line = ("SCREENS", screen_of(cast, model)) if model else (access.part_of(key), observed(cast, key))
        if line and line not in found.get(table, ()):
            found.setdefault(table, []).append(line)
    return found


def _is_screen(name: str, start: str) -> bool:
    return name.removeprefix(start) in ("changelist", "change", "history", "add", "delete")


def screen_of(cast: Cast, model: Any) -> str:
    """Return the line of a model in ``SCREENS`` as the administration grants it today."""
    screen, both = admin.site._registry[model], []
    for column in (Column.SUPPORT, Column.ADMIN):
        request = RequestFactory().get("/admin/")
        request.user = cast.people[column]  # type: ignore[assignment]
        row = row_of(model)
        granted = {
            "view": screen.has_view_permission(request, row),
            "change": screen.has_change_permission(request, row),
            "add": screen.has_add_permission(request),
            "delete": screen.has_delete_permission(request, row),
        }
        both.append("".join(name[0] for name, is_granted in granted.items() if is_granted))
    return f'    "{model._meta.label_lower}": ("{both[0]}", "{both[1]}"),'
