"""Pictures of providers (public with the profile) and their papers (never public)."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from petplace.uploads import private_response
from providers import permissions
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
def document(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Serve a paper to the managers who handed it in and to the platform's staff."""
    found = get_object_or_404(VerificationDocument.objects.select_related("provider"), uid=uid)
    if not (permissions.can_review(request.user) or permissions.can_manage(request.user, found.provider)):
        raise Http404
    return private_response(found.file, filename=f"{found.provider.slug} {found.kind}")
