"""Where the services of the channels say what became of a message. Plain views: no session, no throttle, no Redis.

What is not signed changes nothing. 2xx is answered after the report is stored and not before.
"""

import logging
from datetime import datetime
from uuid import UUID

from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.signals import tracking
from anymail.webhooks.sendgrid import SendGridTrackingWebhookView
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from messaging.channels import sms
from messaging.domain import addresses, reports
from petplace.api.fields import parse_uuid

logger = logging.getLogger(__name__)

# https://help.twilio.com/articles/223134027: the words that Twilio itself acts on, whatever we do.
STOP_WORDS = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"}
START_WORDS = {"START", "UNSTOP", "YES"}
SILENCE = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'  # TwiML: no answer of ours


@csrf_exempt
@require_POST
def twilio(request: HttpRequest) -> HttpResponse:
    """Take a status of a text that we sent, or a text that somebody sent to us (STOP, START)."""
    if not sms.is_configured():
        raise Http404
    if _is_too_large(request):
        return _problem(413, "too_large", "The report is too large.")
    fields = [(name, value) for name, values in request.POST.lists() for value in values]
    given = request.headers.get("X-Twilio-Signature", "")
    if not constant_time_compare(given, sms.signature(_called_url(request), fields)):
        logger.warning("A report of Twilio was refused: its signature is not right.")
        return _problem(403, "bad_signature", "The signature is not right.")
    if request.POST.get("MessageStatus"):
        _take_status(request, now=timezone.now())
    elif request.POST.get("From"):
        _take_text(request)
    return HttpResponse(SILENCE, content_type="text/xml")


@csrf_exempt
@require_POST
def sendgrid(request: HttpRequest) -> HttpResponse:
    """Take what SendGrid says of mails: delivered, bounced, dropped, called spam. anymail checks and reads it."""
    if not (settings.SENDGRID_WEBHOOK_KEY or settings.SENDGRID_WEBHOOK_SECRET):
        raise Http404
    if _is_too_large(request):
        return _problem(413, "too_large", "The report is too large.")
    reader = SendGridTrackingWebhookView()
    try:
        reader.run_validators(request)
    except AnymailWebhookValidationFailure:
        logger.warning("A report of SendGrid was refused: it is not signed, or not by the right one.")
        return _problem(403, "bad_signature", "The signature is not right.")
    try:
        events = reader.parse_events(request)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError):
        logger.warning("A report of SendGrid cannot be read.", exc_info=True)
        return _problem(400, "bad_request", "The report cannot be read.")
    for event in events:
        tracking.send(sender=SendGridTrackingWebhookView, event=event, esp_name=reader.esp_name)
    return HttpResponse()


def _take_status(request: HttpRequest, *, now: datetime) -> None:
    uid: UUID | None = parse_uuid(request.GET.get("delivery", ""))
    if uid is not None:
        reports.text(
            uid,
            status=request.POST["MessageStatus"],
            ref=request.POST.get("MessageSid", "")[:200],
            code=request.POST.get("ErrorCode", "")[:20],
            now=now,
        )


def _take_text(request: HttpRequest) -> None:
    word = (request.POST.get("OptOutType") or request.POST.get("Body", "")).strip().strip(".!\"'").upper()
    if word in STOP_WORDS:
        addresses.texts_stopped(request.POST["From"])
    elif word in START_WORDS:
        addresses.texts_started(request.POST["From"])


def _called_url(request: HttpRequest) -> str:
    """Return the address that Twilio called, which it signs: ours as people know it, whatever proxies made of it."""
    query = request.META.get("QUERY_STRING", "")
    return f"{settings.SMS_CALLBACK_URL}?{query}" if query else str(settings.SMS_CALLBACK_URL)


def _is_too_large(request: HttpRequest) -> bool:
    return int(request.headers.get("Content-Length") or 0) > settings.API_MAX_BODY_BYTES


def _problem(status: int, code: str, detail: str) -> HttpResponse:
    body = {"type": "about:blank", "title": "Not taken", "status": status, "detail": detail, "code": code}
    return JsonResponse(body, status=status, content_type="application/problem+json")
