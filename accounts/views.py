"""Pages of one's own account. Passwords, addresses and browser sessions are allauth's pages."""

from allauth.usersessions.models import UserSession
from django.conf import settings as conf
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import guessing, permissions
from accounts.domain import closing, consents, credentials, exporting, families, profile, second_factor
from accounts.forms import CloseForm, ProfileForm
from accounts.models import ConsentKind, TokenFamily
from petplace.errors import DomainError
from petplace.http import SignedInRequest
from petplace.uploads import private_download


@login_required
@require_http_methods(["GET", "POST"])
def settings(request: SignedInRequest) -> HttpResponse:
    form = ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        profile.update(request.user, **form.changes)
        messages.success(request, "Your profile is saved.")
        return redirect("accounts:settings")
    context = {
        "form": form,
        "is_proven": permissions.has_proven_address(request.user),
        "session_count": UserSession.objects.filter(user=request.user).count(),
        "has_second_factor": second_factor.has_one(request.user),
        "app_count": TokenFamily.objects.live(request.user, now=timezone.now()).count(),
    }
    return render(request, "accounts/settings.html", context)


@login_required
@require_GET
def apps(request: SignedInRequest) -> HttpResponse:
    """Apps that are signed in over the API."""
    signed_in = TokenFamily.objects.live(request.user, now=timezone.now())
    return render(request, "accounts/apps.html", {"families": signed_in})


@login_required
@require_POST
def end_app(request: SignedInRequest, uid: str) -> HttpResponse:
    family = get_object_or_404(TokenFamily, uid=uid, user=request.user)
    families.end_family(family, now=timezone.now())
    messages.success(request, "The app is signed out.")
    return redirect("accounts:apps")


@login_required
@require_POST
def end_all(request: SignedInRequest) -> HttpResponse:
    """Sign out every app and every browser but this one."""
    credentials.sign_out_everywhere(
        request.user,
        now=timezone.now(),
        except_key=request.session.session_key,
        except_device=guessing.digest_of(request),
    )
    messages.success(request, "You are signed out everywhere but here.")
    return redirect("usersessions_list")


@login_required
@require_GET
def privacy(request: SignedInRequest) -> HttpResponse:
    """Show what was agreed to, and the copy of one's data."""
    now = timezone.now()
    export = request.user.exports.first()
    context = {
        "export": export,
        "key": exporting.key_of(export) if export is not None and export.is_open(now) else "",
        "minutes": conf.EXPORT_LINK_MINUTES,
        "consents": request.user.consents.all(),
        "has_news": consents.stands(request.user, ConsentKind.MARKETING),
    }
    return render(request, "accounts/privacy.html", context)


@login_required
@require_POST
def ask_export(request: SignedInRequest) -> HttpResponse:
    try:
        exporting.ask(request.user, now=timezone.now())
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "We are putting it together, and mail you when it is ready.")
    return redirect("accounts:privacy")


@require_GET
def export_file(request: HttpRequest, key: str) -> HttpResponseBase:
    """Answer the ZIP to whoever has the signed link, which lives for minutes: apps open it in a browser."""
    export = exporting.open_link(key, now=timezone.now())
    if export is None:
        raise Http404
    return private_download(export.file, filename=f"pet-place-{export.asked_at:%Y-%m-%d}")


@login_required
@require_POST
def news(request: SignedInRequest) -> HttpResponse:
    """Agree to news by mail, or take it back."""
    act = consents.give if request.POST.get("on") == "yes" else consents.withdraw
    act(request.user, ConsentKind.MARKETING, now=timezone.now())
    messages.success(request, "Saved.")
    return redirect("accounts:privacy")


@login_required
@require_http_methods(["GET", "POST"])
def close(request: SignedInRequest) -> HttpResponse:
    form = CloseForm(request.POST or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            closing.close(request.user, now=timezone.now())
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            logout(request)
            messages.success(request, "Your account is closed. Thank you for having been here.")
            return redirect("home")
    context = {"form": form, "obstacles": closing.obstacles(request.user)}
    return render(request, "accounts/close.html", context)
