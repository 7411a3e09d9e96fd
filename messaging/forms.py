"""Forms of talks."""

from typing import Any

from django import forms

from messaging.choices import ReportReason
from messaging.models.conversation import TEXT_LENGTH
from petplace.uploads import PhotoField

WRITE = {"rows": 1, "placeholder": "Write a message", "aria-label": "Message", "maxlength": TEXT_LENGTH}


class MessageForm(forms.Form):
    """``client_id`` is drawn when the form is shown, so that sending it twice is one message."""

    text = forms.CharField(
        max_length=TEXT_LENGTH, required=False, strip=False, widget=forms.Textarea(attrs=WRITE), label="Message"
    )
    photo = PhotoField(required=False)
    client_id = forms.UUIDField(widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and not data.get("text", "").strip() and not data.get("photo"):
            self.add_error("text", "Write something first.")
        return data


class AskForm(MessageForm):
    text = forms.CharField(
        max_length=TEXT_LENGTH,
        label="Your question",
        widget=forms.Textarea(attrs={"rows": 5, "maxlength": TEXT_LENGTH, "class": "form-control"}),
    )
    photo = None  # type: ignore[assignment]


class ReportForm(forms.Form):
    reason = forms.ChoiceField(choices=ReportReason, widget=forms.RadioSelect, label="What is wrong?")
    text = forms.CharField(
        max_length=TEXT_LENGTH,
        required=False,
        label="What should we know?",
        widget=forms.Textarea(attrs={"rows": 4, "class": "form-control"}),
    )
    message = forms.UUIDField(required=False, widget=forms.HiddenInput)


class QuickReplyForm(forms.Form):
    title = forms.CharField(max_length=40, label="Name", widget=forms.TextInput(attrs={"class": "form-control"}))
    text = forms.CharField(
        max_length=TEXT_LENGTH, label="Text", widget=forms.Textarea(attrs={"rows": 3, "class": "form-control"})
    )
