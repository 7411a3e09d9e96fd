"""Bases of all API views, and the views that belong to no app."""

from typing import Any, ClassVar

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework import viewsets
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.domain import second_factor
from petplace.api import problems
from petplace.api.params import Params
from petplace.api.renderers import JSONRenderer


class _Common:
    """Set ``cache_seconds`` for what anybody may see; ``params_class`` for the query parameters of the list."""

    cache_seconds: ClassVar[int] = 0
    params_class: ClassVar[type[Params] | None] = None
    # Staff whose account has no second factor yet get no further than the views that say so.
    is_before_second_factor: ClassVar[bool] = False
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]

    request: Request

    def params(self) -> dict[str, Any]:
        """Return the checked query parameters."""
        assert self.params_class is not None
        return self.params_class.read(self.request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if settings.REQUIRE_MFA and not self.is_before_second_factor and request.user.is_authenticated:
            second_factor.demand_of_staff(request.user, now=timezone.now())

    def get_authenticate_header(self, request: Request) -> str:
        """Say how to sign in even where a view authenticates nobody, so that 401 stays 401."""
        return 'Bearer realm="api"'

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        answer: HttpResponseBase = super().finalize_response(request, response, *args, **kwargs)
        # ``_user``, not ``user``: asking would sign in, which is what may just have failed.
        is_anonymous = getattr(getattr(request, "_user", None), "is_anonymous", False)
        if self.cache_seconds and is_anonymous and answer.status_code == 200 and request.method in ("GET", "HEAD"):
            answer.headers.setdefault("Cache-Control", f"public, max-age={self.cache_seconds}")
        return answer


class ApiView(_Common, APIView):
    """One resource or act."""


class GenericViewSet(_Common, viewsets.GenericViewSet[Any]):
    """Rows are named by ``uid``, in the path as ``{id}``; one that is no UUID does not match and is 404.

    Register on a ``SimpleRouter(use_regex_path=False)``.
    """

    lookup_field = "uid"
    lookup_url_kwarg = "id"
    lookup_value_converter = "uuid"


@csrf_exempt
def not_found(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    """Answer every path under ``/api/`` that is none of ours."""
    return problems.plain_response(404, "not_found", "There is nothing at this address. Paths end with a slash.")


class SchemaView(ApiView):
    """The OpenAPI document, made once per process."""

    permission_classes = [AllowAny]
    authentication_classes = []
    throttle_classes = []
    cache_seconds = 300
    _document: ClassVar[bytes] = b""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        if not SchemaView._document:
            made = SchemaGenerator().get_schema(request=None, public=True)
            SchemaView._document = JSONRenderer().render(made)
        answer = HttpResponse(SchemaView._document, content_type="application/vnd.oai.openapi+json")
        answer["Cache-Control"] = f"public, max-age={self.cache_seconds}"
        return answer


# Swagger UI sets styles on its elements; scripts stay our own files alone.
@method_decorator(csp_update({"style-src": ["'unsafe-inline'"]}), name="dispatch")
class DocsView(_Common, SpectacularSwaggerSplitView):
    permission_classes = [AllowAny]
    authentication_classes = []
    throttle_classes = []
    url_name = "api-schema"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)
