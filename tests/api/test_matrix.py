"""The permission matrix: every address as everybody, on things of their own, of others and of nobody.

A new address fails here until it has its line in ``petplace/access.py``; the failure says what to write, and
``manage.py permission_matrix --write`` then brings ``docs/permissions.md`` up to date.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import RequestFactory

from bookings.models.booking import BookingQuerySet
from messaging.models.conversation import ConversationQuerySet
from petplace import access, roles
from petplace.access import Column
from pets.views import access as pet_access
from tests.api.matrix import MARKERS, OPERATIONS, STRANGERS, Cast, absent, examine, leaks, make_cast, missing, undone
from tests.factories import UserFactory

KEYS = sorted(access.MATRIX)
NAMED = [key for key in KEYS if access.has_ids(key) and not access.is_admin(key)]
HOW_TO = (
    "Addresses without a line. Each is shown as it answers today to: "
    + ", ".join(Column)
    + ".\nRead every letter (petplace/access.py says what they mean): is that who may? If not, mend the view."
    "\nThen put the lines into the tables of petplace/access.py, in order, and run manage.py permission_matrix --write."
)


@pytest.fixture(scope="module")
def module_cast(undone_module: None) -> Cast:
    """Make the world once: every request is undone."""
    return make_cast()


@pytest.fixture
def cast(module_cast: Cast, db: None) -> Cast:
    return module_cast


def _wrong(cast: Cast, keys: list[str], look: Callable[[Cast, str], list[str]]) -> str:
    return "\n".join(line for key in keys for line in look(cast, key))


# --- Every address has its line, and answers as it says --------------------------------------------------------


def _without_line(cast: Cast) -> str:
    found = missing(cast)
    return "\n".join(line for table in found for line in (f"{table}:", *found[table]))


def test_every_address_has_its_line(cast: Cast) -> None:
    lines = _without_line(cast)

    assert not lines, f"{HOW_TO}\n{lines}"


def test_control_an_address_without_its_line_is_named_with_its_answers(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("GET pets:detail", "DELETE /api/v1/pets/{id}/", "GET admin:pets_pet_changelist"):
        monkeypatch.delitem(access.MATRIX, key)

    lines = _without_line(cast).splitlines()

    assert lines == [
        "API:",
        f'    "DELETE /api/v1/pets/{{id}}/": "{access.API["DELETE /api/v1/pets/{id}/"]}",',
        "SCREENS:",
        f'    "pets.pet": {access.SCREENS["pets.pet"]},'.replace("'", '"'),
        "PAGES:",
        f'    "GET pets:detail": "{access.PAGES["GET pets:detail"]}",',
    ]


def test_no_line_is_of_an_address_that_is_gone() -> None:
    known = {*access.routes(), *access.operations()}

    gone = [key for key in KEYS if key.partition(" ")[2] not in known and key not in known]

    assert not gone, f"Take these out of petplace/access.py: {gone}"


def test_lines_are_in_order() -> None:
    for table in (access.PAGES, access.API, access.ADMINISTRATION, access.SCREENS, access.ADMIN_ACTIONS):
        keys = list(table)
        assert keys == sorted(keys, key=lambda key: key.split(" ")[::-1])


def test_the_document_is_what_the_code_says() -> None:
    try:
        call_command("permission_matrix", check=True)
    except CommandError:
        pytest.fail("docs/permissions.md is out of date: run manage.py permission_matrix --write")


def test_control_a_changed_line_makes_the_document_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(access.PAGES, "GET pets:detail", "++++++++")

    with pytest.raises(CommandError, match="--write"):
        call_command("permission_matrix", check=True)


@pytest.mark.long
@pytest.mark.parametrize("part", ["PAGES", "API", "ADMINISTRATION"])
def test_everybody_everywhere(cast: Cast, part: str) -> None:
    """Call every address as everybody: the answers are the table's, and no marker reaches whom it is not for."""
    wrong = _wrong(cast, [key for key in KEYS if access.part_of(key) == part], examine)

    assert not wrong, f"\n{wrong}"


# --- Not yours, nobody's, tricks --------------------------------------------------------------------------------

# They say themselves that the key in the address is wrong.
SERVED_FOR_NOBODY = {
    "GET account_confirm_email", "GET account_reset_password_from_key", "POST account_reset_password_from_key",
}  # fmt: skip


def test_what_nobody_has_is_not_there(cast: Cast) -> None:
    ids = absent(cast.world.ids)
    found = []
    for key in NAMED:
        served = (
            one for one in (Column.OWNER, Column.MANAGER, Column.ADMIN) if access.letter_of(key, one) == access.YES
        )
        column = next(served, None)
        if column is not None and key not in SERVED_FOR_NOBODY:
            answer = cast.ask(column, key, ids=ids)
            if answer.letter != access.HIDDEN:
                found.append(f"{key}: {answer.status} for {column}")

    assert not found, "\n".join(found)


def test_a_foreign_part_under_a_thing_of_ones_own_is_not_there(cast: Cast) -> None:
    found = []
    for key in [key for key in OPERATIONS if key.count("{") > 1]:
        first = key.split("/{")[0].rpartition("/")[2]
        for column, own in cast.own.items():
            if first in own:
                answer = cast.ask(column, key, ids=cast.world.ids | {first: own[first]})
                if answer.letter not in (access.HIDDEN, access.FORBIDDEN, access.LOGIN) or leaks(column, answer):
                    found.append(f"{key}: {answer.status} {leaks(column, answer)} for {column}")

    assert not found, "\n".join(found)


TRICKS = (
    "owner={uid}", "user={uid}", "ordering=owner__password", "owner__email__startswith=zq", "expand=owner",
    "fields=password", "search=zq", "q=zq",
)  # fmt: skip


def test_filters_and_orderings_show_nothing_of_others(cast: Cast) -> None:
    """Z03: an order or a filter by what one may not see changes nothing, or is refused."""
    query = "?" + "&".join(TRICKS).format(uid=cast.world.owner.uid)
    found = []
    for key in [key for key in KEYS if key.startswith("GET ") and not access.is_admin(key)]:
        for column in STRANGERS:
            if access.letter_of(key, column) == access.YES:
                answer = cast.ask(column, key, query=query)
                if answer.status >= 500 or leaks(column, answer, key):
                    found.append(f"{key}: {answer.status} {leaks(column, answer)} for {column}")

    assert not found, "\n".join(found)


TRICKED_PAGES = {
    "GET bookings:detail", "GET conversations:conversation", "GET payments:detail", "GET pets:detail",
    "GET provider:booking", "GET provider:documents",
}  # fmt: skip


def test_tricks_with_path_and_method_open_nothing(cast: Cast) -> None:
    """Z08."""
    hidden = [key for key in NAMED if access.letter_of(key, Column.OTHER_OWNER) == access.HIDDEN]
    keys = [key for key in hidden if key.startswith("GET /") or key in TRICKED_PAGES]

    assert _wrong(cast, keys, _tricked) == ""


def _tricked(cast: Cast, key: str) -> list[str]:
    method, url, data = cast.request(key)
    head, _, tail = url.strip("/").partition("/")
    plain = url.rstrip("/")
    paths = (plain, f"{plain}.json", url.upper(), f"/{head}//{tail}/", f"/{head}/%2e/{tail}/")
    tried: list[tuple[str, str, dict[str, str]]] = [(method, path, {}) for path in paths]
    override = {"X-HTTP-Method-Override": method}
    tried += [
        ("POST", url, override), ("GET", url, override), ("POST", f"{url}?_method={method}", {}), ("HEAD", url, {}),
        ("OPTIONS", url, {}),
    ]  # fmt: skip
    found = []
    for way, path, headers in tried:
        answer = cast.send(Column.OTHER_OWNER, way, path, data if path != url else None, **headers)
        # 301 adds the slash, 405 knows no such method, and neither looks at the thing.
        is_refused = answer.status in (400, 301, 302, 403, 404, 405) or way == "OPTIONS"
        if not is_refused or leaks(Column.OTHER_OWNER, answer):
            found.append(f"{way} {path} {headers}: {answer.status} {leaks(Column.OTHER_OWNER, answer)}")
    return found


# --- The administration's actions ------------------------------------------------------------------------------


def _offered(user: Any) -> set[str]:
    request = RequestFactory().get("/admin/")
    request.user = user
    return {
        f"{model._meta.label_lower}.{name}"
        for model, screen in admin.site._registry.items()
        if screen.has_view_or_change_permission(request)
        for name in screen.get_actions(request)
    }


@pytest.mark.parametrize("column", [Column.SUPPORT, Column.ADMIN])
def test_actions_of_the_administration(cast: Cast, column: Column) -> None:
    """Z07: support decides nothing about papers, providers, money and roles."""
    assert _offered(cast.people[column]) == {name for name, who in access.ADMIN_ACTIONS.items() if column in who}


def test_permissions_to_look_and_change_offer_no_action(cast: Cast) -> None:
    """Staff without a role, whatever permissions somebody gave them one by one."""
    with undone():
        user = UserFactory(is_staff=True)
        user.user_permissions.set(Permission.objects.exclude(codename__startswith="delete_"))

        assert _offered(user) == set()


def test_an_action_that_is_not_offered_does_nothing_when_it_is_sent(cast: Cast) -> None:
    provider = cast.world.provider
    with undone():
        cast.page_client.force_login(cast.people[Column.SUPPORT])  # type: ignore[arg-type]
        cast.page_client.post(
            "/admin/providers/provider/",
            {"action": "suspend", "_selected_action": [provider.pk], "confirmed": "1", "reason": "Because."},
        )
        provider.refresh_from_db()

    assert provider.state == "approved"


# --- Controls: what looks for leaks finds them -----------------------------------------------------------------


SEEN_AT = (
    ("GET pets:detail", Column.OWNER),
    ("GET pets:photo", Column.OWNER),
    ("GET bookings:detail", Column.OWNER),
    ("GET payments:detail", Column.OWNER),
    ("GET conversations:conversation", Column.OWNER),
    ("GET messaging:devices", Column.OWNER),
    ("GET messaging:list", Column.OWNER),
    ("GET /api/v1/me/", Column.OWNER),
    ("GET /api/v1/me/", Column.MANAGER),
    ("GET /api/v1/providers/{id}/", Column.MANAGER),
    ("GET provider:booking", Column.MANAGER),
    ("GET provider:branch_edit", Column.MANAGER),
    ("GET provider:documents", Column.MANAGER),
    ("GET provider:expenses", Column.MANAGER),
    ("GET provider:hours_of", Column.MANAGER),
    ("GET provider:payouts", Column.MANAGER),
    ("GET provider:promo_codes", Column.MANAGER),
    ("GET provider:quick_replies", Column.MANAGER),
    ("GET dev:outbox", Column.ADMIN),
    ("GET admin:accounts_auditentry_changelist", Column.ADMIN),
    ("GET admin:accounts_user_change", Column.ADMIN),
    ("GET admin:bookings_incident_change", Column.ADMIN),
    ("GET admin:messaging_report_change", Column.ADMIN),
    ("GET admin:providers_provider_change", Column.ADMIN),
)


def test_markers_are_seen_by_whom_they_are_for(cast: Cast) -> None:
    """The markers are in the world: without this, nothing that looks for them could fail."""
    texts = "".join(cast.ask(column, key).text for key, column in SEEN_AT)

    assert {marker for marker in MARKERS if marker not in texts} == set()


def _all(self: Any, *_: Any, **__: Any) -> Any:
    return self


def _true(*_: Any, **__: Any) -> bool:
    return True


EVERYTHING = dict.fromkeys(roles.TEAM_RIGHTS, frozenset(roles.TeamRight))


@pytest.mark.control
@pytest.mark.parametrize(
    ("where", "name", "broken", "key", "column"),
    [
        (pet_access, "can_view", _true, "GET pets:detail", Column.OTHER_OWNER),
        (BookingQuerySet, "visible_to", _all, "GET /api/v1/bookings/{id}/", Column.OTHER_OWNER),
        (ConversationQuerySet, "visible_to", _all, "GET /api/v1/conversations/{id}/", Column.OTHER_MANAGER),
        (roles, "TEAM_RIGHTS", EVERYTHING, "GET provider:documents", Column.MEMBER),
        (roles, "rights_of", lambda user: frozenset(roles.Right), "GET dev:outbox", Column.OWNER),
    ],
)
def test_control_a_predicate_that_is_switched_off_is_caught(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, broken: Any, key: str, column: Column
) -> None:
    monkeypatch.setattr(where, name, broken)

    found = examine(cast, key)

    assert any(f"{column} got 200 (+)" in line for line in found), found
    assert any(f"reached {column}" in line for line in found), found
