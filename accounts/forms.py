"""Forms of sign-up, profile and closing."""

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AdminPasswordChangeForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from phonenumber_field.formfields import PhoneNumberField

from accounts import guessing
from accounts.domain import credentials
from accounts.models import User
from accounts.validators import time_zone_names, validate_one_line, validate_time_zone
from providers.domain import places

TOO_MANY = "Too many attempts. Please wait a minute and try again."


class SignupForm(forms.Form):
    full_name = forms.CharField(
        max_length=120,
        label="Your name",
        validators=[validate_one_line],
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    # Filled in by the page's script; whoever has none chooses in the settings.
    time_zone = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)

    def clean_time_zone(self) -> str:
        try:
            validate_time_zone(self.cleaned_data["time_zone"])
        except ValidationError:
            return "UTC"
        return str(self.cleaned_data["time_zone"])

    def signup(self, request: HttpRequest, user: User) -> None:
        user.full_name = self.cleaned_data["full_name"]
        user.time_zone = self.cleaned_data["time_zone"]
        user.save(update_fields=["full_name", "time_zone"])


def _zone_choices() -> list[tuple[str, Any]]:
    """Return the zones grouped by continent, as people look for them."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(time_zone_names() - {"UTC"}):
        continent, _, place = name.partition("/")
        groups.setdefault(continent, []).append((name, place.replace("_", " ").replace("/", ", ")))
    return [("UTC", "UTC"), *groups.items()]


class ProfileForm(forms.ModelForm):
    """The point of the home comes from the look-up of its name."""

    phone = PhoneNumberField(
        required=False,
        help_text="With the country code, such as +49 30 901820. Providers see it for a confirmed booking.",
        widget=forms.TextInput(attrs={"autocomplete": "tel", "inputmode": "tel"}),
    )
    time_zone = forms.ChoiceField(choices=_zone_choices, help_text="Times are shown in this zone.")
    locale = forms.ChoiceField(choices=settings.LANGUAGES, label="Dates and numbers")

    class Meta:
        model = User
        fields = ("full_name", "phone", "home_place", "time_zone", "locale")
        labels: ClassVar = {"full_name": "Your name", "home_place": "Home"}
        help_texts: ClassVar = {"home_place": "A city or place. Your searches start here."}
        widgets: ClassVar = {
            "full_name": forms.TextInput(attrs={"autocomplete": "name"}),
            "home_place": forms.TextInput(attrs={"autocomplete": "address-level2"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["full_name"].validators.append(validate_one_line)
        self.fields["home_place"].validators.append(validate_one_line)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "home_place" in self.changed_data and "home_place" in cleaned:
            cleaned |= self._home(cleaned["home_place"])
        return cleaned

    def _home(self, text: str) -> dict[str, Any]:
        if not text:
            return {"home_latitude": None, "home_longitude": None}
        found = places.lookup(text)
        if not found:
            self.add_error("home_place", "We do not know this place. Try the nearest city.")
            return {}
        place = found[0]
        return {
            "home_place": f"{place.name}, {place.country}",
            "home_latitude": place.latitude,
            "home_longitude": place.longitude,
        }

    @property
    def changes(self) -> dict[str, Any]:
        return dict(self.cleaned_data)


class CloseForm(forms.Form):
    password = forms.CharField(
        max_length=128,
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    email = forms.CharField(max_length=254, label="Your e-mail address, to confirm")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)
        # Who signs in with a passkey or an account elsewhere has no password to prove who it is.
        del self.fields["email" if user.has_usable_password() else "password"]

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if email.strip().lower() != self.user.email:
            raise ValidationError("This is not your address.")
        return email

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if guessing.own_password(self.user).count() is not None:
            raise ValidationError(TOO_MANY)
        if not self.user.check_password(password):
            raise ValidationError("This is not your password.")
        return password


class AdminPasswordForm(AdminPasswordChangeForm):
    """Setting a password for someone ends their tokens, as their own change does."""

    def save(self, commit: bool = True) -> User:
        credentials.set_password(self.user, self.cleaned_data["password1"], now=timezone.now())
        return self.user
