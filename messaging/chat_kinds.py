"""What people are told of their talks."""

from messaging.choices import Channel
from messaging.kinds import PEOPLE, QUIET, Kind, register

MESSAGE = "message"
REPORT = "conversation_report"
REPORT_CLOSED = "conversation_report_closed"

# Long enough that a mail is not written to somebody who is just reading.
DIGEST_MINUTES = 5


def declare() -> None:
    register(
        Kind(MESSAGE, "Somebody wrote to you", "messages", PEOPLE, template="message", digest_minutes=DIGEST_MINUTES),
        Kind(REPORT, "A conversation was reported", "staff", QUIET),
        Kind(REPORT_CLOSED, "Your report was answered", "messages", (Channel.IN_APP, Channel.EMAIL)),
    )
