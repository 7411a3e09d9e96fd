"""Staff's queue of reported talks: the longest waiting first. A talk opens for an hour, and who opened it is kept."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timesince import timesince
from django.views.decorators.http import require_GET, require_POST

from messaging.domain import moderation
from messaging.models import Message, Report, StaffLook
from petplace.errors import DomainError

MESSAGES_SHOWN = 500


class ReportForm(forms.ModelForm):
    outcome = forms.CharField(
        max_length=1000, widget=forms.Textarea(attrs={"rows": 4}), help_text="Who reported it reads this."
    )

    removes_message = forms.BooleanField(
        required=False,
        label="Remove the message",
        help_text="Both sides then read that it was removed. Its words stay here.",
    )

    class Meta:
        model = Report
        fields = ("outcome",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.message_id is None:
            del self.fields["removes_message"]


class StaffLookInline(admin.TabularInline):
    model = StaffLook
    fields = readonly_fields = ("by", "at")
    extra = 0
    can_delete = False
    verbose_name_plural = "Who has opened the conversation"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Report)
class ReportAdmin(admin.ModelAdmin):
    list_display = ("reason", "waits", "side", "owner", "provider", "by", "made_at", "closed_at", "closed_by")
    list_filter = (("closed_at", admin.EmptyFieldListFilter), "reason", "side")
    list_select_related = ("by", "closed_by", "conversation__owner", "conversation__provider")
    search_fields = ("by__email", "conversation__owner__email", "conversation__provider__name", "text")
    ordering = ("made_at", "pk")
    readonly_fields = (
        "reason", "side", "by", "owner", "provider", "made_at", "text", "quote", "read_it", "closed_at", "closed_by",
    )  # fmt: skip
    inlines = (StaffLookInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Report | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.is_open)

    def get_form(self, request: HttpRequest, obj: Report | None = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None and obj.is_open:
            return ReportForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Report | None = None) -> tuple[str, ...]:
        can_remove = obj is not None and obj.message_id is not None and self.has_change_permission(request, obj)
        return (*self.readonly_fields, "outcome", *(["removes_message"] if can_remove else []))

    @admin.display(description="Waits", ordering="made_at")
    def waits(self, report: Report) -> str:
        return timesince(report.made_at, report.closed_at or timezone.now()) if report.is_open else "Closed"

    @admin.display(description="Pet owner", ordering="conversation__owner__email")
    def owner(self, report: Report) -> str:
        return str(report.conversation.owner)

    @admin.display(description="Provider", ordering="conversation__provider__name")
    def provider(self, report: Report) -> str:
        return str(report.conversation.provider)

    @admin.display(description="The conversation")
    def read_it(self, report: Report) -> str:
        url = reverse("admin:messaging_report_look", args=[report.pk])
        return format_html(
            '<button type="submit" class="button" formaction="{}" formnovalidate>Read it</button> {}',
            url, "That you did is written down.",
        )  # fmt: skip

    def save_model(self, request: Any, obj: Report, form: Any, change: bool) -> None:
        said = form.cleaned_data
        try:
            moderation.close(
                obj,
                by=request.user,
                outcome=said["outcome"],
                removes_message=said.get("removes_message", False),
                now=timezone.now(),
            )
        except DomainError as error:
            self.message_user(request, error.message, messages.ERROR)

    def get_urls(self) -> list[URLPattern]:
        views = [
            path("<int:pk>/look/", self.admin_site.admin_view(require_POST(self.look)), name="messaging_report_look"),
            path(
                "<int:pk>/conversation/",
                self.admin_site.admin_view(require_GET(self.conversation)),
                name="messaging_report_conversation",
            ),
        ]
        return [*views, *super().get_urls()]

    def look(self, request: Any, pk: int) -> HttpResponse:
        """Write down that somebody opens it, and go there."""
        moderation.look(self._report(request, pk), by=request.user, now=timezone.now())
        return redirect("admin:messaging_report_conversation", pk)

    def conversation(self, request: Any, pk: int) -> HttpResponse:
        """Show the talk as it was written, for an hour after it was opened."""
        report = self._report(request, pk)
        if not moderation.is_looking(report, request.user, timezone.now()):
            return redirect("admin:messaging_report_change", pk)
        rows = Message.objects.filter(conversation=report.conversation).select_related("author").order_by("-seq")
        context = self.admin_site.each_context(request) | {
            "title": "A reported conversation",
            "report": report,
            "rows": list(rows[:MESSAGES_SHOWN])[::-1],
            "opts": self.opts,
        }
        return render(request, "admin/messaging/conversation.html", context)

    def _report(self, request: HttpRequest, pk: int) -> Report:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = Report.objects.select_related("conversation__owner", "conversation__provider", "by")
        return get_object_or_404(rows, pk=pk)
