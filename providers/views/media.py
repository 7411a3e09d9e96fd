"""Pictures of providers (public with the profile) and their papers (never public)."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_GET

from petplace.http import SignedInRequest
from petplace.uploads import private_response
from providers.domain import documents
from providers.models import Provider, ProviderPhoto, VerificationDocument

PUBLIC = "public, max-age=86400"


def _public(response: HttpResponse, provider: Provider) -> HttpResponse:
    if provider.is_public:
        response["Cache-Control"] = PUBLIC
    return response


def avatar(request: HttpRequest, slug: str) -> HttpResponse:
    provider = get_object_or_404(Provider.objects.visible_to(request.user), slug=slug)
    return _public(private_response(provider.avatar, filename=provider.slug), provider)


def photo(request: HttpRequest, uid: UUID) -> HttpResponse:
    found = get_object_or_404(ProviderPhoto.objects.select_related("provider"), uid=uid)
    if not Provider.objects.visible_to(request.user).filter(pk=found.provider_id).exists():
        raise Http404
    return _public(private_response(found.image, filename=found.provider.slug), found.provider)


@login_required
def document(request: SignedInRequest, uid: UUID) -> HttpResponse:
    """Lead a manager or staff to the paper by an address that lives for five minutes and for this person alone."""
    found = get_object_or_404(VerificationDocument.objects.select_related("provider"), uid=uid)
    if not documents.may_see(found, request.user):
        raise Http404
    token = documents.link_token(found, user=request.user, needs_session=True)
    response = redirect("provider:document_open", token)
    response["Cache-Control"] = "private, no-store"
    return response


@require_GET
def open_document(request: HttpRequest, token: str) -> HttpResponse:
    """Serve the paper behind a signed address. Who looks is written down; an old or foreign address leads nowhere."""
    visitor = request.user if request.user.is_authenticated else None
    found = documents.open_link(token, visitor=visitor, now=timezone.now())
    if found is None:
        raise Http404
    response = private_response(found.file, filename=f"{found.provider.slug} {found.kind}")
    response["Referrer-Policy"] = "no-referrer"
    return response
