"""E-mail with the letter attached, over TLS alone; the text of the message names no patient."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Final

from pipeline.addresses import host_and_port
from pipeline.delivery.parcel import Later, Parcel, Receipt
from pipeline.errors import ConfigurationError, DeliveryError
from pipeline.settings import Settings

_TEXT = (
    "We need more records for a request that you sent us. The letter is attached.\n"
    "Please answer with its last page on top. Do not answer to this message with records.\n"
)

_PORT: Final = 587


@dataclass(frozen=True)
class Mail:
    """The channel `mail`. `server` is host:port of a server that speaks STARTTLS."""

    server: str
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    timeout_s: float = 10.0
    context: ssl.SSLContext | None = None

    @classmethod
    def of(cls, settings: Settings) -> Mail:
        if not settings.request_mail_from:
            raise ConfigurationError("TRIAGE_REQUEST_MAIL_FROM is not set.")
        host_and_port("TRIAGE_REQUEST_MAIL_SERVER", settings.request_mail_server, port=_PORT)  # said at once
        return cls(
            settings.request_mail_server,
            settings.request_mail_from,
            settings.request_mail_user,
            settings.request_mail_password,
            settings.request_timeout_s,
        )

    def deliver(self, parcel: Parcel) -> Receipt:
        """Taken by the mail server. Sent again, it has the same Message-ID, by which mail systems drop it."""
        if "@" not in parcel.to:
            raise DeliveryError("The request has no e-mail address to go to.", retryable=False)
        message = _message(parcel, self.sender)
        host, port = host_and_port("TRIAGE_REQUEST_MAIL_SERVER", self.server, port=_PORT)
        try:
            with smtplib.SMTP(host, port, timeout=self.timeout_s) as server:
                server.starttls(context=self.context or ssl.create_default_context())
                if self.user:
                    server.login(self.user, self.password)
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            raise _refused(max(code for code, _ in error.recipients.values())) from None
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code) from None
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryError(
                f"The mail server could not be used ({type(error).__name__}).", retryable=True
            ) from None
        return Receipt(id=str(message["Message-ID"]))

    def later(self, receipt: str) -> Later:
        """A mail server says no more; what comes back undelivered comes to the sender's box."""
        return Later("acknowledged")


def _refused(code: int) -> DeliveryError:
    """By the code alone: the server's words repeat the address."""
    return DeliveryError(f"The mail server answered with code {code}.", retryable=code < 500)


def _message(parcel: Parcel, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = sender, parcel.to
    message["Subject"] = f"Request for records {parcel.reference}"
    domain = make_msgid(domain=sender.rpartition("@")[2]).rpartition("@")[2]
    message["Message-ID"] = f"<{parcel.key.replace(':', '.')}@{domain}"
    message.set_content(_TEXT)
    for part in parcel.parts:
        main, _, sub = part.media_type.partition("/")
        if part.name.endswith(".pdf"):
            message.add_attachment(part.content, maintype=main, subtype=sub, filename=part.name)
    return message
