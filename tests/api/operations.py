"""All operations of the API as the OpenAPI document names them, and a world in which each has something to act on."""

import copy
import datetime as dt
import itertools
import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.core.files.base import ContentFile
from django.test import RequestFactory
from rest_framework.test import APIClient

from accounts.domain import exporting
from accounts.models import User
from bookings.models import CalendarFeed
from messaging.domain import quick_replies
from messaging.models import Notification
from payments.domain import expenses
from petplace.api.views import SchemaView
from pets.models import Pet
from providers.domain import documents, hours
from providers.models import AddOn, Branch, Membership, Provider, Resource, Service
from reviews import domain as reviews
from tests.factories import (
    DEVICE_KEYS,
    NOW,
    CareRecordFactory,
    DeviceFactory,
    PetFactory,
    StaffFactory,
    UserFactory,
    VaccinationFactory,
    make_admin,
    make_booking,
    make_branch,
    make_promo,
    make_provider,
    make_quote,
    make_service,
    make_support,
    write,
)

KINDS = ("owner", "manager", "staff", "stranger", "worker", "support", "admin", "visitor")
ABSENT = "00000000-0000-4000-8000-000000000000"


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document as clients get it."""
    made: dict[str, Any] = json.loads(SchemaView.as_view()(RequestFactory().get("/api/v1/schema/")).content)
    return made


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    spec: dict[str, Any] = field(hash=False, compare=False)

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def is_public(self) -> bool:
        return {} in self.spec.get("security", [])

    @property
    def query(self) -> list[dict[str, Any]]:
        return [item for item in self.spec.get("parameters", []) if item["in"] == "query"]

    @property
    def placeholders(self) -> list[str]:
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def is_upload(self) -> bool:
        return "multipart/form-data" in self.spec.get("requestBody", {}).get("content", {})

    @property
    def body(self) -> dict[str, Any] | None:
        """Return the schema of the JSON body, with the component that it refers to."""
        content = self.spec.get("requestBody", {}).get("content", {})
        return resolve(content["application/json"]["schema"]) if "application/json" in content else None


def closed(whole: dict[str, Any]) -> dict[str, Any]:
    """Return the document with every object of an answer closed, so that a member it does not name breaks it.

    Clients must not rely on that: we add members. Problems stay open, as some have members of their own.
    """
    whole = copy.deepcopy(whole)
    components, done = whole["components"]["schemas"], {"Problem"}

    def close(schema: Any) -> None:
        if isinstance(schema, list):
            for item in schema:
                close(item)
        if not isinstance(schema, dict):
            return
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        if name and name not in done:
            done.add(name)
            close(components[name])
        if isinstance(schema.get("properties"), dict):
            schema.setdefault("additionalProperties", False)
        for item in schema.values():
            close(item)

    for methods in whole["paths"].values():
        for operation in methods.values():
            close(operation["responses"])
    return whole


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema or "allOf" in schema or "oneOf" in schema or "anyOf" in schema:
        if "$ref" in schema:
            schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        else:
            schema = next(schema[name] for name in ("allOf", "oneOf", "anyOf") if name in schema)[0]
    return schema


@cache
def operations() -> tuple[Operation, ...]:
    return tuple(
        Operation(method, path, spec)
        for path, methods in document()["paths"].items()
        for method, spec in methods.items()
        if method in ("get", "post", "put", "patch", "delete")
    )


@dataclass
class World:
    """Somebody of every kind, and one of everything."""

    owner: User
    manager: User
    worker: User
    stranger: User
    staff: User
    support: User
    admin: User
    pet: Pet
    provider: Provider
    branch: Branch
    resource: Resource
    service: Service
    addon: AddOn
    reference: str
    reviewed: str
    ids: dict[str, str]

    def url(self, operation: Operation, **replaced: str) -> str:
        """Return the operation's path with ids that exist; ``replaced`` puts others in their place."""
        return operation.path.format(**{**self.path_ids(operation), **replaced})

    def path_ids(self, operation: Operation) -> dict[str, str]:
        """Return what stands in the operation's path by the names of the placeholders."""
        ids = self.ids
        if str(operation) == "GET /api/v1/bookings/{id}/review/":
            ids = {**ids, "bookings": self.reviewed}
        return {
            name: ids[before]
            for before, part in itertools.pairwise(operation.path.split("/"))
            for name in re.findall(r"\{(\w+)\}", part)
        }

    def known(self) -> dict[str, Any]:
        """Return values that our rules accept, by the name of the field."""
        return {
            "provider": str(self.provider.uid),
            "service": str(self.service.uid),
            "branch": str(self.branch.uid),
            "resource": str(self.resource.uid),
            "pets": [str(self.pet.uid)],
            "addons": [],
            "quote": self.ids["quotes"],
            "start": (NOW + dt.timedelta(days=3)).isoformat(),
            "end": (NOW + dt.timedelta(days=3, hours=1)).isoformat(),
            "email": self.stranger.email,
            "time_zone": "Europe/Berlin",
            "currency": "EUR",
            "price": {"amount": 2500, "currency": "EUR"},
            "extra_pet_price": {"amount": 100, "currency": "EUR"},
            "given_on": "2026-06-01",
            "valid_until": "2027-06-01",
            "on": "2026-06-01",
            "date": "2027-02-01",
            "birth_date": "2020-06-01",
            "latitude": 52.5,
            "longitude": 13.4,
            "country": "DE",
            "phone": "+49 30 901820",
            "endpoint": "https://push.example.test/send/abc",
            "p256dh": DEVICE_KEYS[0],
            "auth": DEVICE_KEYS[1],
            "rating": 5,
            "aspects": {"communication": 5},
        }

    def clients(self) -> dict[str, APIClient]:
        """Return a client for each kind of caller."""
        return {name: client_of(getattr(self, name, None)) for name in KINDS}

    def sample(self, schema: dict[str, Any], name: str = "") -> Any:
        """Return a value that fits ``schema``, and our rules as far as names tell them."""
        known = {**self.known(), "token": ""}
        if name in known:
            return known[name]
        schema = resolve(schema)
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type")
        kind = next((one for one in kind if one != "null"), None) if isinstance(kind, list) else kind
        match kind:
            case "object":
                properties = schema.get("properties", {})
                return {key: self.sample(value, key) for key, value in properties.items()}
            case "array":
                return [self.sample(schema["items"])]
            case "boolean":
                return True
            case "integer" | "number":
                return max(schema.get("minimum", 1), 1)
        return {"date": "2027-02-01", "date-time": "2027-02-01T10:00:00Z", "uuid": ABSENT}.get(
            schema.get("format", ""), "09:00" if "[0-5]" in schema.get("pattern", "") else "Text"
        )


def client_of(user: User | None) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(user)
    return client


def make_world(*, code: str = "SPRING") -> World:
    owner, manager, stranger = UserFactory(), UserFactory(), UserFactory()
    pet = PetFactory(owner=owner, photo=ContentFile(b"x", "photo.png"))
    provider = make_provider(manager)
    branch = make_branch(provider)
    resource = branch.resources.get()
    service = make_service(branch, is_instant=False, addons=[("Brushing", 500)])
    document = documents.add(provider, kind="identity", file=ContentFile(b"%PDF-1.4", "paper.pdf"), now=NOW)
    photo = documents.add_photo(provider, ContentFile(b"x", "photo.png"), caption="Garden")
    off = hours.add_time_off(
        resource, start=NOW + dt.timedelta(days=20), end=NOW + dt.timedelta(days=21), reason="Away", now=NOW
    )
    hours.set_override(resource, on=dt.date(2027, 3, 1), now=NOW)
    done = make_booking(service, state="completed", owner=owner, pets=[pet])
    review = reviews.write(done, by=owner, rating=5, text="Fine.", now=done.ends_at + dt.timedelta(hours=1))
    reviews.write(done, by=manager, rating=5, text="Friendly.", now=done.ends_at + dt.timedelta(hours=2))
    booking = make_booking(
        service, state="confirmed", owner=owner, pets=[pet], starts_at=NOW + dt.timedelta(days=2, hours=6)
    )
    message = write(booking.conversation, owner, now=NOW, photo=ContentFile(b"x", "photo.jpg"))
    exporting.ask(owner, now=NOW)
    feed = CalendarFeed.objects.create(user=owner, audience="owner")
    notification = Notification.objects.create(user=owner, kind="x", key="x", title="x", due_at=NOW)
    expense = expenses.add(
        provider, category="supplies", amount=500, on=NOW.date(), by=manager, now=NOW,
        receipt=ContentFile(b"%PDF-1.4", "receipt.pdf"),
    )  # fmt: skip
    ids = {
        "pets": pet.uid,
        "vaccinations": VaccinationFactory(pet=pet, document=ContentFile(b"%PDF-1.4", "pass.pdf")).uid,
        "care-records": CareRecordFactory(pet=pet, attachment=ContentFile(b"%PDF-1.4", "letter.pdf")).uid,
        "providers": provider.uid,
        "branches": branch.uid,
        "resources": resource.uid,
        "services": service.uid,
        "members": provider.memberships.get().uid,
        "documents": document.uid,
        "photos": photo.uid,
        "time-off": off.uid,
        "overrides": "2027-03-01",
        "quotes": make_quote(service, owner=owner, pets=[pet], starts_at=NOW + dt.timedelta(days=4)).uid,
        "bookings": booking.uid,
        "invoices": booking.invoice.uid,
        "promo-codes": make_promo(code, provider=provider).uid,
        "expenses": expense.uid,
        "reviews": review.uid,
        "calendar-feeds": feed.uid,
        "calendar": feed.token,
        "notifications": notification.uid,
        "devices": DeviceFactory(user=owner).uid,
        "conversations": booking.conversation.uid,
        "messages": message.uid,
        "quick-replies": quick_replies.add(provider, title="Key", text="Where is the key?").uid,
    }
    return World(
        owner=owner,
        manager=manager,
        stranger=stranger,
        worker=Membership.objects.create(provider=provider, user=UserFactory(), role="staff").user,
        staff=StaffFactory(),
        support=make_support(),
        admin=make_admin(),
        pet=pet,
        provider=provider,
        branch=branch,
        resource=resource,
        service=service,
        addon=service.addons.get(),
        reference=booking.reference,
        reviewed=str(done.uid),
        ids={name: str(value) for name, value in ids.items()},
    )
