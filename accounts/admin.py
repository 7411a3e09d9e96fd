"""Staff's view of people. Whether someone may sign in is changed by actions alone, which go through the domain."""

from importlib import import_module
from typing import Any, ClassVar

from allauth.account.decorators import secure_admin_login
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import FieldError, ObjectDoesNotExist, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html

from accounts.domain import closing, credentials, rights
from accounts.forms import AdminPasswordForm
from accounts.models import AuditAction, AuditEntry, TokenFamily, User
from petplace.errors import DomainError
from petplace.roles import Right, may, rights_of
from petplace.staff_admin import ByRight

# One door for everybody: the same limits, the same second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

# How people sign in changes by their own hands or by the actions below, which are on record; allauth's screens are not.
for _name in ("account", "mfa", "socialaccount", "usersessions"):
    import_module(f"allauth.{_name}.admin")
    for _model in apps.get_app_config(_name).get_models():
        if admin.site.is_registered(_model):
            admin.site.unregister(_model)


def staff_of(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


def _has_more(user: User, than: Any) -> bool:
    """Whether ``user`` may do things that ``than`` may not: who could set their password could do them too."""
    return user.is_superuser or not rights_of(user) <= rights_of(than)


@admin.register(User)
class UserAdmin(ByRight, DjangoUserAdmin):
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
    actions: ClassVar = ["ban", "allow", "remove_second_factor", "close_accounts"]
    fieldsets = (
        (None, {"fields": ("email", "password", "full_name", "phone", "uid")}),
        ("Place", {"fields": ("time_zone", "locale", "home_place", "home_latitude", "home_longitude")}),
        ("State", {"fields": ("is_active", "date_joined", "last_login", "closed_at", "token_version", "is_demo")}),
        ("Rights", {"fields": RIGHTS}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "full_name", "password1", "password2")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Roles are given by who has that right, more by superusers alone; a new account needs its address."""
        fields: list[str] = [name for name in self.readonly_fields if obj is not None or name != "email"]
        if request.user.is_superuser:
            return fields
        if not may(request.user, Right.ROLES):
            return [*fields, *RIGHTS]
        return [*fields, "is_superuser", "user_permissions"]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and not request.user.is_superuser and _has_more(obj, request.user):
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False  # accounts are closed, not deleted: bookings and invoices name them

    @admin.action(description="Ban: sign out everywhere and let in no more", permissions=[Right.PEOPLE])
    def ban(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in self._others(request, queryset.filter(is_active=True)):
            credentials.block(user, by=staff_of(request), now=timezone.now())
            messages.success(request, f"{user} is banned.")

    @admin.action(description="Let in again", permissions=[Right.PEOPLE])
    def allow(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in self._others(request, queryset.filter(is_active=False, closed_at__isnull=True)):
            credentials.unblock(user, by=staff_of(request), now=timezone.now())
            messages.success(request, f"{user} may sign in again.")

    @admin.action(
        description="Take the second factor away (lost, and shown who it is), and sign out", permissions=[Right.PEOPLE]
    )
    def remove_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in self._others(request, queryset.filter(closed_at__isnull=True)):
            credentials.reset_second_factor(user, by=staff_of(request), now=timezone.now())
            messages.success(request, f"{user} signs in with the password alone.")

    @admin.action(description="Close the account for good (anonymises)", permissions=[Right.PEOPLE])
    def close_accounts(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in self._others(request, queryset.filter(closed_at__isnull=True)):
            try:
                closing.close(user, by=staff_of(request), now=timezone.now())
            except DomainError as error:
                messages.error(request, f"{user}: {error.message}")
            else:
                messages.success(request, f"The account {user.uid} is closed.")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        request.rights_before = rights.of(User.objects.get(pk=obj.pk)) if change else rights.NONE  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        rights.record_change(form.instance, before=request.rights_before, by=staff_of(request), now=timezone.now())  # type: ignore[attr-defined]

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


class ActionFilter(admin.SimpleListFilter):
    title = "action"
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(AuditAction.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(admin.ModelAdmin):
    """Who did what; to look at. Rows hold no names of people, so the search also finds them by today's address."""

    list_display = ("at", "what", "actor_label", "target_label", "reason", "request_id")
    list_filter = (ActionFilter, "target_kind")
    list_select_related = ("actor",)
    date_hierarchy = "at"
    search_fields = ("=actor__email", "actor_label", "=target_uid", "target_label", "=request_id")
    search_help_text = "An address, a number (uid) of a person or thing, or a request id."
    show_full_result_count = False
    fields = (
        "at",
        "what",
        "actor_label",
        "actor_uid",
        "target",
        "target_kind",
        "target_uid",
        "before",
        "after",
        "reason",
        "request_id",
        "ip",
        "uid",
    )

    @admin.display(description="action", ordering="action")
    def what(self, entry: AuditEntry) -> str:
        return AuditAction(entry.action).label if entry.action in AuditAction.values else entry.action

    @admin.display(description="target", ordering="target_label")
    def target(self, entry: AuditEntry) -> str:
        """Lead to the thing where it still is."""
        try:
            model = apps.get_model(entry.target_kind)
            row = model._default_manager.get(uid=entry.target_uid)
            url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
        except (LookupError, ObjectDoesNotExist, FieldError, ValidationError, NoReverseMatch):
            return entry.target_label
        return format_html('<a href="{}">{}</a>', url, entry.target_label)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Find what was done to a person, too, by the address."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        people = User.objects.filter(email=User.objects.normalize_email(search_term)).values_list("uid", flat=True)
        if people:
            found = found | queryset.filter(target_uid__in=[str(uid) for uid in people])
        return found, may_repeat

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False
