"""The pages of talks, the same for both sides.

What a page's script uses: ``since`` answers the bubbles after a number as HTML; ``send``, ``read`` and ``delivered``
answer JSON to whoever accepts only that, and a redirect to a form. An error is ``{"code", "detail"}`` then.
"""

from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from messaging import about
from messaging.bubbles import Bubble, bubbles, counterpart, shown_text
from messaging.domain import conversations, moderation
from messaging.forms import AskForm, MessageForm, ReportForm
from messaging.models import Conversation, Message, QuickReply, Seat
from messaging.permissions import blocking_sides
from messaging.views.doors import Door
from petplace.errors import DomainError
from petplace.http import SignedInRequest
from petplace.uploads import private_response
from providers.models import Provider
from providers.permissions import can_work_for

TALKS_SHOWN = 25
MESSAGES_SHOWN = 50
MOST_SINCE = 200


@require_GET
def talk_list(request: SignedInRequest, door: Door) -> HttpResponse:
    """Show all talks, newest first; on a wide screen beside an empty place for one."""
    return render(request, "messaging/talks.html", _list_context(request, door))


@require_GET
@never_cache
def talk(request: SignedInRequest, door: Door, uid: UUID) -> HttpResponse:
    """Show one talk from its end, or what came before ``?before=``."""
    found = door.find(request.user, uid)
    quick = request.GET.get("quick", "")
    return _talk_page(request, door, found, MessageForm(initial=_fresh(door, quick)))


@require_GET
@never_cache
def since(request: SignedInRequest, door: Door, uid: UUID, seq: int) -> HttpResponse:
    """Return the bubbles after number ``seq`` as HTML, oldest first; at most 200, then ask again."""
    found = door.find(request.user, uid)
    rows = list(_messages(found).filter(seq__gt=seq).order_by("seq")[:MOST_SINCE])
    before = _messages(found).filter(seq=seq).first() if rows else None
    seen = conversations.seen_by_other_side(found, door.side)
    shown = bubbles(rows, found, reader=request.user, side=door.side, seen=seen, before=before)
    context = {"bubbles": shown, "report_url": door.url("conversation_report", uid)}
    answer = render(request, "messaging/_bubbles.html", context)
    answer["X-Last-Seq"] = str(rows[-1].seq if rows else found.last_seq)
    answer["X-Seen-Seq"], answer["X-Delivered-Seq"] = map(str, seen)
    return answer


@require_POST
def send(request: SignedInRequest, door: Door, uid: UUID) -> HttpResponse:
    found = door.find(request.user, uid)
    form = MessageForm(request.POST, request.FILES)
    status = 400
    if form.is_valid():
        try:
            message = conversations.post(
                found, by=request.user, side=door.side, now=timezone.now(), **_posted(form.cleaned_data)
            )
        except DomainError as error:
            if _wants_json(request):
                return _json_error(error)
            form.add_error("text", error.message)
            status = error.status
        else:
            if _wants_json(request):
                return JsonResponse({"seq": message.seq, "client_id": str(message.client_id)}, status=201)
            return redirect(f"{door.url('conversation', uid)}#end")
    if _wants_json(request):
        detail = " ".join(text for texts in form.errors.values() for text in texts)
        return JsonResponse({"code": "invalid", "detail": detail, "errors": form.errors}, status=400)
    return _talk_page(request, door, found, form, status=status)


@require_POST
def read(request: SignedInRequest, door: Door, uid: UUID) -> HttpResponse:
    return _mark(request, door, uid, conversations.read)


@require_POST
def delivered(request: SignedInRequest, door: Door, uid: UUID) -> HttpResponse:
    return _mark(request, door, uid, conversations.deliver)


def _mark(request: SignedInRequest, door: Door, uid: UUID, mark: Any) -> HttpResponse:
    found = door.find(request.user, uid)
    given = request.POST.get("upto", "")
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        return JsonResponse({"code": "invalid", "detail": "Say up to which number."}, status=400)
    mark(found, by=request.user, side=door.side, upto=int(given), now=timezone.now())
    return HttpResponse(status=204) if _wants_json(request) else redirect(door.url("conversation", uid))


@require_POST
def mute(request: SignedInRequest, door: Door, uid: UUID) -> HttpResponse:
    is_muted = request.POST.get("on") == "1"
    conversations.mute(door.find(request.user, uid), by=request.user, is_muted=is_muted)
    told = "You get no notifications of this conversation." if is_muted else "You get notifications again."
    messages.success(request, told)
    return redirect(door.url("conversation", uid))


@require_http_methods(["GET", "HEAD", "POST"])
def report(request: SignedInRequest, door: Door, uid: UUID) -> HttpResponse:
    """Ask what is wrong, and hand the talk to staff."""
    found = door.find(request.user, uid)
    asked = request.POST.get("message") or request.GET.get("message") or ""
    form = ReportForm(request.POST or None, initial={"message": asked})
    message = _message_of(found, asked)
    if request.method == "POST" and form.is_valid():
        try:
            moderation.report(
                found,
                by=request.user,
                side=door.side,
                reason=form.cleaned_data["reason"],
                text=form.cleaned_data["text"],
                message=message,
                now=timezone.now(),
            )
        except DomainError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, "Thank you. We look at it and tell you what we did.")
        return redirect(door.url("conversation", uid))
    name, back = counterpart(found, door.side), door.url("conversation", uid)
    context = _page_context(request, door) | {"form": form, "name": name, "back_url": back, "subtitle": f"With {name}"}
    context["quote"] = shown_text(message, found, door.side)[0] if message is not None else ""
    status = 400 if request.method == "POST" else 200
    return render(request, "messaging/report.html", context, status=status)


@require_POST
def block(request: SignedInRequest, door: Door, uid: UUID) -> HttpResponse:
    found = door.find(request.user, uid)
    moderation.block(found, by=request.user, side=door.side)
    messages.success(request, f"{counterpart(found, door.side)} cannot write to you any more.")
    return redirect(door.url("conversation", uid))


@require_POST
def unblock(request: SignedInRequest, door: Door, uid: UUID) -> HttpResponse:
    found = door.find(request.user, uid)
    moderation.unblock(found, by=request.user, side=door.side)
    messages.success(request, f"{counterpart(found, door.side)} can write to you again.")
    return redirect(door.url("conversation", uid))


@login_required
@require_GET
def photo(request: SignedInRequest, uid: UUID) -> HttpResponse:
    """Serve a photo to who may read its talk, from either side."""
    message = get_object_or_404(Message.objects.visible_to(request.user).exclude(photo=""), uid=uid)
    return private_response(message.photo, filename=f"photo {message.seq}")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: SignedInRequest, slug: str) -> HttpResponse:
    """Ask a provider something before booking."""
    provider = get_object_or_404(Provider.objects.public(), slug=slug)
    if can_work_for(request.user, provider):
        return redirect("provider:messages", slug)
    form = AskForm(request.POST or None, initial={"client_id": uuid4()})
    if request.method == "POST" and form.is_valid():
        try:
            message = conversations.enquire(provider, by=request.user, now=timezone.now(), **_posted(form.cleaned_data))
        except DomainError as error:
            form.add_error("text", error.message)
        else:
            return redirect("conversations:conversation", message.conversation.uid)
    status = 400 if request.method == "POST" else 200
    return render(request, "messaging/ask.html", {"form": form, "provider": provider}, status=status)


# --- What the pages show --------------------------------------------------------------------------


def _page_context(request: SignedInRequest, door: Door) -> dict[str, Any]:
    return {"door": door, "layout": door.layout, "provider": door.provider, "now": timezone.now()}


def _list_context(request: SignedInRequest, door: Door) -> dict[str, Any]:
    scope = door.talks(request.user)
    only_unread = request.GET.get("show") == "unread"
    if only_unread:
        scope = scope.unread_by(request.user, door.side)
    page = Paginator(scope.for_list(request.user, door.side), TALKS_SHOWN).get_page(request.GET.get("page"))
    return _page_context(request, door) | {
        "page_obj": page,
        "rows": _rows(page.object_list, door),
        "only_unread": only_unread,
    }


def _rows(talks: Any, door: Door) -> list[dict[str, Any]]:
    """Return each talk with the name of the other side and the beginning of its last message, in one query more."""
    found = list(talks)
    newest = Message.objects.filter(conversation__in=found, seq=F("conversation__last_seq"))
    last = {one.conversation_id: one for one in newest}
    rows = []
    for one in found:
        message = last.get(one.pk)
        rows.append(
            {
                "talk": one,
                "url": door.url("conversation", one.uid),
                "name": counterpart(one, door.side),
                "picture": one.provider.photo_url if not door.is_team else "",
                "last": _preview(message, one, door) if message is not None else "",
                "unread": one.unread,
            }
        )
    return rows


def _preview(message: Message, conversation: Conversation, door: Door) -> str:
    text = shown_text(message, conversation, door.side)[0] or "Photo"
    return f"You: {text}" if message.side == door.side else text


def _talk_page(
    request: SignedInRequest, door: Door, found: Conversation, form: MessageForm, *, status: int = 200
) -> HttpResponse:
    now = timezone.now()
    blocking = blocking_sides(found.provider_id, found.owner_id)
    seat = Seat.objects.filter(conversation=found, user=request.user).first()
    shown, has_earlier = _shown(request, door, found)
    is_blocked = door.side in blocking
    context = _list_context(request, door) | {
        "talk": found,
        "name": counterpart(found, door.side),
        "picture": "" if door.is_team else found.provider.photo_url,
        "urls": _urls(door, found.uid),
        "report_url": door.url("conversation_report", found.uid),
        "about": about.describe(found, door.side),
        "bubbles": shown,
        "has_earlier": has_earlier,
        "read_seq": seat.read_seq if seat else 0,
        "is_muted": bool(seat and seat.is_muted),
        "is_blocked": is_blocked,
        "is_closed": found.is_closed(now),
        "can_write": not found.is_closed(now) and not is_blocked,
        "form": form,
        "quick_replies": list(QuickReply.objects.filter(provider=door.provider)) if door.provider else [],
    }
    return render(request, "messaging/talk.html", context, status=status)


def _urls(door: Door, uid: UUID) -> dict[str, str]:
    verbs = ("send", "read", "delivered", "mute", "report", "block", "unblock")
    urls = {verb: door.url(f"conversation_{verb}", uid) for verb in verbs}
    since = door.url("conversation_since", uid, 0).removesuffix("0/")  # the script puts the number behind it
    return urls | {"since": since, "list": door.url("messages")}


def _shown(request: SignedInRequest, door: Door, found: Conversation) -> tuple[list[Bubble], bool]:
    rows = _messages(found).order_by("-seq")
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 10:
        rows = rows.filter(seq__lt=int(before))
    newest = list(rows[: MESSAGES_SHOWN + 1])
    has_earlier = len(newest) > MESSAGES_SHOWN
    page = newest[MESSAGES_SHOWN - 1 :: -1] if has_earlier else newest[::-1]
    seen = conversations.seen_by_other_side(found, door.side)
    return bubbles(page, found, reader=request.user, side=door.side, seen=seen), has_earlier


def _messages(found: Conversation) -> Any:
    return Message.objects.filter(conversation=found).select_related("author")


def _message_of(found: Conversation, uid: str) -> Message | None:
    """Return the named message of a talk; a name that is none of them counts as not named."""
    try:
        return _messages(found).filter(uid=UUID(uid), removed_at__isnull=True).first() if uid else None
    except ValueError:
        return None


def _fresh(door: Door, quick: str) -> dict[str, Any]:
    """Return what a new message starts with: a number of its own, and the quick reply that was chosen."""
    text = ""
    if quick and door.provider is not None:
        try:
            reply = QuickReply.objects.filter(provider=door.provider, uid=UUID(quick)).first()
        except ValueError:
            reply = None
        text = reply.text if reply else ""
    return {"client_id": uuid4(), "text": text}


def _posted(data: dict[str, Any]) -> dict[str, Any]:
    return {"text": data["text"], "client_id": data["client_id"], "photo": data.get("photo") or None}


def _wants_json(request: SignedInRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")


def _json_error(error: DomainError) -> JsonResponse:
    answer = JsonResponse({"code": error.code, "detail": error.message}, status=error.status)
    if "retry_after" in error.extra:
        answer["Retry-After"] = str(error.extra["retry_after"])
    return answer
