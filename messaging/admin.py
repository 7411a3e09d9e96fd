"""Staff screens: what left the system, what waits, what failed and why."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from messaging.domain import outbox
from messaging.models import Delivery, Notification
from messaging.report_admin import ReportAdmin
from petplace.errors import DomainError
from petplace.roles import Right
from petplace.staff_admin import ByRight

__all__ = ["DeliveryAdmin", "NotificationAdmin", "ReportAdmin"]


class ReadOnly(ByRight):
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DeliveryInline(ReadOnly, admin.TabularInline):
    model = Delivery
    fields = ("channel", "state", "due_at", "attempts", "sent_at", "last_error")


@admin.register(Notification)
class NotificationAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("title", "user", "kind", "due_at", "read_at", "cancelled_at")
    list_filter = ("kind",)
    list_select_related = ("user",)
    search_fields = ("user__email", "title", "topic")
    date_hierarchy = "due_at"
    inlines = [DeliveryInline]


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("title", "to", "channel", "state", "due_at", "attempts", "sent_at", "last_error")
    list_filter = ("state", "channel")
    list_select_related = ("notification__user",)
    search_fields = ("notification__user__email", "notification__title", "last_error")
    date_hierarchy = "due_at"
    actions = ["send_again"]

    @admin.display(description="notification", ordering="notification__title")
    def title(self, delivery: Delivery) -> str:
        return delivery.notification.title

    @admin.display(ordering="notification__user__email")
    def to(self, delivery: Delivery) -> str:
        return delivery.notification.user.email

    @admin.action(description="Send again (those that were given up)", permissions=[Right.MODERATE])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        sent = 0
        for delivery in queryset:
            try:
                outbox.send_again(delivery, now=timezone.now())
            except DomainError as error:
                self.message_user(request, f"Delivery {delivery.uid}: {error.message}", messages.WARNING)
            else:
                sent += 1
        if sent:
            self.message_user(request, f"{sent} will be sent again.", messages.SUCCESS)
