"""A mailbox: the attachments of each message are a submission, and the message is moved to another mailbox,
or marked as seen, once the ledger has them.

A message with nothing attached, or one that cannot be taken apart, is flagged for a person and left; who
takes the flag away has it looked at again. No subject, sender or name is logged; the ledger gets a hash of
the message's id.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from pipeline.errors import ConfigurationError, LedgerUnavailable, StorageFull
from pipeline.intake.attachments import Unusable, attachments, message_id
from pipeline.intake.drop import Bounds
from pipeline.intake.imap import ImapServer, ImapSession
from pipeline.ledger import Arrival, Incoming, Ledger, receive, refused
from pipeline.settings import Settings

_log = logging.getLogger(__name__)

CHANNEL: Final = "mailbox"
_LARGEST: Final = 150 * 2**20  # a message is in memory, several times over; mail systems pass on less
_CODED: Final = 1.4  # what base64 adds
_OLDEST: Final = timedelta(days=31)  # a server's time of receipt is believed so far back


class Mailbox:
    """The channel `mailbox`."""

    name = CHANNEL

    def __init__(
        self,
        server: ImapServer,
        *,
        folder: str = "INBOX",
        received: str = "Received",
        bounds: Bounds,
        every_s: float = 30.0,
    ) -> None:
        self.every_s = every_s
        self._server = server
        self._folder = folder
        self._received = received
        self._bounds = bounds
        # A message that is moved away when it is received needs no mark: who reads it before must not make
        # it look received.
        self._waiting = ("UNFLAGGED", "UNDELETED", *(() if received else ("UNSEEN",)))
        self._done: dict[tuple[str, str], str] = {}

    @property
    def left(self) -> Mapping[str, int]:
        """What the last look found and cannot take in or away, counted by why."""
        return Counter(self._done.values())

    def take_in(self, ledger: Ledger) -> int:
        """Receive what waits; returns how many submissions. Raises ChannelError, StorageFull and
        LedgerUnavailable; what is not received stays as it is."""
        taken = 0
        with self._server.connected() as session:
            session.open(self._folder)
            waiting = session.waiting(*self._waiting)
            here = {(session.validity, uid) for uid in waiting}
            self._done = {key: why for key, why in self._done.items() if key in here}
            for uid in waiting:
                try:
                    taken += self._take(ledger, session, uid)
                except (StorageFull, LedgerUnavailable):
                    if taken:
                        break
                    raise
        return taken

    def check(self) -> str:
        """What there is to say of the mailbox. Raises ChannelError where it cannot be read and written."""
        with self._server.connected() as session:
            session.open(self._folder)
            number = len(session.waiting(*self._waiting))
        return f"{self._server.host}:{self._server.port}, {number} messages wait."

    def _take(self, ledger: Ledger, session: ImapSession, uid: str) -> int:
        key = session.validity, uid
        if self._done.get(key) == "not_moved":
            self._acknowledge(session, uid)
            return 0
        if key in self._done:
            return 0
        size, since = session.looked_at(uid)
        if size > min(self._bounds.size * _CODED, _LARGEST):
            self._refuse(ledger, session, uid, "too_large", size)
            return 0
        raw = session.message(uid)
        if not raw:
            return 0
        try:
            files = attachments(raw, most=self._bounds.files)
        except Unusable as error:
            self._refuse(ledger, session, uid, error.code, size)
            return 0
        except Exception as error:  # one message that our code fails on must not hold up all behind it
            _log.error("A message of %d bytes could not be taken apart: a bug.", size, exc_info=error)
            self._refuse(ledger, session, uid, "internal_error", size)
            return 0
        if not files:
            self._refuse(ledger, session, uid, "no_attachment", size)
            return 0
        received_at = since if since and timedelta() <= datetime.now(UTC) - since <= _OLDEST else None
        arrival = Arrival(
            [Incoming(name, content) for name, content in files],
            self.name,
            reference=_reference(raw),
            received_at=received_at,
        )
        receive(ledger, [arrival])
        self._acknowledge(session, uid)
        return 1

    def _acknowledge(self, session: ImapSession, uid: str) -> None:
        done = session.move(uid, self._received) if self._received else session.mark(uid, "\\Seen")
        if done:
            self._done.pop((session.validity, uid), None)
        else:
            self._done[session.validity, uid] = "not_moved"

    def _refuse(self, ledger: Ledger, session: ImapSession, uid: str, why: str, size: int) -> None:
        refused(ledger, self.name, why, f"{session.validity}.{uid}", bytes=size)
        if not session.mark(uid, "\\Flagged"):
            self._done[session.validity, uid] = why
        _log.warning("A message of %d bytes is left, flagged, for a person: %s.", size, why)


def mailbox(settings: Settings) -> Mailbox | None:
    """The channel `mailbox`, where TRIAGE_MAILBOX_SERVER names a server. Raises ConfigurationError."""
    if not settings.mailbox_server:
        return None
    for setting, name in [
        ("FOLDER", settings.mailbox_folder),
        ("RECEIVED", settings.mailbox_received),
    ]:
        if not name.isascii() or not (name.isprintable()):
            raise ConfigurationError(
                f"TRIAGE_MAILBOX_{setting} has letters outside ASCII.",
                next_step="Write it as the server does, in IMAP's UTF-7.",
            )
    if settings.mailbox_folder == settings.mailbox_received:
        raise ConfigurationError(
            "TRIAGE_MAILBOX_RECEIVED is the mailbox that is looked into.", next_step="Name another, or none."
        )
    return Mailbox(
        ImapServer.of(settings),
        folder=settings.mailbox_folder,
        received=settings.mailbox_received,
        bounds=Bounds.of(settings),
        every_s=settings.mailbox_every_s,
    )


def _reference(raw: bytes) -> str:
    """The same for the same message; its id is the sender's text, so it is hashed."""
    return hashlib.sha256(message_id(raw).encode() or raw).hexdigest()[:40]
