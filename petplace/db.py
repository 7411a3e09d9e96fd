"""Transactions that survive what a busy database does to them."""

import functools
import logging
import random
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.db.models import QuerySet

from petplace.errors import DomainError

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

# https://www.postgresql.org/docs/current/errcodes-appendix.html
SERIALIZATION_FAILURE = "40001"
DEADLOCK_DETECTED = "40P01"
UNIQUE_VIOLATION = "23505"
EXCLUSION_VIOLATION = "23P01"
RETRIED = frozenset({SERIALIZATION_FAILURE, DEADLOCK_DETECTED})
CONFLICTS = frozenset({UNIQUE_VIOLATION, EXCLUSION_VIOLATION})
RETRIES = 3


def keys_of_either(*parts: QuerySet[Any]) -> QuerySet[Any]:
    """Return the keys of the rows of all ``parts``, to be used as ``pk__in=``.

    Each part is read by its own index. An OR with a subquery, or over joins, makes PostgreSQL read every row there is.
    """
    first, *others = (part.order_by().values("pk") for part in parts)
    return first.union(*others)


class ConflictError(DomainError):
    """Another request was faster. Nothing was written."""

    code = "conflict"
    message = "Somebody else changed this at the same moment. Please look again and repeat what you did."


def sqlstate(error: BaseException) -> str:
    """Return PostgreSQL's five-character code of a Django database error, or ''."""
    return str(getattr(error.__cause__, "sqlstate", None) or "")


def retried(function: Callable[P, R]) -> Callable[P, R]:
    """Run ``function`` in one transaction; a deadlock or a serialization failure runs it again, at most three times.

    The domain takes its locks in one order, so this is the belt to those braces. A unique or exclusion constraint that
    fires is a :class:`ConflictError` (409), never an error of ours. Inside another transaction nothing can be
    repeated, so there it is only a savepoint. A lock that is not to be had in ``lock_timeout`` goes up and is answered
    with 503.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        attempts = 0 if connection.in_atomic_block else RETRIES
        while True:
            try:
                with transaction.atomic():
                    return function(*args, **kwargs)
            except (OperationalError, IntegrityError) as error:
                _give_up_or_wait(error, attempts, function.__name__)
                attempts -= 1

    return run


def _give_up_or_wait(error: DatabaseError, attempts: int, name: str) -> None:
    state = sqlstate(error)
    if state in CONFLICTS:
        raise ConflictError from error
    if state not in RETRIED or attempts <= 0:
        raise error
    logger.warning("SQLSTATE %s in %s, %s attempts left", state, name, attempts)
    time.sleep(random.uniform(0.01, 0.05))  # noqa: S311 (spreads the losers, guards nothing)
