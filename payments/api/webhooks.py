"""Where the gateways tell what happened. Plain views: no session, no throttle, no Redis, only the database.

200 is answered after the event is stored and not before; anything else makes the gateway send it again.
"""

import logging

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from payments.domain import events
from payments.gateways import BadSignature, GatewayUnavailable, registry

logger = logging.getLogger(__name__)

RETRY_AFTER = "30"


@csrf_exempt
@require_POST
def receive(request: HttpRequest, gateway: str) -> HttpResponse:
    """Store a signed event once. 400 for what is not signed, 503 while the gateway cannot confirm its signature."""
    if not registry.is_known(gateway):
        raise Http404
    if int(request.headers.get("Content-Length") or 0) > settings.API_MAX_BODY_BYTES:
        return _problem(413, "too_large", "The event is too large.")
    try:
        events.receive(gateway, request.body, request.headers, now=timezone.now())
    except BadSignature as error:
        logger.warning("A webhook for %s was refused: it is not signed, or not now.", gateway)
        return _problem(400, error.code, error.message)
    except GatewayUnavailable as error:
        answer = _problem(503, error.code, error.message)
        answer["Retry-After"] = RETRY_AFTER
        return answer
    return JsonResponse({"status": "stored"})


def _problem(status: int, code: str, detail: str) -> HttpResponse:
    body = {"type": "about:blank", "title": "Not taken", "status": status, "detail": detail, "code": code}
    return JsonResponse(body, status=status, content_type="application/problem+json")
