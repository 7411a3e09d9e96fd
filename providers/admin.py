"""Staff screens: the queue of applications, and a look at what providers offer. Acts are calls of the domain."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.admin.widgets import AdminDateWidget
from django.db.models import Count, F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.timesince import timesince

from petplace.errors import DomainError
from petplace.money import format_money
from petplace.roles import Right, may
from petplace.staff_admin import ByRight
from providers import permissions
from providers.domain import applications, checks, documents, edits
from providers.models import (
    Branch,
    Membership,
    ProfileEdit,
    Provider,
    ProviderEvent,
    PublicHoliday,
    Resource,
    Service,
    VerificationDocument,
)


class ReadOnly(ByRight):
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _checklist_text(line: checks.Line) -> str:
    of = f" of {line.of}" if line.of else ""
    paper = line.document
    if paper is None:
        return f"{line.kind.label}{of}: missing"
    by = f" by {paper.checked_by.get_full_name()}" if paper.checked_by else ""
    at = f" on {paper.checked_at:%Y-%m-%d}" if paper.checked_at else ""
    until = f", until {paper.valid_until}" if paper.valid_until else ""
    return f"{line.kind.label}{of}: {paper.check_label.lower()}{by}{at}{until}"


def waiting_text(since: datetime | None) -> str:
    return timesince(since, timezone.now()) if since else ""


class DecisionAdmin(ReadOnly, admin.ModelAdmin):
    """A queue whose rows are decided once, by a form of their own, through the domain."""

    decision_fields: tuple[str, ...] = ()
    deciders: Right

    def is_open(self, row: Any) -> bool:
        raise NotImplementedError

    def decide(self, request: HttpRequest, row: Any, data: dict[str, Any]) -> None:
        raise NotImplementedError

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, self.deciders) and (obj is None or self.is_open(obj))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return self.form if obj is not None and self.is_open(obj) else super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = tuple(self.readonly_fields)
        return (*shown, *self.decision_fields) if obj is not None and self.is_open(obj) else shown

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        try:
            self.decide(request, obj, form.cleaned_data)
        except DomainError as error:
            messages.error(request, error.message)


class EditForm(forms.ModelForm):
    is_kept = forms.TypedChoiceField(
        choices=((True, "Keep it"), (False, "Put back what stood there")),
        coerce=lambda value: value == "True",
        widget=forms.RadioSelect,
        label="Decision",
    )
    note = forms.CharField(max_length=300, required=False, help_text="The provider reads it when it is put back.")

    class Meta:
        model = ProfileEdit
        fields = ("note",)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("is_kept") is False and not data.get("note", "").strip():
            self.add_error("note", "Say why: the provider reads it.")
        return data


@admin.register(ProfileEdit)
class EditAdmin(DecisionAdmin):
    """Sensitive edits after the approval, the longest waiting first. They count already."""

    form = EditForm
    deciders = Right.PROVIDERS
    decision_fields = ("is_kept", "note")
    list_display = ("what", "provider", "field", "by", "waits", "is_kept", "decided_by")
    list_filter = (("decided_at", admin.EmptyFieldListFilter), "field", "is_kept")
    list_select_related = ("provider", "by", "decided_by")
    search_fields = ("provider__name", "what")
    ordering = (F("decided_at").desc(nulls_first=True), "at")
    readonly_fields = ("provider", "what", "field", "before", "after", "by", "at", "decided_by", "decided_at")

    @admin.display(description="waits for")
    def waits(self, edit: ProfileEdit) -> str:
        return waiting_text(edit.at) if edit.is_open else ""

    def is_open(self, row: ProfileEdit) -> bool:
        return row.is_open and row.field != ProfileEdit.Field.DOCUMENT

    def decide(self, request: HttpRequest, row: ProfileEdit, data: dict[str, Any]) -> None:
        edits.decide(row, by=request.user, is_kept=data["is_kept"], note=data["note"], now=timezone.now())  # type: ignore[arg-type]


def file_link(document: VerificationDocument) -> str:
    url = reverse("provider:document_file", args=[document.uid])
    return format_html(
        '<a href="{}">{}</a>', url, f"{document.get_kind_display()}, handed in {document.created_at:%Y-%m-%d}"
    )


class DocumentInline(ReadOnly, admin.TabularInline):
    model = VerificationDocument
    fields = ("paper", "resource", "note", "valid_until", "check_label", "checked_by", "checked_at", "check_note")
    readonly_fields = fields

    @admin.display(description="document")
    def paper(self, document: VerificationDocument) -> str:
        return file_link(document)


class EditInline(ReadOnly, admin.TabularInline):
    model = ProfileEdit
    fields = ("at", "what", "by", "is_kept", "decided_by", "note")
    readonly_fields = fields


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

    list_display = ("name", "kind", "state", "waiting_for", "paper_count", "edit_count", "rating_text", "created_at")
    list_filter = ("state", "kind", "submitted_at")
    search_fields = ("name", "slug", "memberships__user__email")
    ordering = (F("submitted_at").asc(nulls_last=True), "-created_at")
    readonly_fields = (
        "state", "state_reason", "suspended_for", "submitted_at", "approved_at", "rating_text", "needed", "badge_texts"
    )  # fmt: skip
    exclude = ("rating_sum", "review_count", "avatar", "checked", "figures")
    inlines = [DocumentInline, EditInline, MembershipInline, BranchInline, EventInline]
    actions = ["approve", "reject", "suspend", "reinstate"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        return (
            super()
            .get_queryset(request)
            .annotate(
                papers=Count("documents", distinct=True),
                open_edits=Count("edits", filter=Q(edits__decided_at__isnull=True), distinct=True),
            )
        )

    @admin.display(description="edits to look at", ordering="open_edits")
    def edit_count(self, provider: Any) -> str:
        return str(provider.open_edits or "")

    @admin.display(description="checklist")
    def needed(self, provider: Provider) -> str:
        lines = checks.checklist(provider)
        if not lines:
            return "Nothing is asked for."
        return format_html_join("", "{}<br>", [(_checklist_text(line),) for line in lines])

    @admin.display(description="badges")
    def badge_texts(self, provider: Provider) -> str:
        found = provider.badges(timezone.now())
        return format_html_join("", "{}: {}<br>", [(one.label, one.facts) for one in found])

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

    @admin.action(description="Approve the chosen providers", permissions=[Right.PROVIDERS])
    def approve(self, request: HttpRequest, queryset: QuerySet[Provider]) -> HttpResponse | None:
        return self._ask(request, queryset, "approve", applications.approve)

    @admin.action(description="Reject the chosen providers", permissions=[Right.PROVIDERS])
    def reject(self, request: HttpRequest, queryset: QuerySet[Provider]) -> HttpResponse | None:
        return self._ask(request, queryset, "reject", applications.reject)

    @admin.action(description="Suspend the chosen providers", permissions=[Right.PROVIDERS])
    def suspend(self, request: HttpRequest, queryset: QuerySet[Provider]) -> HttpResponse | None:
        return self._ask(request, queryset, "suspend", applications.suspend)

    @admin.action(description="Reinstate the chosen providers", permissions=[Right.PROVIDERS])
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


class CheckForm(forms.ModelForm):
    decision = forms.TypedChoiceField(
        choices=((True, "Accept"), (False, "Refuse")), coerce=lambda value: value == "True", widget=forms.RadioSelect
    )
    valid_until = forms.DateField(
        required=False, widget=AdminDateWidget, help_text="As the document itself says. Empty: it does not run out."
    )
    note_to_provider = forms.CharField(max_length=300, required=False)

    class Meta:
        model = VerificationDocument
        fields = ("valid_until",)


@admin.register(VerificationDocument)
class DocumentAdmin(DecisionAdmin):
    """Papers, those that wait longest first. One that was checked can be checked again."""

    form = CheckForm
    deciders = Right.DOCUMENTS
    decision_fields = ("decision", "valid_until", "note_to_provider")
    list_display = ("provider", "paper", "resource", "check_label", "waits", "valid_until", "checked_by", "checked_at")
    list_filter = ("is_accepted", ("expired_at", admin.EmptyFieldListFilter), "kind")
    list_select_related = ("provider", "resource", "checked_by")
    search_fields = ("provider__name",)
    ordering = (F("checked_at").desc(nulls_first=True), "created_at")
    readonly_fields = (
        "provider", "resource", "paper", "note", "check_label", "checked_by", "checked_at", "expired_at", "check_note"
    )  # fmt: skip
    actions = ["accept", "refuse"]

    @admin.display(description="waits for")
    def waits(self, document: VerificationDocument) -> str:
        return waiting_text(document.created_at) if document.is_waiting else ""

    def is_open(self, row: VerificationDocument) -> bool:
        return True

    def decide(self, request: HttpRequest, row: VerificationDocument, data: dict[str, Any]) -> None:
        documents.check(
            row,
            by=request.user,  # type: ignore[arg-type]
            is_accepted=data["decision"],
            valid_until=data["valid_until"],
            note=data["note_to_provider"],
            now=timezone.now(),
        )

    @admin.display(description="document")
    def paper(self, document: VerificationDocument) -> str:
        return file_link(document)

    @admin.action(description="Accept the chosen documents", permissions=[Right.DOCUMENTS])
    def accept(self, request: HttpRequest, queryset: QuerySet[VerificationDocument]) -> None:
        self._check(request, queryset, is_accepted=True)

    @admin.action(description="Refuse the chosen documents", permissions=[Right.DOCUMENTS])
    def refuse(self, request: HttpRequest, queryset: QuerySet[VerificationDocument]) -> None:
        self._check(request, queryset, is_accepted=False)

    def _check(self, request: HttpRequest, queryset: QuerySet[VerificationDocument], *, is_accepted: bool) -> None:
        if not permissions.can_check(request.user):
            messages.error(request, "Only staff check documents.")
            return
        for document in queryset:
            try:
                documents.check(document, by=request.user, is_accepted=is_accepted, now=timezone.now())  # type: ignore[arg-type]
            except DomainError as error:
                messages.error(request, f"{document.provider.name}, {document}: {error.message}")
            else:
                messages.success(request, f"{document.provider.name}, {document}: recorded.")


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
