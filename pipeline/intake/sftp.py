"""Submissions that others put into a folder at an SFTP server: fetched once they are whole, received, and
then removed, or moved to another folder there.

What is fetched goes through files without a name under TRIAGE_HOME, which are gone with the process. A
file that is not as long, or not of the time, that it was listed with is left for the next look.
"""

from __future__ import annotations

import asyncio
import errno
import posixpath
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import ConfigurationError, LedgerUnavailable, StorageFull
from pipeline.files import make_private
from pipeline.intake.drop import REFUSED, Bounds, Drop, Entry
from pipeline.intake.sftp_folder import Changed, Closed, SftpFolder
from pipeline.intake.sftp_server import SftpServer
from pipeline.ledger import Arrival, Incoming, Ledger, receive, refused
from pipeline.settings import Settings

CHANNEL: Final = "sftp"
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class Room:
    """Where files lie while they are fetched, and how much of that disk is left to other work."""

    folder: Path
    reserve: int

    def check(self, size: int) -> None:
        """Raises StorageFull where so many bytes more would be too many."""
        make_private(self.folder)
        if shutil.disk_usage(self.folder).free < size + self.reserve:
            raise _full()


class SftpDrop:
    """The channel `sftp`."""

    name = CHANNEL

    def __init__(
        self,
        server: SftpServer,
        room: Room,
        *,
        folder: str = ".",
        received: str = "",
        bounds: Bounds,
        settled_s: float = 5.0,
        every_s: float = 30.0,
    ) -> None:
        self.every_s = every_s
        self._server = server
        self._room = room
        self._folder = folder.encode()
        self._received = posixpath.join(self._folder, received.encode()) if received else b""
        self._bounds = bounds
        self._drop = Drop(settled_s=settled_s, set_aside=_among(folder, received) if received else ())

    @property
    def left(self) -> Mapping[str, int]:
        """What the last look found and cannot take in or away, counted by why."""
        return self._drop.left

    def take_in(self, ledger: Ledger) -> int:
        """Receive what is whole by now; returns how many submissions. Raises ChannelError, StorageFull and
        LedgerUnavailable; what is not received stays where it is."""
        return asyncio.run(self._take_in(ledger))

    def check(self) -> str:
        """What there is to say of the folder. Raises ChannelError where it cannot be read and written."""
        return asyncio.run(self._check())

    async def _check(self) -> str:
        async with self._server.connected() as sftp:
            number = await SftpFolder(sftp, self._folder, self._server.timeout_s).check()
        return f"{self._server.host}:{self._server.port}, {number} entries."

    async def _take_in(self, ledger: Ledger) -> int:
        taken = 0
        async with self._server.connected() as sftp:
            folder = SftpFolder(sftp, self._folder, self._server.timeout_s)
            for entry in self._drop.whole(await folder.seen()):
                try:
                    taken += await self._take(ledger, folder, entry)
                except (StorageFull, LedgerUnavailable):
                    if taken:
                        break
                    raise
                if self._drop.is_received(entry):
                    await self._take_away(folder, entry)
        return taken

    async def _take(self, ledger: Ledger, folder: SftpFolder, entry: Entry) -> int:
        if self._drop.is_received(entry):
            return 0
        if not self._bounds.hold(entry):
            await self._refuse(ledger, folder, entry)
            return 0
        self._room.check(entry.size)
        with ExitStack() as opened:
            try:
                arrival = await self._fetched(folder, entry, opened)
            except Changed:
                return 0
            except Closed:
                self._drop.leave(entry, "unreadable")
                return 0
            await asyncio.to_thread(receive, ledger, [arrival])
        self._drop.receive(entry)
        return 1

    async def _fetched(self, folder: SftpFolder, entry: Entry, opened: ExitStack) -> Arrival:
        files = []
        for file in entry.files:
            target = opened.enter_context(tempfile.TemporaryFile(dir=self._room.folder))  # noqa: SIM115
            try:
                await folder.fetch(entry, file, target)
                target.flush()
            except OSError as error:
                if error.errno in _FULL:
                    raise _full() from None
                raise
            files.append(Incoming(file.name, target))
        if not await folder.is_same(entry):
            raise Changed
        return Arrival(files, self.name, reference=entry.reference)

    async def _take_away(self, folder: SftpFolder, entry: Entry) -> None:
        try:
            if self._received:
                await folder.move(entry, self._received)
            else:
                await folder.remove(entry)
        except Closed:
            self._drop.leave(entry, "not_removed")

    async def _refuse(self, ledger: Ledger, folder: SftpFolder, entry: Entry) -> None:
        refused(ledger, self.name, "too_large", entry.reference, bytes=entry.size, files=len(entry.files))
        try:
            await folder.move(entry, posixpath.join(self._folder, REFUSED.encode()))
        except Closed:
            self._drop.leave(entry, "too_large")


def sftp_drop(settings: Settings) -> SftpDrop | None:
    """The channel `sftp`, where TRIAGE_SFTP_SERVER names a server. Raises ConfigurationError."""
    if not settings.sftp_server:
        return None
    return SftpDrop(
        SftpServer.of(settings),
        Room(settings.home / "arriving", settings.min_free_mb * 2**20),
        folder=settings.sftp_folder,
        received=settings.sftp_received,
        bounds=Bounds.of(settings),
        settled_s=settings.watch_settled_s,
        every_s=settings.sftp_every_s,
    )


def _among(folder: str, received: str) -> list[str]:
    """The name, among the submissions, of the folder for received ones; none where it lies elsewhere."""
    place = posixpath.join(folder, received)
    if posixpath.isabs(place) != posixpath.isabs(folder):
        return []
    name = posixpath.relpath(place, folder).partition("/")[0]
    if name == ".":
        raise ConfigurationError(
            "TRIAGE_SFTP_RECEIVED is the folder that is looked into.", next_step="Name another."
        )
    return [name]


def _full() -> StorageFull:
    return StorageFull(
        "The disk is full: nothing was fetched.",
        next_step="Make room on the disk of TRIAGE_HOME; the sender's copy is still where it was.",
    )
