"""What import-linter cannot say: which parts of Django and of an app the domain stays away from."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("accounts", "pets", "providers", "messaging", "payments", "bookings", "reviews")
DJANGO_DOORS = (
    "django.http",
    "django.shortcuts",
    "django.views",
    "django.forms",
    "django.contrib.messages",
    "rest_framework",
)
OWN_DOORS = tuple(f"{app}.{door}" for app in APPS for door in ("api", "views", "forms", "admin", "tasks", "urls"))


def inner_files() -> Iterator[Path]:
    for app in APPS:
        for name in ("domain", "models"):
            yield from (ROOT / app).glob(f"{name}.py")
            yield from (ROOT / app).glob(f"{name}/**/*.py")


def imports(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def doors_used(source: str) -> set[str]:
    return {
        name for name in imports(source) for door in (*DJANGO_DOORS, *OWN_DOORS) if f"{name}.".startswith(f"{door}.")
    }


@pytest.mark.parametrize("path", sorted(inner_files()), ids=lambda path: str(path.relative_to(ROOT)))
def test_domain_and_models_use_no_door(path: Path) -> None:
    assert doors_used(path.read_text()) == set()


@pytest.mark.parametrize(
    "line",
    [
        "from django.http import Http404",
        "from django import forms, http",
        "import rest_framework.fields",
        "def f():\n    from bookings.views import owner",
        "from bookings import tasks",
    ],
)
def test_the_check_sees_a_door(line: str) -> None:
    assert doors_used(line)
