"""Staff screens: reviews and late cancellations are read here, objections are decided."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.timesince import timesince

from petplace.errors import DomainError
from petplace.http import SignedInRequest
from petplace.roles import Right
from petplace.staff_admin import ByRight
from reviews.choices import Decision, FlagTarget
from reviews.domain import moderation
from reviews.models import Flag, LateCancellation, Reply, Review

SHOWN_AGAIN = "Shown again by Pet Place."
NOT_TO_BLAME = "Pet Place found that the provider is not to blame."


class ReadOnly:
    """Nothing here is typed in: rows are written by what people and the system do."""

    def has_add_permission(self, request: SignedInRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: SignedInRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: SignedInRequest, obj: Any = None) -> bool:
        return False


class ReplyInline(ReadOnly, admin.StackedInline):
    model = Reply
    fields = ("by", "text", "made_at", "hidden_at")
    extra = 0


class FlagInline(ReadOnly, admin.TabularInline):
    model = Flag
    fields = ("made_at", "target", "reason", "by", "note", "decision", "answer", "closed_by")
    extra = 0


class _DecidingAdmin(ReadOnly, ByRight, admin.ModelAdmin):
    def each(self, request: SignedInRequest, chosen: "QuerySet[Any]", act: Any, done: str) -> None:
        """Take each row by itself: one that refuses says why and stops no other."""
        count = 0
        for row in chosen.order_by("pk"):
            try:
                act(row)
            except DomainError as error:
                self.message_user(request, f"{row}: {error.message}", messages.ERROR)
            else:
                count += 1
        if count:
            self.message_user(request, f"{count} {done}.", messages.SUCCESS)


@admin.register(Review)
class ReviewAdmin(_DecidingAdmin):
    list_display = ("booking", "provider", "side", "rating", "published_at", "hidden_at")
    list_filter = (
        "side", "rating", ("published_at", admin.EmptyFieldListFilter), ("hidden_at", admin.EmptyFieldListFilter)
    )  # fmt: skip
    list_select_related = ("provider", "booking")
    search_fields = ("provider__name", "author__email", "booking__reference", "text")
    date_hierarchy = "created_at"
    fields = (
        ("booking", "provider", "side"),
        ("author", "rating"),
        ("care", "communication", "punctuality", "value", "pet_as_described"),
        "text",
        ("created_at", "due_at", "published_at", "hidden_at"),
    )
    inlines = (ReplyInline, FlagInline)
    actions = ("show_again", "show_reply_again")

    @admin.action(description="Show again what was hidden", permissions=[Right.MODERATE])
    def show_again(self, request: SignedInRequest, chosen: "QuerySet[Review]") -> None:
        now = timezone.now()
        self.each(
            request, chosen,
            lambda review: moderation.show_again(review, by=request.user, reason=SHOWN_AGAIN, now=now), "shown again",
        )  # fmt: skip

    @admin.action(description="Show again the replies that were hidden", permissions=[Right.MODERATE])
    def show_reply_again(self, request: SignedInRequest, chosen: "QuerySet[Review]") -> None:
        now = timezone.now()
        self.each(
            request, chosen.filter(reply__isnull=False).select_related("reply"),
            lambda review: moderation.show_again(review.reply, by=request.user, reason=SHOWN_AGAIN, now=now),
            "replies shown again",
        )  # fmt: skip


@admin.register(LateCancellation)
class LateCancellationAdmin(_DecidingAdmin):
    list_display = ("provider", "booking", "text", "cancelled_at", "hidden_at")
    list_filter = (("hidden_at", admin.EmptyFieldListFilter),)
    list_select_related = ("provider", "booking")
    search_fields = ("provider__name", "booking__reference")
    date_hierarchy = "cancelled_at"
    fields = ("provider", "booking", "text", "cancelled_at", "hidden_at")
    actions = ("hide", "show")

    @admin.action(description="Take off the profile: the provider is not to blame", permissions=[Right.MODERATE])
    def hide(self, request: SignedInRequest, chosen: "QuerySet[LateCancellation]") -> None:
        self._set(request, chosen, is_hidden=True, done="taken off")

    @admin.action(description="Put back on the profile", permissions=[Right.MODERATE])
    def show(self, request: SignedInRequest, chosen: "QuerySet[LateCancellation]") -> None:
        self._set(request, chosen, is_hidden=False, done="put back")

    def _set(
        self, request: SignedInRequest, chosen: "QuerySet[LateCancellation]", *, is_hidden: bool, done: str
    ) -> None:
        now = timezone.now()
        self.each(
            request,
            chosen,
            lambda record: moderation.hide_cancellation(
                record, by=request.user, reason=NOT_TO_BLAME if is_hidden else SHOWN_AGAIN, is_hidden=is_hidden, now=now
            ),
            done,
        )


class DecisionForm(forms.ModelForm):
    """What Pet Place decides. Saving closes the objection, and all others to the same."""

    decision = forms.ChoiceField(choices=Decision, widget=forms.RadioSelect)
    answer = forms.CharField(
        max_length=moderation.TEXT_LENGTH,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Both read it: who objected, and who wrote what was objected to.",
    )

    class Meta:
        model = Flag
        fields = ("decision", "answer")


class OpenFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("decided", "Decided")]

    def queryset(self, request: Any, queryset: "QuerySet[Flag]") -> "QuerySet[Flag]":
        return queryset.filter(closed_at__isnull=self.value() == "open") if self.value() else queryset


@admin.register(Flag)
class FlagAdmin(admin.ModelAdmin):
    """The queue: what is open, the longest waiting first, and then what was decided."""

    list_display = ("reason", "target", "waits", "provider", "decision", "by")
    list_filter = (OpenFilter, "reason", "target", "decision")
    list_select_related = ("by", "closed_by", "review__provider")
    search_fields = ("by__email", "review__provider__name", "review__booking__reference", "review__text")
    ordering = (F("closed_at").desc(nulls_first=True), "made_at", "pk")
    readonly_fields = ("provider", "booking", "target", "reason", "by", "made_at", "note", "text", "author")

    def has_add_permission(self, request: SignedInRequest) -> bool:
        return False

    def has_delete_permission(self, request: SignedInRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: SignedInRequest, obj: Flag | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.is_open)

    def get_fields(self, request: SignedInRequest, obj: Flag | None = None) -> Any:
        decided = () if obj is None or obj.is_open else ("closed_at", "closed_by")
        return (*self.readonly_fields, "decision", "answer", *decided)

    def get_form(self, request: SignedInRequest, obj: Flag | None = None, **kwargs: Any) -> Any:
        return DecisionForm if obj is not None and obj.is_open else super().get_form(request, obj, **kwargs)

    @admin.display(description="Waits", ordering="made_at")
    def waits(self, flag: Flag) -> str:
        return timesince(flag.made_at) if flag.is_open else "Closed"

    @admin.display(ordering="review__provider__name")
    def provider(self, flag: Flag) -> str:
        return str(flag.review.provider)

    @admin.display(description="Visit")
    def booking(self, flag: Flag) -> str:
        return str(flag.review.booking)

    @admin.display(description="What it says")
    def text(self, flag: Flag) -> str:
        review = flag.review
        return review.reply.text if flag.target == FlagTarget.REPLY else f"{review.rating} of 5. {review.text}"

    @admin.display(description="Written by")
    def author(self, flag: Flag) -> str:
        return str(flag.review.reply.by if flag.target == FlagTarget.REPLY else flag.review.author)

    def save_model(self, request: SignedInRequest, obj: Flag, form: Any, change: bool) -> None:
        data = form.cleaned_data
        try:
            moderation.decide(
                obj, by=request.user, decision=data["decision"], answer=data["answer"], now=timezone.now()
            )
        except DomainError as error:
            self.message_user(request, error.message, messages.ERROR)
