"""The pages of the site by name, and their addresses with things of the world of ``tests.api.operations``."""

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tests.api.operations import ABSENT, World


def _walk(resolver: Any, route: str = "", space: str = "") -> Iterator[tuple[str, str, URLPattern]]:
    for pattern in resolver.url_patterns:
        where = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern, where, f"{space}{pattern.namespace}:" if pattern.namespace else space)
        else:
            yield where, f"{space}{pattern.name or ''}", pattern


ALL = list(_walk(get_resolver()))
# Passkeys ask for the password first, whosever they are, and then are not there for others.
PASSKEYS = {"mfa_edit_webauthn", "mfa_remove_webauthn"}
# Their arguments stand in a part of the address further left.
NESTED: dict[str, dict[str, Any]] = {
    **{name: {"pk": 1} for name in PASSKEYS},
    "openid_connect_login": {"provider_id": "sso"},
    "openid_connect_callback": {"provider_id": "sso"},
}
# Which thing of ``World.ids`` the ``uid`` of a page is: by its namespace, or by how its name starts. The first counts.
THINGS = {
    "conversations:photo": "messages",
    "conversations": "conversations",
    "conversation": "conversations",
    "quick_reply": "quick-replies",
    "provider_photo": "photos",
    "reviews": "reviews",
    "review": "reviews",
    "pets": "pets",
    "payments": "invoices",
    "device": "devices",
    "messaging": "notifications",
    "document": "documents",
    "branch": "branches",
    "resource": "resources",
    "hours": "resources",
    "override": "resources",
    "time_off": "resources",
    "service": "services",
    "member": "members",
    "photo": "photos",
    "invoice": "invoices",
    "expense": "expenses",
    "promo_code": "promo-codes",
    "revoke_feed": "calendar-feeds",
    "end_app": "apps",
    "outbox": "outbox",
}


def page_url(world: World, name: str, pattern: URLPattern) -> str:
    """Return the address with things that exist, of ``world.owner`` and ``world.manager``."""
    if name in NESTED:
        return reverse(name, kwargs=NESTED[name])
    ids, (space, _, local) = world.ids, name.rpartition(":")
    thing = next((one for key, one in THINGS.items() if key in (name, space) or local.startswith(key)), "")
    values = {
        "slug": ids.get("slug", world.provider.slug),
        "uid": ids.get(thing, ABSENT),
        "row": ids["vaccinations" if local in ("vaccination_remove", "document") else "care-records"],
        "off": ids["time-off"],
        "reference": ids.get("reference", world.reference),
        "service_uid": ids["services"],
        "seq": "0",
        "verb": {"step": "start", "reasoned_step": "cancel"}.get(local, ""),
        "key": "abc",
        "ref": "sbx_0",
        "token": "abc",
        "uidb36": "1",
    }
    names = list(pattern.pattern.regex.groupindex)  # type: ignore[attr-defined]
    assert thing or "uid" not in names, f"say in THINGS of tests/api/addresses.py which thing {name} is about"
    unknown = [key for key in names if key not in values]
    assert not unknown, f"say in tests/api/addresses.py what {', '.join(unknown)} is in the address {name}"
    return reverse(name, kwargs={key: values[key] for key in names})
