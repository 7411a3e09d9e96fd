"""The channel of the demo and of developers: a message is kept to be looked at, and never called sent."""

from messaging.channels import sms
from messaging.channels.base import NoAddressError, Parcel, Receipt
from messaging.choices import Channel
from messaging.models import OutboxMessage


class OutboxAdapter:
    """Stands in for a channel without credentials."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def is_ready(self) -> bool:
        return True

    def open(self) -> None:
        """Nothing to connect to."""

    def close(self) -> None:
        """Nothing to end."""

    def send(self, parcel: Parcel) -> Receipt:
        OutboxMessage.objects.update_or_create(
            delivery_id=parcel.delivery_pk,
            defaults={
                "channel": self.channel,
                "to": self._address(parcel)[:300],
                "title": parcel.title,
                "text": self._text(parcel),
                "html": parcel.html if self.channel == Channel.EMAIL else "",
                "url": parcel.url,
                "actions": [[action.label, action.url] for action in parcel.actions],
                "attachments": [file.name for file in parcel.attachments],
            },
        )
        return Receipt(is_kept=True)

    def _text(self, parcel: Parcel) -> str:
        if self.channel == Channel.EMAIL:
            return parcel.text
        return sms.text_of(parcel) if self.channel == Channel.SMS else parcel.short

    def _address(self, parcel: Parcel) -> str:
        if self.channel == Channel.EMAIL:
            return parcel.user.email
        if self.channel == Channel.SMS:
            if not parcel.user.phone:
                raise NoAddressError("There is no phone number.")
            return str(parcel.user.phone)
        if not parcel.devices:
            raise NoAddressError("No browser or phone is registered.")
        return ", ".join(str(device) for device in parcel.devices)
