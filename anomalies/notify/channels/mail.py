"""Mail, by whatever backend Django is told to use."""

from __future__ import annotations

from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage

from anomalies.models import Message
from anomalies.notify.channels.contract import NotDelivered
from anomalies.notify.targets import mail_addresses


def send(message: Message) -> None:
    """The Message-ID is the message's own, so that a mail sent twice is shown once."""
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("> ") or "localhost"
    mail = EmailMessage(
        subject=message.content["subject"],
        body=message.content["body"],
        to=mail_addresses(message.target),
        headers={"Message-ID": f"<{message.key}@{domain}>", "X-Smartmaint-Id": str(message.key)},
    )
    try:
        mail.send()
    except (SMTPException, OSError) as error:
        raise NotDelivered(f"{type(error).__name__}: {error}") from error
