"""The same POST sent twice does its work once.

    class QuoteViewSet(GenericViewSet):
        @idempotent
        def create(self, request): ...

How it is certain:

1. The key is inserted and committed before the work (``ON CONFLICT DO NOTHING``): of many at once one row stays.
2. The work, its answer and nothing else happen in one transaction that holds a lock on that row. A repeat that cannot
   have the lock knows that the first still runs: 409 ``idempotency_in_progress``.
3. They commit together. If the process, the database or the line dies before, neither exists and the next repeat does
   the work; if after, the answer is stored and the next repeat gets it. There is no state in between to wait for.

A refusal (4xx) undoes the work and is kept as the answer; a 5xx is not kept.

Work that talks to a gateway may hold no transaction meanwhile: ``idempotent_outside`` has a lock of the session in its
place. When the process dies before the answer is stored, a repeat does the work again, so that the work itself must be
one effect however often it is done.
"""

import contextlib
import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.http import HttpResponse, HttpResponseBase
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from petplace.api import problems
from petplace.http import caller_of
from petplace.models import IdempotencyKey

HEADER = "Idempotency-Key"
KEPT_FOR = timedelta(hours=24)
ADVISORY = 7_460_001  # the first half of our advisory locks' keys
_KEY = re.compile(r"[\x21-\x7e]{1,255}")

Handler = Callable[..., HttpResponseBase]


class _RefusedError(Exception):
    """Carries a refusal out of the transaction, so that what was written before it is undone."""

    def __init__(self, response: HttpResponseBase) -> None:
        self.response = response


def idempotent(handler: Handler) -> Handler:
    """Make a POST handler of an API view honor ``Idempotency-Key``; without the header nothing changes."""
    return _honoring(handler, _once)


def idempotent_outside(handler: Handler) -> Handler:
    """Do the same for a handler that must not run in a transaction, and may be run again from where it was."""
    return _honoring(handler, _once_outside)


def _honoring(handler: Handler, once: Callable[..., HttpResponseBase]) -> Handler:
    @functools.wraps(handler)
    def run(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        key = request.headers.get(HEADER)
        if key is None or not request.user.is_authenticated:
            return handler(view, request, *args, **kwargs)
        if not _KEY.fullmatch(key):
            raise ValidationError({HEADER: ["Send 1 to 255 printable ASCII characters without spaces."]})
        return once(view, request, key, functools.partial(handler, view, request, *args, **kwargs))

    run.is_idempotent = True  # type: ignore[attr-defined]
    return run


def _once(view: Any, request: Request, key: str, work: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    user_id, route, body_hash = caller_of(request).pk, _route(request), _hash(request.data)
    claim(user_id, route, key, body_hash)
    with transaction.atomic():
        row = lock(user_id, route, key)
        if row is None:
            return _in_progress()
        answer = _known(row, body_hash)
        if answer is None:
            answer = _work(view, request, work)
            _store(row, answer)
        return answer


def _once_outside(view: Any, request: Request, key: str, work: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    user_id, route, body_hash = caller_of(request).pk, _route(request), _hash(request.data)
    claim(user_id, route, key, body_hash)
    row = IdempotencyKey.objects.get(user_id=user_id, route=route, key=key)
    with _session_lock(row.pk) as is_ours:
        if not is_ours:
            return _in_progress()
        row.refresh_from_db()
        answer = _known(row, body_hash)
        if answer is None:
            try:
                response = work()
            except Exception as error:
                response = view.handle_exception(error)
            answer = _rendered(view, request, response)
            _store(row, answer)
        return answer


@contextlib.contextmanager
def _session_lock(number: int) -> Iterator[bool]:
    """Hold an advisory lock of this connection, if nobody has it. It ends with the connection at the latest."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [ADVISORY, number % 2**31])
        is_ours = bool(cursor.fetchone()[0])
    try:
        yield is_ours
    finally:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [ADVISORY, number % 2**31])


def _in_progress() -> HttpResponseBase:
    answer = problems.response(
        409, "idempotency_in_progress", "The first request with this Idempotency-Key is still running."
    )
    answer["Retry-After"] = "1"
    return answer


def _known(row: IdempotencyKey, body_hash: str) -> HttpResponseBase | None:
    """Return the answer that a key has already: the stored one, or that it was used for something else."""
    if row.created_at < timezone.now() - KEPT_FOR:
        row.body_hash, row.response_status, row.created_at = body_hash, None, timezone.now()
    if row.body_hash != body_hash:
        return problems.response(
            422, "idempotency_mismatch", "This Idempotency-Key was used with another body. Take a new key."
        )
    return None if row.response_status is None else _replay(row)


def _store(row: IdempotencyKey, response: HttpResponseBase) -> None:
    if response.status_code < 500:
        assert isinstance(response, HttpResponse)
        row.response_status = response.status_code
        row.response_body = response.content
        row.response_type = response.headers.get("Content-Type", "")
        row.save()


def _work(view: Any, request: Request, work: Callable[[], HttpResponseBase]) -> HttpResponse:
    """Do the work in a savepoint and return the rendered answer; a refusal undoes the savepoint."""
    try:
        with transaction.atomic():
            response = work()
            if response.status_code >= 400:
                raise _RefusedError(response)
    except _RefusedError as refused:
        response = refused.response
    except Exception as error:
        response = view.handle_exception(error)  # raises what is not an expected refusal
    return _rendered(view, request, response)


def _rendered(view: Any, request: Request, response: HttpResponseBase) -> HttpResponse:
    view.headers = view.default_response_headers
    rendered: Any = view.finalize_response(request, response)
    if hasattr(rendered, "render"):
        rendered.render()
    assert isinstance(rendered, HttpResponse)
    return rendered


def claim(user_id: int, route: str, key: str, body_hash: str) -> None:
    """Insert the key unless it is there. Committed at once, so that repeats see it while the first works."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO petplace_idempotencykey (user_id, route, key, body_hash, response_type, created_at)"
            " VALUES (%s, %s, %s, %s, '', now()) ON CONFLICT (user_id, route, key) DO NOTHING",
            [user_id, route, key, body_hash],
        )


def lock(user_id: int, route: str, key: str) -> IdempotencyKey | None:
    """Return the row with a lock held until the transaction ends, or None when another request holds it."""
    rows = IdempotencyKey.objects.select_for_update(skip_locked=True, no_key=True)
    return rows.filter(user_id=user_id, route=route, key=key).first()


def delete_old(*, now: datetime) -> int:
    """Forget keys that no repeat can use any more. Returns how many."""
    return IdempotencyKey.objects.filter(created_at__lt=now - KEPT_FOR).delete()[0]


def _replay(row: IdempotencyKey) -> HttpResponse:
    assert row.response_status is not None
    answer = HttpResponse(
        bytes(row.response_body or b""), status=row.response_status, content_type=row.response_type or None
    )
    answer["Idempotency-Replayed"] = "true"
    return answer


def _route(request: Request) -> str:
    route = f"{request.method} {request.path}"
    return route if len(route) <= 200 else hashlib.sha256(route.encode()).hexdigest()


def _hash(data: Any) -> str:
    """Hash the meaning of the body: the order of members and spaces do not matter."""
    plain = data.dict() if hasattr(data, "dict") else data
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()
