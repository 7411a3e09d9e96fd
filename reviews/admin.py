"""Staff screens: reviews are read here."""

from django.contrib import admin
from django.http import HttpRequest

from reviews.models import Review


@admin.register(Review)
class ReviewAdmin(admin.ModelAdmin):
    list_display = ("provider", "rating", "author", "booking", "created_at")
    list_filter = ("rating",)
    list_select_related = ("provider", "author", "booking")
    search_fields = ("provider__name", "author__email", "booking__reference", "text")
    date_hierarchy = "created_at"
    fields = ("booking", "provider", "author", "rating", "text", "created_at")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Review | None = None) -> bool:
        return False
