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
def module_world(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("media")
    with (
        time_machine.travel(NOW, tick=False),
        override_settings(MEDIA_ROOT=folder),
        django_db_blocker.unblock(),
        transaction.atomic(),
    ):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # this one stays open for the module
        yield make_world()
        transaction.set_rollback(True)


@pytest.fixture
def world(module_world: World, db: None) -> World:
    return module_world
