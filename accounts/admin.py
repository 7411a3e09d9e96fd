"""Staff's view of people. Whether someone may sign in is changed by actions alone, which go through the domain."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.domain import closing, credentials
from accounts.forms import AdminLoginForm, AdminPasswordForm
from accounts.models import TokenFamily, User
from petplace.errors import DomainError

admin.site.login_form = AdminLoginForm

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    change_password_form = AdminPasswordForm
    list_display = ("email", "full_name", "is_active", "is_staff", "date_joined", "last_login")
    list_filter = ("is_active", "is_staff", "is_demo")
    search_fields = ("email", "full_name", "uid")
    ordering = ("-date_joined",)
    readonly_fields = (
        "uid",
        "email",
        "is_active",
        "is_demo",
        "date_joined",
        "last_login",
        "closed_at",
        "token_version",
    )
    filter_horizontal = ("groups", "user_permissions")
    actions: ClassVar = ["ban", "allow", "close_accounts"]
    fieldsets = (
        (None, {"fields": ("email", "password", "full_name", "phone", "uid")}),
        ("Place", {"fields": ("time_zone", "locale", "home_place", "home_latitude", "home_longitude")}),
        ("State", {"fields": ("is_active", "date_joined", "last_login", "closed_at", "token_version", "is_demo")}),
        ("Rights", {"fields": RIGHTS}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "full_name", "password1", "password2")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Rights are given by superusers; a new account needs its address."""
        fields: list[str] = [name for name in self.readonly_fields if obj is not None or name != "email"]
        return fields if request.user.is_superuser else [*fields, *RIGHTS]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False  # accounts are closed, not deleted: bookings and invoices name them

    @admin.action(description="Ban: sign out everywhere and let in no more", permissions=["change"])
    def ban(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in self._others(request, queryset.filter(is_active=True)):
            credentials.deactivate(user, now=timezone.now())
            self.log_change(request, user, "Banned")
            messages.success(request, f"{user} is banned.")

    @admin.action(description="Let in again", permissions=["change"])
    def allow(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in self._others(request, queryset.filter(is_active=False, closed_at__isnull=True)):
            credentials.reactivate(user)
            self.log_change(request, user, "Let in again")
            messages.success(request, f"{user} may sign in again.")

    @admin.action(description="Close the account for good (anonymises)", permissions=["change"])
    def close_accounts(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in self._others(request, queryset.filter(closed_at__isnull=True)):
            try:
                closing.close(user, now=timezone.now())
            except DomainError as error:
                messages.error(request, f"{user}: {error.message}")
            else:
                self.log_change(request, user, "Closed")
                messages.success(request, f"The account {user.uid} is closed.")

    def _others(self, request: HttpRequest, queryset: QuerySet[User]) -> list[User]:
        """Return those whom the acting person may touch: not themselves, and superusers by superusers alone."""
        allowed = []
        for user in queryset:
            if user.pk == request.user.pk or not self.has_change_permission(request, user):
                messages.error(request, f"{user}: you may not do this to this account.")
            else:
                allowed.append(user)
        return allowed


@admin.register(TokenFamily)
class TokenFamilyAdmin(admin.ModelAdmin):
    """Who is signed in over the API; to look at."""

    list_display = ("user", "created_at", "rotated_at", "expires_at", "revoked_at")
    list_select_related = ("user",)
    search_fields = ("user__email",)
    fields = ("user", "user_agent", "created_at", "rotated_at", "expires_at", "revoked_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: TokenFamily | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: TokenFamily | None = None) -> bool:
        return False
