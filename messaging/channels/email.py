"""Mail, over Django's mail backends: SMTP, or a provider's API through anymail."""

import logging
from smtplib import SMTPRecipientsRefused
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from messaging.channels.base import ChannelAwayError, NoAddressError, Parcel, Receipt, RefusedError
from messaging.choices import Channel

logger = logging.getLogger(__name__)

# These keep or drop a mail; nothing leaves the machine.
NOT_SENDING = tuple(f"django.core.mail.backends.{name}.EmailBackend" for name in ("filebased", "console", "dummy"))


class EmailAdapter:
    channel = Channel.EMAIL

    def __init__(self) -> None:
        self._connection: Any = None

    def is_ready(self) -> bool:
        return settings.EMAIL_BACKEND not in NOT_SENDING

    def open(self) -> None:
        self._connection = get_connection()
        try:
            self._connection.open()
        except Exception as error:
            raise ChannelAwayError(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except Exception:
                logger.debug("The mail server had closed the connection first.", exc_info=True)

    def send(self, parcel: Parcel) -> Receipt:
        mail = build(parcel, self._connection)
        try:
            taken = mail.send()
        except SMTPRecipientsRefused as error:
            # RFC 5321, 4.2.1: 5yz is a permanent answer.
            if all(code >= 500 for code, _ in error.recipients.values()):
                raise RefusedError(f"{type(error).__name__}: {error}") from error
            raise
        if taken != 1:
            raise RuntimeError("The mail backend accepted no message.")
        status = getattr(mail, "anymail_status", None)
        return Receipt(ref=str(getattr(status, "message_id", None) or parcel.message_id))


def build(parcel: Parcel, connection: Any = None) -> EmailMultiAlternatives:
    """Make the mail of a parcel: text, HTML, files, and the headers by which programs know it."""
    if not parcel.user.email:
        raise NoAddressError("There is no e-mail address.")
    headers = {"Message-ID": parcel.message_id, "Auto-Submitted": "auto-generated"}
    if parcel.unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{parcel.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    mail = EmailMultiAlternatives(
        subject=parcel.title, body=parcel.text, to=[parcel.user.email], headers=headers, connection=connection
    )
    if parcel.html:
        mail.attach_alternative(parcel.html, "text/html")
    for file in parcel.attachments:
        mail.attach(file.name, file.content, file.content_type)
    return mail
