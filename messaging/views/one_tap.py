"""What every page of a one-tap link has in common, and the one that switches e-mails off."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from messaging import kinds, links
from messaging.domain import unsubscribing

HEADERS = {
    "Cache-Control": "no-store, private",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
Page = Callable[[HttpRequest, str], HttpResponse]


def one_tap(page: Page) -> Page:
    """Guard the page of a link: dead ones get a clear page with the way on, and nobody stores or passes on the address.

    The address itself is the key, and no cookie adds to it: there is nothing for another site to borrow, so there is no
    CSRF token. (With ``no-referrer`` browsers hide the origin, too, and mail programs often keep no cookies.)
    """

    @csrf_exempt
    @require_http_methods(["GET", "HEAD", "POST"])
    @wraps(page)
    def guarded(request: HttpRequest, token: str) -> HttpResponse:
        try:
            response = page(request, token)
        except links.DeadLinkError as error:
            response = render(request, "messaging/link_dead.html", {"error": error}, status=error.status)
        for name, value in HEADERS.items():
            response[name] = value
        return response

    return guarded


@one_tap
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Switch e-mails off: a mail program posts ``List-Unsubscribe=One-Click`` by itself (RFC 8058), people a form."""
    now = timezone.now()
    link = links.read(token, now=now, verbs=[links.UNSUBSCRIBE])
    try:
        kind = kinds.get(link.subject.removeprefix("kind:"))
    except LookupError:
        raise links.DeadLinkError from None
    if request.method == "POST":
        scope = request.POST.get("scope", "")
        chosen = unsubscribing.choices(kind) if scope == "group" else [kind]
        unsubscribing.switch(link.user, chosen, is_on=scope == "again", now=now)
        if request.POST.get("List-Unsubscribe") == "One-Click":
            return HttpResponse("Done.", content_type="text/plain")
        return redirect(request.path)
    others = [one for one in unsubscribing.choices(kind) if one != kind]
    on = unsubscribing.still_on(link.user, [kind, *others])
    context = {
        "kind": kind,
        "group": kinds.GROUPS[kind.group],
        "person": link.user,
        "is_off": kind not in on,
        "are_others_on": any(one != kind for one in on),
    }
    return render(request, "messaging/unsubscribe.html", context)
