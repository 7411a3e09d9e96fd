"""Bookings for staff: to look at, and to end where a person must. State and money change by the domain alone."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.timesince import timesince

from accounts.models import User
from bookings.domain import aftercare, incidents, lifecycle
from bookings.models import Allocation, Booking, BookingEvent, Complaint, Incident, IncidentNote, Quote, QuoteLine
from bookings.models.incident import Severity
from petplace.errors import DomainError
from petplace.http import SignedInRequest
from petplace.money import format_money
from petplace.roles import Right, may
from petplace.staff_admin import ByRight
from petplace.templatetags.ui import local_range_text
from providers.forms.base import MoneyField


class ReadOnly(ByRight):
    """Nothing here is typed in: rows are written by what people and the system do."""

    def has_add_permission(self, request: SignedInRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: SignedInRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: SignedInRequest, obj: Any = None) -> bool:
        return False


class EventInline(ReadOnly, admin.TabularInline):
    model = BookingEvent
    fields = ("at", "action", "from_state", "to_state", "side", "by", "reason")
    ordering = ("at", "pk")
    extra = 0
    can_delete = False

    def get_queryset(self, request: SignedInRequest) -> "QuerySet[BookingEvent]":
        return super().get_queryset(request).select_related("by")


class AllocationInline(ReadOnly, admin.TabularInline):
    model = Allocation
    fields = ("resource", "during", "is_live")
    extra = 0
    can_delete = False

    def get_queryset(self, request: SignedInRequest) -> "QuerySet[Allocation]":
        return super().get_queryset(request).select_related("resource")


@admin.register(Booking)
class BookingAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("reference", "state", "when", "service", "provider", "owner", "price", "due_at")
    list_filter = ("state", "cancel_reason", "service__kind")
    list_select_related = ("service", "provider", "owner")
    search_fields = ("reference", "owner__email", "owner__full_name", "provider__name")
    date_hierarchy = "starts_at"
    ordering = ("-starts_at", "-pk")
    actions = ("cancel", "complete")
    inlines = (EventInline, AllocationInline)
    fields = (
        ("reference", "state", "cancel_reason"),
        ("owner", "provider", "service"),
        ("when", "time_zone"),
        "pet_names",
        "note",
        ("price", "invoice", "quote"),
        ("due_at", "sequence", "created_at", "updated_at"),
    )

    @admin.display(description="When", ordering="starts_at")
    def when(self, booking: Booking) -> str:
        return local_range_text(booking.starts_at, booking.ends_at, booking.time_zone)

    @admin.display(description="Price", ordering="total")
    def price(self, booking: Booking) -> str:
        return format_money(booking.total, booking.currency)

    @admin.display(description="Pets")
    def pet_names(self, booking: Booking) -> str:
        return ", ".join(pet.name for pet in booking.pets.all())

    @admin.action(description="Cancel, everything is given back", permissions=[Right.BOOKINGS])
    def cancel(self, request: SignedInRequest, chosen: "QuerySet[Booking]") -> None:
        def act(booking: Booking, now: datetime) -> None:
            lifecycle.cancel(booking, by=request.user, reason="Cancelled by Pet Place.", now=now)

        self._each(request, chosen, act, "cancelled")

    @admin.action(
        description="Complete visits whose end is two days past, as the system does", permissions=[Right.BOOKINGS]
    )
    def complete(self, request: SignedInRequest, chosen: "QuerySet[Booking]") -> None:
        def act(booking: Booking, now: datetime) -> None:
            lifecycle.complete(booking, by=None, now=now)

        self._each(request, chosen, act, "completed")

    def _each(
        self,
        request: SignedInRequest,
        chosen: "QuerySet[Booking]",
        act: Callable[[Booking, datetime], None],
        done: str,
    ) -> None:
        """Take each row by itself: one that refuses says why and stops no other."""
        now, count = timezone.now(), 0
        for booking in chosen.order_by("pk"):
            try:
                act(booking, now)
            except DomainError as error:
                self.message_user(request, f"{booking.reference}: {error.message}", messages.ERROR)
            else:
                count += 1
        if count:
            self.message_user(request, f"{count} {done}.", messages.SUCCESS)


class AnswerForm(forms.ModelForm):
    """What Pet Place answers. Saving closes the complaint."""

    answer = forms.CharField(max_length=2000, widget=forms.Textarea(attrs={"rows": 4}), help_text="The owner reads it.")

    class Meta:
        model = Complaint
        fields = ("answer",)


class ComplaintForm(AnswerForm):
    """The answer, and what is given back of what was paid online: for who may refund."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        booking = self.instance.booking
        self.most = aftercare.refundable(booking)
        self.fields["refund"] = MoneyField(
            currency=booking.currency,
            required=False,
            label="Give back",
            help_text=f"At most {format_money(self.most, booking.currency)}. Nothing: the payout goes on as it was.",
        )

    def clean_refund(self) -> int:
        amount = int(self.cleaned_data["refund"] or 0)
        if amount > self.most:
            raise ValidationError("More cannot be given back than was paid online.", code="too_much")
        return amount


@admin.register(Complaint)
class ComplaintAdmin(admin.ModelAdmin):
    list_display = ("booking", "made_at", "waits", "by", "closed_at", "given_back")
    ordering = (F("closed_at").desc(nulls_first=True), "made_at")
    list_filter = (("closed_at", admin.EmptyFieldListFilter),)
    list_select_related = ("booking", "by")
    search_fields = ("booking__reference", "by__email")
    readonly_fields = ("booking", "by", "made_at", "text")

    def has_add_permission(self, request: SignedInRequest) -> bool:
        return False

    def has_delete_permission(self, request: SignedInRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: SignedInRequest, obj: Complaint | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.is_open)

    def get_fields(self, request: SignedInRequest, obj: Complaint | None = None) -> Any:
        if obj is not None and obj.is_open:
            fields = (*self.readonly_fields, "answer")
            return (*fields, "refund") if may(request.user, Right.REFUNDS) else fields
        return (*self.readonly_fields, "answer", "given_back", "closed_at", "closed_by")

    def get_form(self, request: SignedInRequest, obj: Complaint | None = None, **kwargs: Any) -> Any:
        if obj is None or not obj.is_open:
            return super().get_form(request, obj, **kwargs)
        return ComplaintForm if may(request.user, Right.REFUNDS) else AnswerForm

    @admin.display(description="Waits for")
    def waits(self, complaint: Complaint) -> str:
        return timesince(complaint.made_at, timezone.now()) if complaint.is_open else ""

    @admin.display(description="Given back")
    def given_back(self, complaint: Complaint) -> str:
        return format_money(complaint.refund_amount, complaint.booking.currency)

    def save_model(self, request: SignedInRequest, obj: Complaint, form: Any, change: bool) -> None:
        try:
            aftercare.close_complaint(
                obj,
                by=request.user,
                answer=form.cleaned_data["answer"],
                refund_amount=form.cleaned_data.get("refund", 0),
                now=timezone.now(),
            )
        except DomainError as error:
            self.message_user(request, error.message, messages.ERROR)


class IncidentNoteInline(ReadOnly, admin.TabularInline):
    model = IncidentNote
    fields = ("at", "by", "text")
    extra = 0
    can_delete = False


class IncidentForm(forms.ModelForm):
    """The next step: who looks at it, how severe it is, what was found out. A resolution closes it."""

    severity = forms.TypedChoiceField(choices=Severity.choices, coerce=int)
    assigned_to = forms.ModelChoiceField(User.objects.none(), required=False)
    note = forms.CharField(
        max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 3}), help_text="Only staff read it."
    )
    resolution = forms.CharField(
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What was decided. Closes the report, and is sent to who made it.",
    )

    class Meta:
        model = Incident
        fields = ("severity", "assigned_to", "resolution")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        assigned_to = self.fields["assigned_to"]
        assert isinstance(assigned_to, forms.ModelChoiceField)
        assigned_to.queryset = User.objects.who_may(Right.COMPLAINTS)


class NewIncidentForm(forms.ModelForm):
    class Meta:
        model = Incident
        fields = ("kind", "severity", "provider", "person", "booking", "text")

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if not (data.get("provider") or data.get("person")):
            self.add_error("provider", "Say whom it is about: a provider or a person.")
        return data


@admin.register(Incident)
class IncidentAdmin(admin.ModelAdmin):
    """The queue of safety reports: open ones first, the most severe of them first, then the longest waiting."""

    list_display = ("kind", "about", "severity", "state", "waits", "side", "assigned_to", "resolved_at")
    list_filter = (
        ("resolved_at", admin.EmptyFieldListFilter),
        "severity",
        "kind",
        "state",
        ("assigned_to", admin.RelatedOnlyFieldListFilter),  # not everybody who has an account
    )
    list_select_related = ("provider", "person", "assigned_to")
    search_fields = ("booking__reference", "provider__name", "person__email", "by__email")
    ordering = (F("resolved_at").desc(nulls_first=True), "-severity", "made_at")
    raw_id_fields = ("provider", "person", "booking")
    inlines = (IncidentNoteInline,)
    shown = ("kind", "about", "booking", "state", "by", "side", "made_at", "waits", "text")

    def has_delete_permission(self, request: SignedInRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: SignedInRequest, obj: Incident | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.is_open)

    @admin.display(description="about")
    def about(self, incident: Incident) -> str:
        return " and ".join(str(one) for one in (incident.provider, incident.person) if one)

    @admin.display(description="waits for")
    def waits(self, incident: Incident) -> str:
        return timesince(incident.made_at, timezone.now()) if incident.is_open else ""

    def get_readonly_fields(self, request: SignedInRequest, obj: Incident | None = None) -> Any:
        if obj is None:
            return ()
        done = ("severity", "assigned_to", "resolution", "resolved_by", "resolved_at")
        return self.shown if obj.is_open else (*self.shown, *done)

    def get_fields(self, request: SignedInRequest, obj: Incident | None = None) -> Any:
        if obj is None:
            return NewIncidentForm.Meta.fields
        if obj.is_open:
            return (*self.shown, "severity", "assigned_to", "note", "resolution")
        return self.get_readonly_fields(request, obj)

    def get_form(
        self, request: SignedInRequest, obj: Incident | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            return super().get_form(request, obj, change, **{**kwargs, "form": NewIncidentForm})
        return IncidentForm if obj.is_open else super().get_form(request, obj, change, **kwargs)

    def save_model(self, request: SignedInRequest, obj: Incident, form: Any, change: bool) -> None:
        data, now = form.cleaned_data, timezone.now()
        try:
            if not change:
                made = incidents.report_by_staff(by=request.user, now=now, **data)
                obj.pk = made.pk
                return
            person = data["assigned_to"] if "assigned_to" in form.changed_data else None
            severity = data["severity"] if "severity" in form.changed_data else None
            if person or severity or data["note"].strip():
                incidents.follow(
                    obj, by=request.user, severity=severity, assigned_to=person, note=data["note"], now=now
                )
            if data["resolution"].strip():
                incidents.resolve(obj, by=request.user, resolution=data["resolution"], now=now)
        except DomainError as error:
            self.message_user(request, error.message, messages.ERROR)


class QuoteLineInline(ReadOnly, admin.TabularInline):
    model = QuoteLine
    fields = ("kind", "description", "quantity", "unit_amount", "amount")
    extra = 0
    can_delete = False


@admin.register(Quote)
class QuoteAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("uid", "service", "owner", "starts_at", "price", "expires_at")
    list_select_related = ("service", "owner")
    search_fields = ("uid", "owner__email")
    inlines = (QuoteLineInline,)

    @admin.display(description="Price", ordering="total")
    def price(self, quote: Quote) -> str:
        return format_money(quote.total, quote.currency)
