"""What people hear about their own addresses, where they can still be reached."""

from messaging.choices import Channel
from messaging.domain.addresses import EMAIL_RETURNED, TEXTS_STOPPED
from messaging.kinds import Kind, register

ELSEWHERE = (Channel.IN_APP, Channel.PUSH)


def declare() -> None:
    register(
        Kind(EMAIL_RETURNED, "Mail to you comes back", "account", ELSEWHERE),
        Kind(TEXTS_STOPPED, "Text messages were switched off", "account", ELSEWHERE),
    )
