"""A connection to an IMAP server over TLS, and what of it a mailbox needs; imaplib's errors become ours.

The server's words are repeated nowhere: they may quote a subject or a name.
"""

from __future__ import annotations

import imaplib
import re
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from pipeline.addresses import host_and_port
from pipeline.errors import ChannelError, ConfigurationError
from pipeline.intake.mail_token import Tokens
from pipeline.settings import Settings

_TLS_PORT: Final = 993
_SIZE: Final = re.compile(rb"RFC822\.SIZE (\d+)")


@dataclass(frozen=True)
class ImapServer:
    """Where it is, who we are, and who may vouch for it."""

    host: str
    port: int
    user: str
    password: str = field(default="", repr=False)
    tokens: Tokens | None = None
    ca: Path | None = None
    timeout_s: float = 60.0

    @classmethod
    def of(cls, settings: Settings) -> ImapServer:
        """As the settings say. Raises ConfigurationError for what is missing."""
        host, port = host_and_port("TRIAGE_MAILBOX_SERVER", settings.mailbox_server, port=_TLS_PORT)
        tokens = Tokens.of(settings)
        if not settings.mailbox_user or not (settings.mailbox_password or tokens):
            raise ConfigurationError(
                "TRIAGE_MAILBOX_USER, or how that user shows who it is, is not set.",
                next_step="Set TRIAGE_MAILBOX_PASSWORD, or TRIAGE_MAILBOX_TOKEN_URL.",
            )
        if settings.mailbox_ca and not Path(settings.mailbox_ca).is_file():
            raise ConfigurationError("TRIAGE_MAILBOX_CA names no file.")
        ca = Path(settings.mailbox_ca) if settings.mailbox_ca else None
        return cls(
            host,
            port,
            settings.mailbox_user,
            settings.mailbox_password,
            tokens,
            ca,
            settings.intake_timeout_s,
        )

    @contextmanager
    def connected(self) -> Iterator[ImapSession]:
        """Raises ChannelError where it cannot be reached, nobody vouches for it, or it refuses us."""
        with _told():
            client = self._connect()
        try:
            token = self.tokens.current() if self.tokens else ""
            with _told("not_let_in"):
                self._log_in(client, token)
            with _told():
                _, told = client.capability()  # anew: a server that has let us in can do more
            yield self.session(client, told)
        finally:
            with suppress(imaplib.IMAP4.error, OSError):
                client.logout()
            with suppress(OSError):  # where the server did not let us say goodbye
                client.shutdown()

    def session(self, client: imaplib.IMAP4, told: Sequence[bytes]) -> ImapSession:
        """What one can do who is let in; `told` is the server's answer of what it can."""
        return ImapSession(client, b" ".join(told).decode("ascii", "replace").upper().split())

    def _connect(self) -> imaplib.IMAP4:
        try:
            context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
        except ssl.SSLError:
            raise ConfigurationError("TRIAGE_MAILBOX_CA holds no certificates (PEM).") from None
        if self.port == _TLS_PORT:
            return imaplib.IMAP4_SSL(self.host, self.port, ssl_context=context, timeout=self.timeout_s)
        client = imaplib.IMAP4(self.host, self.port, timeout=self.timeout_s)
        try:
            client.starttls(context)
        except BaseException:
            with suppress(OSError):
                client.shutdown()
            raise
        return client

    def _log_in(self, client: imaplib.IMAP4, token: str) -> None:
        if self.tokens is not None:
            said = f"user={self.user}\1auth=Bearer {token}\1\1".encode()
            try:
                # Where it is refused, the server says why in one more challenge, to be answered with nothing.
                client.authenticate("XOAUTH2", lambda challenge: b"" if challenge else said)
            except imaplib.IMAP4.error:
                self.tokens.forget()
                raise
        elif "AUTH=PLAIN" in client.capabilities:  # takes letters outside ASCII, which LOGIN does not
            client.authenticate("PLAIN", lambda _: f"\0{self.user}\0{self.password}".encode())
        elif (self.user + self.password).isascii():
            client.login(self.user, self.password)
        else:
            raise ChannelError(
                "not_let_in",
                "The IMAP server takes no letters outside ASCII in a user's name or password.",
                next_step="Give that user another password.",
            )


class ImapSession:
    """Somebody who was let in. Every method raises ChannelError."""

    def __init__(self, client: imaplib.IMAP4, can: Sequence[str]) -> None:
        self._client = client
        self._can = can
        self.validity = ""

    def open(self, mailbox: str) -> None:
        """Look into this one from now on; what is done to its messages is kept."""
        with _told("not_there"):
            if self._client.select(_quoted(mailbox))[0] != "OK":
                raise imaplib.IMAP4.error
        _, told = self._client.response("UIDVALIDITY")
        self.validity = told[0].decode("ascii", "replace") if told and told[0] else ""

    def waiting(self, *criteria: str) -> list[str]:
        """The messages, by their numbers in the mailbox, of which this holds."""
        found = self._uid("SEARCH", *criteria)
        return [uid.decode("ascii") for one in found if isinstance(one, bytes) for uid in one.split()]

    def looked_at(self, uid: str) -> tuple[int, datetime | None]:
        """Its length in bytes, and when the server got it."""
        said = b" ".join(
            one for one in self._uid("FETCH", uid, "(RFC822.SIZE INTERNALDATE)") if isinstance(one, bytes)
        )
        size, at = _SIZE.search(said), imaplib.Internaldate2tuple(said)
        return (
            int(size[1]) if size else 0,
            datetime.fromtimestamp(time.mktime(at), UTC) if at is not None else None,
        )

    def message(self, uid: str) -> bytes:
        """All of it, unmarked; empty where it is not there any more."""
        for one in self._uid("FETCH", uid, "(BODY.PEEK[])"):
            if isinstance(one, tuple) and b"BODY[]" in one[0].upper():
                return bytes(one[1])
        return b""

    def mark(self, uid: str, flag: str, sign: Literal["+", "-"] = "+") -> bool:
        """Set a flag, or take it away; False where that is not allowed."""
        with _told():
            return self._client.uid("STORE", uid, f"{sign}FLAGS.SILENT", f"({flag})")[0] == "OK"

    def move(self, uid: str, mailbox: str) -> bool:
        """Into another mailbox, which is made if it is not there; False where that is not allowed, and then
        it is as it was.

        A server that cannot move copies. First the message is marked as deleted: who may not do that would
        copy it again at each look.
        """
        if "MOVE" in self._can:
            return self._put("MOVE", uid, mailbox)
        if not self.mark(uid, "\\Deleted"):
            return False
        if not self._put("COPY", uid, mailbox):
            self.mark(uid, "\\Deleted", "-")
            return False
        # Without UIDPLUS, EXPUNGE would also take away what somebody else has only marked.
        with _told():
            return "UIDPLUS" not in self._can or self._client.uid("EXPUNGE", uid)[0] == "OK"

    def _put(self, verb: str, uid: str, mailbox: str) -> bool:
        with _told():
            if self._client.uid(verb, uid, _quoted(mailbox))[0] == "OK":
                return True
            made: bool = self._client.create(_quoted(mailbox))[0] == "OK"
            return made and self._client.uid(verb, uid, _quoted(mailbox))[0] == "OK"

    def _uid(self, *command: str) -> Sequence[Any]:
        with _told():
            kind, data = self._client.uid(*command)
            if kind != "OK":
                raise imaplib.IMAP4.error
        return data


@contextmanager
def _told(refusal: str = "refused") -> Iterator[None]:
    """`refusal` is the code of what it means when the server says no."""
    try:
        yield
    except ssl.SSLCertVerificationError:
        raise ChannelError(
            "certificate",
            "The IMAP server's certificate is vouched for by nobody; nothing was told to it.",
            next_step="Check the name in TRIAGE_MAILBOX_SERVER, and TRIAGE_MAILBOX_CA.",
        ) from None
    except imaplib.IMAP4.readonly:
        raise ChannelError(
            "not_writable",
            "The mailbox cannot be changed: what is received would stay there.",
            next_step="Have its user given the right to move messages.",
        ) from None
    except (imaplib.IMAP4.abort, OSError) as error:
        raise ChannelError(
            "unreachable",
            f"The IMAP server cannot be reached ({type(error).__name__}).",
            next_step="Check TRIAGE_MAILBOX_SERVER, the network and the server.",
        ) from None
    except imaplib.IMAP4.error:
        message, next_step = _REFUSALS[refusal]
        raise ChannelError(refusal, message, next_step=next_step) from None


_REFUSALS: Final = {
    "not_let_in": (
        "The IMAP server does not let us in.",
        "Check TRIAGE_MAILBOX_USER and TRIAGE_MAILBOX_PASSWORD, or what its token is good for.",
    ),
    "not_there": (
        "The mailbox cannot be opened for writing.",
        "Check TRIAGE_MAILBOX_FOLDER and what its user may do there.",
    ),
    "refused": ("The IMAP server refuses what a mailbox needs, or speaks no TLS.", "Check its log."),
}


def _quoted(mailbox: str) -> str:
    return '"' + mailbox.replace("\\", "\\\\").replace('"', '\\"') + '"'
