"""``manage.py permission_matrix``: make ``docs/permissions.md`` from the roles and the table of addresses."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from petplace import access, roles
from petplace.access import Column

WORDS = {"v": "looks", "c": "changes", "a": "adds", "d": "deletes"}


class Command(BaseCommand):
    help = "Print who may do what, address by address; --write puts it into docs/permissions.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true", help="write docs/permissions.md")
        parser.add_argument("--check", action="store_true", help="change nothing; end with 1 when it is out of date")

    def handle(self, *args: Any, **options: Any) -> None:
        path, text = Path(settings.BASE_DIR) / "docs" / "permissions.md", document()
        if options["write"]:
            path.write_text(text)
        elif not options["check"]:
            self.stdout.write(text, ending="")
        elif not path.exists() or path.read_text() != text:
            raise CommandError("docs/permissions.md is out of date: run manage.py permission_matrix --write")


def document() -> str:
    parts = [
        "# Who may do what",
        "",
        "Made by `manage.py permission_matrix --write` from `petplace/roles.py` and `petplace/access.py`; do not edit."
        " `tests/api/test_matrix.py` calls every address as everybody and holds it to this.",
        "",
        "## Rights",
        "",
        *_rights("right of the platform's staff", roles.PLATFORM_RIGHTS, roles.Right),
        "",
        *_rights("right in a provider's team", roles.TEAM_RIGHTS, roles.TeamRight),
        "",
        "Groups of the administration give the platform's roles; `is_staff` without a group gives nothing. A superuser"
        " may do all that an admin may, and set the rights of other superusers.",
        "",
        "## Addresses",
        "",
        "The thing in the address belongs to the owner, or to the provider of the manager and the staff. `+` is served"
        " (also with a refusal of the input or of the thing's state), `L` is asked to sign in, `F` may not (403), `.`"
        " learns nothing, as if it did not exist (404), `x` no such method (405).",
        "",
        "### Pages",
        "",
        *_addresses(access.PAGES),
        "",
        "### API",
        "",
        *_addresses(access.API),
        "",
        "### Administration",
        "",
        *_addresses(access.ADMINISTRATION),
        "",
        "| screens of | platform support | platform admin |",
        "|---|---|---|",
    ]
    for model, both in sorted(access.SCREENS.items()):
        parts.append(f"| `{model}` | " + " | ".join(", ".join(WORDS[one] for one in held) for held in both) + " |")
    parts += ["", "| action of a list | platform support | platform admin |", "|---|:-:|:-:|"]
    for name, who in sorted(access.ADMIN_ACTIONS.items()):
        marks = ("+" if column in who else "F" for column in (Column.SUPPORT, Column.ADMIN))
        parts.append(f"| `{name}` | " + " | ".join(marks) + " |")
    return "\n".join(parts) + "\n"


def _rights(title: str, held_by: Mapping[Any, Collection[str]], rights: Iterable[str]) -> Iterator[str]:
    yield f"| {title} | " + " | ".join(held_by) + " |"
    yield "|---|" + ":-:|" * len(held_by)
    for right in rights:
        yield f"| {right} | " + " | ".join("yes" if right in held else "" for held in held_by.values()) + " |"


def _addresses(table: Mapping[str, str]) -> Iterator[str]:
    """Yield a row for each address, its methods together where they answer alike."""
    yield "| address | " + " | ".join(Column) + " |"
    yield "|---|" + ":-:|" * len(Column)
    rows: dict[tuple[str, str], list[str]] = {}
    for key, line in table.items():
        method, _, where = key.partition(" ")
        rows.setdefault((_path_of(where), line), []).append(method)
    for (path, line), methods in sorted(rows.items()):
        yield f"| `{' '.join(methods)} {path}` | " + " | ".join(line) + " |"


def _path_of(where: str) -> str:
    """Return an address as people write it."""
    if where.startswith("/"):
        return where
    route = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", r"{\1}", access.routes()[where][0])
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route).replace("^", "").rstrip("$").replace(r"\Z", "")
