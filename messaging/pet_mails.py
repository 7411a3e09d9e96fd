"""What mails about pets add when they are sent."""

from messaging import texts
from messaging.domain import reminders, rendering
from messaging.domain.rendering import Text
from messaging.models import Notification
from pets.kinds import VACCINE
from pets.models import Vaccination


def connect() -> None:
    rendering.register_text(VACCINE, vaccine)


def vaccine(notification: Notification) -> Text | None:
    """Return the text with its facts; None where a newer dose, the archive or a deletion has made it untrue."""
    if not reminders.still_counts(notification):
        return None
    found = Vaccination.objects.select_related("pet").get(uid=notification.topic.removeprefix("vaccination:"))
    facts = [
        ("Pet", found.pet.name),
        ("Vaccine", found.get_vaccine_display()),
        ("Valid until", texts.day(found.valid_until, notification.user)),
    ]
    context = {"facts": facts, "link_label": "Open the passport"}
    return Text(notification.title, notification.body, notification.short, context)
