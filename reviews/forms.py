"""The forms of reviews, replies and objections."""

from typing import Any

from django import forms

from reviews.choices import ASPECTS, Aspect, FlagReason, FlagTarget, ReviewSide
from reviews.domain import TEXT_LENGTH, moderation, replies

STARS = [(5, "Excellent"), (4, "Good"), (3, "As expected"), (2, "Not so good"), (1, "Bad")]
ASPECT_STARS = [("", "No answer"), (5, "5 stars"), (4, "4 stars"), (3, "3 stars"), (2, "2 stars"), (1, "1 star")]
HELP = {
    ReviewSide.OWNER: "What went well, what could be better? Everyone can read it, with your first name.",
    ReviewSide.PROVIDER: "What should other providers know? Only providers that this owner asks or books can read it.",
}


class ReviewForm(forms.Form):
    rating = forms.TypedChoiceField(
        choices=STARS,
        coerce=int,
        widget=forms.RadioSelect,
        label="How was it?",
        error_messages={"required": "Choose one to five stars."},
    )

    def __init__(self, *args: Any, side: ReviewSide, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for aspect in ASPECTS[side]:
            self.fields[aspect.value] = forms.TypedChoiceField(
                choices=ASPECT_STARS, coerce=int, empty_value=None, required=False, label=aspect.label
            )
        self.fields["text"] = forms.CharField(
            max_length=TEXT_LENGTH,
            required=False,
            label="In your words",
            help_text=HELP[side],
            widget=forms.Textarea(attrs={"rows": 5}),
        )

    @property
    def aspect_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name in Aspect.values]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        data["aspects"] = {name: stars for name in Aspect.values if (stars := data.pop(name, None)) is not None}
        return data


class ReplyForm(forms.Form):
    text = forms.CharField(
        max_length=replies.TEXT_LENGTH,
        label="Your answer",
        help_text="Everyone can read it, under the name of your business. It cannot be changed later.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class FlagForm(forms.Form):
    target = forms.ChoiceField(choices=FlagTarget, required=False, label="What is it about?")
    reason = forms.ChoiceField(choices=FlagReason, widget=forms.RadioSelect, label="What is wrong?")
    note = forms.CharField(
        max_length=moderation.TEXT_LENGTH,
        required=False,
        label="Anything we should know",
        help_text="Only Pet Place reads it.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, has_reply: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_reply:
            del self.fields["target"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        data["target"] = data.get("target") or FlagTarget.REVIEW
        return data
