"""The channel of the demo and of developers: a message is kept to be looked at, and never called sent."""

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
        is_mail = self.channel == Channel.EMAIL
        OutboxMessage.objects.update_or_create(
            delivery_id=parcel.delivery_pk,
            defaults={
                "channel": self.channel,
                "to": self._address(parcel)[:300],
                "title": parcel.title,
                "text": parcel.text if is_mail else parcel.short,
                "html": parcel.html if is_mail else "",
                "url": parcel.url,
                "actions": [[action.label, action.url] for action in parcel.actions],
                "attachments": [file.name for file in parcel.attachments],
            },
        )
        return Receipt(is_kept=True)

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
