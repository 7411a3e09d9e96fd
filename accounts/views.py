"""Pages of one's own account. Passwords, addresses and browser sessions are allauth's pages."""

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import guessing, permissions
from accounts.domain import closing, credentials, families, profile, second_factor
from accounts.forms import CloseForm, ProfileForm
from accounts.models import TokenFamily
from petplace.errors import DomainError
from petplace.http import SignedInRequest


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
    return render(request, "accounts/close.html", {"form": form}, status=200)
