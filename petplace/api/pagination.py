"""Lists are pages: ``{"count", "next", "previous", "results"}``. Feeds that grow go by cursor."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet
from rest_framework import pagination
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from petplace.api import fields

PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
MAX_PAGE = 10_000  # a deeper one is read row by row, by nobody


def read_page(request: Request) -> tuple[int, int]:
    """Return page and page size as asked, or raise 400. A larger size than allowed is cut to the largest."""
    page = _positive(request, "page", 1)
    if page > MAX_PAGE:
        raise NotFound("There is no such page.")
    return page, min(_positive(request, "page_size", PAGE_SIZE), MAX_PAGE_SIZE)


def _positive(request: Request, name: str, default: int) -> int:
    given = request.query_params.getlist(name)
    if not given or given == [""]:
        return default
    text = given[0]
    if len(given) > 1 or not (text.isascii() and text.isdigit()) or not text.strip("0"):
        raise ValidationError({name: ["Send one whole number from 1."]})
    return int(text) if len(text) < 10 else 10**9


def body(request: Request, results: Sequence[Any], *, count: int, page: int, page_size: int) -> dict[str, Any]:
    """Return the members of one page, for views that find and count by themselves."""
    url = request.build_absolute_uri()
    has_next = page * page_size < count
    return {
        "count": count,
        "next": replace_query_param(url, "page", page + 1) if has_next else None,
        "previous": replace_query_param(url, "page", page - 1) if page > 1 else None,
        "results": results,
    }


def schema_parameters() -> list[dict[str, Any]]:
    return [
        {
            "name": "page",
            "in": "query",
            "required": False,
            "schema": {"type": "integer", "minimum": 1, "default": 1},
        },
        {
            "name": "page_size",
            "in": "query",
            "required": False,
            "description": f"A larger number than {MAX_PAGE_SIZE} is taken as {MAX_PAGE_SIZE}.",
            "schema": {"type": "integer", "minimum": 1, "default": PAGE_SIZE},
        },
    ]


class PageNumberPagination(pagination.BasePagination):
    """``?page=`` and ``?page_size=``: a count and one slice, two queries whatever is asked."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request = request
        self.page, self.page_size = read_page(request)
        self.count = len(queryset) if isinstance(queryset, list) else queryset.count()
        start = (self.page - 1) * self.page_size
        if self.page > 1 and start >= self.count:
            raise NotFound("There is no such page.")
        return list(queryset[start : start + self.page_size]) if self.count else []

    def get_paginated_response(self, data: Any) -> Response:
        return Response(body(self.request, data, count=self.count, page=self.page, page_size=self.page_size))

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["count", "next", "previous", "results"],
            "properties": {
                "count": {"type": "integer", "minimum": 0},
                "next": link,
                "previous": link,
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return schema_parameters()

    def to_html(self) -> str:
        raise NotImplementedError


class CursorPagination(pagination.BasePagination):
    """``?cursor=`` for feeds, newest first: nothing is skipped or shown twice while rows are added.

    Name the instant to order by as ``instant_field``; ``uid`` breaks ties. One query per page.
    """

    instant_field = "created_at"

    def paginate_queryset(self, queryset: "QuerySet[Any]", request: Request, view: Any = None) -> list[Any]:
        self.request = request
        field = getattr(view, "cursor_field", self.instant_field)
        _, size = read_page(request)
        queryset = queryset.order_by(f"-{field}", "-uid")
        cursors = request.query_params.getlist("cursor")
        if cursors and cursors != [""]:
            instant, uid = self._decode(cursors)
            queryset = queryset.filter(Q(**{f"{field}__lt": instant}) | Q(**{field: instant, "uid__lt": uid}))
        rows = list(queryset[: size + 1])
        self.next_cursor = self._encode(getattr(rows[size - 1], field), rows[size - 1].uid) if rows[size:] else None
        return rows[:size]

    @staticmethod
    def _encode(instant: Any, uid: Any) -> str:
        return base64.urlsafe_b64encode(f"{fields.format_instant(instant)} {uid}".encode()).decode()

    @staticmethod
    def _decode(cursors: list[str]) -> tuple[Any, Any]:
        try:
            text = base64.b64decode(cursors[0].encode("ascii"), altchars=b"-_", validate=True).decode("ascii")
        except (UnicodeError, binascii.Error):
            text = ""
        first, _, second = text.partition(" ")
        instant, uid = fields.parse_instant(first), fields.parse_uuid(second)
        if instant is None or uid is None or len(cursors) > 1:
            raise ValidationError({"cursor": ["Take the cursor from the previous answer."]})
        return instant, uid

    def get_paginated_response(self, data: Any) -> Response:
        url = self.request.build_absolute_uri()
        link = replace_query_param(url, "cursor", self.next_cursor) if self.next_cursor else None
        return Response({"next": link, "previous": None, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        cursor = {"name": "cursor", "in": "query", "required": False, "schema": {"type": "string"}}
        return [cursor, schema_parameters()[1]]

    def to_html(self) -> str:
        raise NotImplementedError
