"""Which adapter carries a channel today."""

from django.conf import settings
from django.utils.module_loading import import_string

from messaging.channels.base import ChannelAdapter
from messaging.channels.outbox import OutboxAdapter
from messaging.choices import Channel

# One line for each way out; the class is made anew for each pass and reads the settings then.
ADAPTERS: dict[Channel, str] = {
    Channel.EMAIL: "messaging.channels.email.EmailAdapter",
    Channel.SMS: "messaging.channels.sms.SmsAdapter",
    Channel.PUSH: "messaging.channels.push.PushAdapter",
}


def real(channel: Channel) -> ChannelAdapter | None:
    """Return the adapter of ``channel`` if it has its credentials."""
    path = ADAPTERS.get(channel)
    if path is None:
        return None
    adapter: ChannelAdapter = import_string(path)()
    return adapter if adapter.is_ready() else None


def adapter(channel: Channel) -> ChannelAdapter | None:
    """Return the real one; without credentials the developer's outbox outside production; else None: not sent."""
    found = real(channel)
    if found is None and (settings.DEMO or not settings.IS_PRODUCTION):
        return OutboxAdapter(channel)
    return found
