"""Forms of sign-up and profile."""

from django import forms


class SignupForm(forms.Form):
    full_name = forms.CharField(max_length=120, label="Your name")

    def signup(self, request, user):  # type: ignore[no-untyped-def]
        user.full_name = self.cleaned_data["full_name"]
        user.save(update_fields=["full_name"])
