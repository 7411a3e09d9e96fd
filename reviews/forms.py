"""The form of a review."""

from django import forms

from reviews.domain import TEXT_LENGTH

STARS = [(5, "Excellent"), (4, "Good"), (3, "As expected"), (2, "Not so good"), (1, "Bad")]


class ReviewForm(forms.Form):
    rating = forms.TypedChoiceField(
        choices=STARS,
        coerce=int,
        widget=forms.RadioSelect,
        label="How was it?",
        error_messages={"required": "Choose one to five stars."},
    )
    text = forms.CharField(
        max_length=TEXT_LENGTH,
        required=False,
        label="In your words",
        help_text="What went well, what could be better? Everyone can read it, with your first name.",
        widget=forms.Textarea(attrs={"rows": 6}),
    )
