"""The world of the tests that walk the whole API: made once for a module, as every request is undone."""

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.test import override_settings

from tests.api.operations import World, make_world
from tests.factories import NOW


@pytest.fixture(scope="module")
def undone_module(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[None]:
    """Keep one transaction, one moment and one media folder for a module, and take all of it back at the end."""
    folder = tmp_path_factory.mktemp("media")
    with (
        time_machine.travel(NOW, tick=False),
        override_settings(MEDIA_ROOT=folder),
        django_db_blocker.unblock(),
        transaction.atomic(),
    ):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # this one stays open for the module
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def module_world(undone_module: None) -> World:
    return make_world()


@pytest.fixture
def world(module_world: World, db: None) -> World:
    return module_world
