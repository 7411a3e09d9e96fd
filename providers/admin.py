"""Staff screens: the queue of applications, and a look at what providers offer. Acts are calls of the domain."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import Count, F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timesince import timesince

from petplace.errors import DomainError
from petplace.money import format_money
from providers import permissions
from providers.domain import applications, documents
from providers.models import (
    Branch,
    Membership,
    Provider,
    ProviderEvent,
    PublicHoliday,
    Resource,
    Service,
    VerificationDocument,
)


class ReadOnly:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def file_link(document: VerificationDocument) -> str:
    url = reverse("provider:document_file", args=[document.uid])
    return format_html(
        '<a href="{}">{}</a>', url, f"{document.get_kind_display()}, handed in {document.created_at:%Y-%m-%d}"
    )


class DocumentInline(ReadOnly, admin.TabularInline):
    model = VerificationDocument
    fields = ("paper", "note", "valid_until", "check_label", "checked_by", "checked_at")
    readonly_fields = fields

    @admin.display(description="document")
    def paper(self, document: VerificationDocument) -> str:
        return file_link(document)


class MembershipInline(ReadOnly, admin.TabularInline):
    model = Membership
    fields = ("user", "role")


class BranchInline(ReadOnly, admin.TabularInline):
    model = Branch
    fields = ("name", "address", "city", "country", "time_zone", "is_active", "is_listed")
    readonly_fields = fields


class EventInline(ReadOnly, admin.TabularInline):
    model = ProviderEvent
    fields = ("at", "from_state", "to_state", "by", "reason")
    readonly_fields = fields


@admin.register(Provider)
class ProviderAdmin(ReadOnly, admin.ModelAdmin):
    """Choose State "Waiting for approval": the longest waiting stand first."""

    list_display = ("name", "kind", "state", "waiting_for", "paper_count", "rating_text", "created_at")
    list_filter = ("state", "kind", "submitted_at")
    search_fields = ("name", "slug", "memberships__user__email")
    ordering = (F("submitted_at").asc(nulls_last=True), "-created_at")
    readonly_fields = ("state", "state_reason", "submitted_at", "approved_at", "rating_text")
    exclude = ("rating_sum", "review_count", "avatar")
    inlines = [DocumentInline, MembershipInline, BranchInline, EventInline]
    actions = ["approve", "reject", "suspend", "reinstate"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        return super().get_queryset(request).annotate(papers=Count("documents"))

    @admin.display(description="waiting for", ordering="submitted_at")
    def waiting_for(self, provider: Provider) -> str:
        if provider.state != "submitted" or provider.submitted_at is None:
            return ""
        return timesince(provider.submitted_at, timezone.now())

    @admin.display(description="documents", ordering="papers")
    def paper_count(self, provider: Any) -> int:
        return int(provider.papers)

    @admin.display(description="rating")
    def rating_text(self, provider: Provider) -> str:
        return f"{provider.rating} ({provider.review_count})" if provider.review_count else ""

    @admin.action(description="Approve the chosen providers")
    def approve(self, request: HttpRequest, queryset: QuerySet[Provider]) -> HttpResponse | None:
        return self._ask(request, queryset, "approve", applications.approve)

    @admin.action(description="Reject the chosen providers")
    def reject(self, request: HttpRequest, queryset: QuerySet[Provider]) -> HttpResponse | None:
        return self._ask(request, queryset, "reject", applications.reject)

    @admin.action(description="Suspend the chosen providers")
    def suspend(self, request: HttpRequest, queryset: QuerySet[Provider]) -> HttpResponse | None:
        return self._ask(request, queryset, "suspend", applications.suspend)

    @admin.action(description="Reinstate the chosen providers")
    def reinstate(self, request: HttpRequest, queryset: QuerySet[Provider]) -> HttpResponse | None:
        return self._ask(request, queryset, "reinstate", applications.reinstate)

    def _ask(
        self, request: HttpRequest, queryset: QuerySet[Provider], name: str, act: Callable[..., Provider]
    ) -> HttpResponse | None:
        """Show who is meant with their documents and ask for a reason, then act on each by itself."""
        if not permissions.can_review(request.user):
            messages.error(request, "Only staff decide on applications.")
            return None
        providers = list(queryset.prefetch_related("documents"))
        needs_reason = name in ("reject", "suspend")
        reason = request.POST.get("reason", "").strip()
        if "confirmed" in request.POST and (reason or not needs_reason):
            for provider in providers:
                self._act(request, provider, name, act, reason)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": f"{name.capitalize()} providers",
            "providers": providers,
            "action": name,
            "needs_reason": needs_reason,
            "is_reason_missing": "confirmed" in request.POST,
            "checkbox_name": helpers.ACTION_CHECKBOX_NAME,
            "opts": self.model._meta,
        }
        return TemplateResponse(request, "admin/providers/decide.html", context)

    def _act(
        self, request: HttpRequest, provider: Provider, name: str, act: Callable[..., Provider], reason: str
    ) -> None:
        options: dict[str, Any] = {}
        if name == "approve":
            options["seen"] = _uids(request.POST.getlist(f"seen_{provider.pk}"))
        try:
            act(provider, by=request.user, now=timezone.now(), reason=reason, **options)
        except DomainError as error:
            messages.error(request, f"{provider.name}: {error.message}")
        else:
            messages.success(request, f"{provider.name}: done ({name}).")


def _uids(texts: list[str]) -> list[UUID]:
    """Return the ids of the documents that stood on the page."""
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found


@admin.register(VerificationDocument)
class DocumentAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("provider", "paper", "check_label", "valid_until", "checked_by", "created_at")
    list_filter = ("is_accepted", "kind")
    list_select_related = ("provider", "checked_by")
    search_fields = ("provider__name",)
    exclude = ("file",)
    readonly_fields = ("paper",)
    actions = ["accept", "refuse"]

    @admin.display(description="document")
    def paper(self, document: VerificationDocument) -> str:
        return file_link(document)

    @admin.action(description="Accept the chosen documents")
    def accept(self, request: HttpRequest, queryset: QuerySet[VerificationDocument]) -> None:
        self._check(request, queryset, is_accepted=True)

    @admin.action(description="Refuse the chosen documents")
    def refuse(self, request: HttpRequest, queryset: QuerySet[VerificationDocument]) -> None:
        self._check(request, queryset, is_accepted=False)

    def _check(self, request: HttpRequest, queryset: QuerySet[VerificationDocument], *, is_accepted: bool) -> None:
        if not permissions.can_review(request.user):
            messages.error(request, "Only staff check documents.")
            return
        for document in queryset:
            documents.check(document, by=request.user, is_accepted=is_accepted, now=timezone.now())  # type: ignore[arg-type]
        messages.success(request, "Recorded.")


@admin.register(Branch)
class BranchAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("name", "provider", "city", "country", "time_zone", "is_active", "is_listed")
    list_filter = ("is_listed", "is_active", "country")
    list_select_related = ("provider",)
    search_fields = ("name", "provider__name", "city", "address")
    exclude = ("mercator", "offer_mask")


@admin.register(Resource)
class ResourceAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("name", "kind", "branch", "user", "is_active")
    list_filter = ("kind", "is_active")
    list_select_related = ("branch", "user")
    search_fields = ("name", "branch__name", "branch__provider__name")


@admin.register(Service)
class ServiceAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("name", "kind", "provider", "branch", "price_text", "is_instant", "is_active")
    list_filter = ("kind", "is_active", "is_overnight")
    list_select_related = ("provider", "branch")
    search_fields = ("name", "provider__name")

    @admin.display(description="price", ordering="price")
    def price_text(self, service: Service) -> str:
        return format_money(service.price, service.provider.currency)


@admin.register(PublicHoliday)
class PublicHolidayAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("on", "country", "name")
    list_filter = ("country",)
    date_hierarchy = "on"
