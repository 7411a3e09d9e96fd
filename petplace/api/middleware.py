"""What every answer of the API carries: an ETag on a GET, and who may keep it."""

import hashlib
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags

PREFIX = "/api/"
PRIVATE = "private, no-store"


class ApiAnswersMiddleware:
    """Tag GET answers, answer 304 to one that the client has, and let nobody keep what is not marked public.

    The tag is a hash of the body, so it is right whatever the body was made from; it saves the way to the client,
    not the work.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if self.is_async:
            return self._answer_async(request)
        return self._finish(request, self.get_response(request))

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        return self._finish(request, await self.get_response(request))

    def _finish(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not request.path.startswith(PREFIX):
            return response
        if not response.has_header("Cache-Control"):
            response["Cache-Control"] = PRIVATE
        patch_vary_headers(response, ["Authorization"])
        if (
            request.method not in ("GET", "HEAD")
            or response.status_code != 200
            or not isinstance(response, HttpResponse)
        ):
            return response
        if not response.has_header("ETag"):
            response["ETag"] = f'"{hashlib.blake2b(response.content, digest_size=16).hexdigest()}"'
        if "If-None-Match" not in request.headers:
            return response
        # A weak tag is the same body to a GET (RFC 9110, 13.1.2).
        known = {tag.removeprefix("W/") for tag in parse_etags(request.headers["If-None-Match"])}
        return self._not_modified(response) if known & {response["ETag"], "*"} else response

    @staticmethod
    def _not_modified(response: HttpResponse) -> HttpResponse:
        answer = HttpResponseNotModified()
        for name in ("Cache-Control", "Content-Location", "Date", "ETag", "Expires", "Last-Modified", "Vary"):
            if response.has_header(name):
                answer[name] = response[name]
        return answer
