"""Counting queries: a list asks the same for one row and for many."""

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext


def queries_of(call: Callable[[], Any]) -> list[str]:
    """Return the statements that ``call`` sends, after a first call that fills what is cached for good."""
    call()
    with CaptureQueriesContext(connection) as caught:
        call()
    return [query["sql"] for query in caught.captured_queries]


def assert_constant(call: Callable[[], Any], add_more: Callable[[], Any]) -> None:
    """Fail when ``call`` sends more statements after ``add_more`` has made more rows to show."""
    before = queries_of(call)
    add_more()
    after = queries_of(call)
    assert len(after) == len(before), "\n".join(after)
