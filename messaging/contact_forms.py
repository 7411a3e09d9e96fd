"""How somebody wants to be reached: settings > Notifications."""

from typing import Any

from django import forms

from messaging.choices import PhoneState
from messaging.models import ContactSettings


class ContactForm(forms.ModelForm):  # not subscriptable when it runs
    """Quiet hours and the switch for text messages."""

    class Meta:
        model = ContactSettings
        fields = ("quiet_is_on", "quiet_from", "quiet_to", "texts_are_on")
        widgets = {
            "quiet_from": forms.TimeInput(attrs={"type": "time", "class": "form-control"}, format="%H:%M"),
            "quiet_to": forms.TimeInput(attrs={"type": "time", "class": "form-control"}, format="%H:%M"),
            "quiet_is_on": forms.CheckboxInput(attrs={"class": "form-check-input", "role": "switch"}),
            "texts_are_on": forms.CheckboxInput(attrs={"class": "form-check-input", "role": "switch"}),
        }
        labels = {
            "quiet_is_on": "Quiet hours",
            "quiet_from": "From",
            "quiet_to": "To",
            "texts_are_on": "Text me",
        }

    def __init__(self, *args: Any, has_phone: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_stopped = self.instance.phone_state == PhoneState.STOPPED
        # A switch that can only be refused is not offered; one that is on can always be switched off.
        if (not has_phone or is_stopped) and not self.instance.texts_are_on:
            self.fields["texts_are_on"].disabled = True

    @property
    def changes(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.changed_data}
