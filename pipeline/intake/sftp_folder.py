"""A folder at an SFTP server: looked into, its files fetched, submissions taken away or moved.

Names are the sender's and travel as the bytes that they are; none is ever a path on this machine.
"""

from __future__ import annotations

import asyncio
import posixpath
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from pipeline.errors import ChannelError
from pipeline.intake.drop import Entry, Kind, Seen, is_hidden

if TYPE_CHECKING:
    from asyncssh import SFTPAttrs, SFTPClient

_PIECE: Final = 4 * 2**20
_RECEIVED: Final = ".triage-received-"
_CHECK: Final = b".triage-check"


class Changed(Exception):
    """A file is not what it was when it was listed."""


class Closed(Exception):
    """The server does not let us read or write this."""


@dataclass(frozen=True)
class SftpFolder:
    """The folder `path`, at a server that we are connected with. Where nothing else is said, what asyncssh
    raises is for `sftp_server` to tell."""

    sftp: SFTPClient
    path: bytes
    timeout_s: float

    async def seen(self) -> list[Seen]:
        """What stands in it, but for what went away meanwhile."""
        import asyncssh

        found = []
        for listed in await self._names(self.path):
            if listed.name.startswith(_RECEIVED):
                # A killed process was removing it: it has this name since the ledger has it.
                await self.sftp.rmtree(self._at(listed.name), ignore_errors=True)
            elif listed.kind is Kind.FOLDER and not is_hidden(listed.name):
                with suppress(asyncssh.SFTPNoSuchFile):
                    found.append(await self._look_into(listed.name))
            else:
                found.append(listed)
        return found

    async def fetch(self, entry: Entry, file: Seen, target: IO[bytes]) -> None:
        """Its bytes into `target`. Raises Changed and Closed, and what writing raises."""
        import asyncssh

        size = 0
        try:
            async with self.sftp.open(self._of(entry, file), "rb") as source:
                while size <= file.size:
                    async with asyncio.timeout(self.timeout_s):
                        piece: bytes = await source.read(_PIECE)
                    if not piece:
                        break
                    size += len(piece)
                    target.write(piece)
        except asyncssh.SFTPNoSuchFile:
            raise Changed from None
        except (asyncssh.SFTPPermissionDenied, asyncssh.SFTPFailure):
            raise Closed from None
        if size != file.size:
            raise Changed

    async def is_same(self, entry: Entry) -> bool:
        """Whether it stands there as it was listed."""
        import asyncssh

        try:
            return await self._look_into(entry.name) == entry.seen
        except asyncssh.SFTPNoSuchFile:
            return False

    async def remove(self, entry: Entry) -> None:
        """What changed since it was listed is something else by now, and stays. Raises Closed."""
        import asyncssh

        try:
            if not await self.is_same(entry):
                return
            if not entry.is_folder:
                await self.sftp.remove(self._at(entry.name))
                return
            # Under another name first, whole: what is left when this ends halfway is no smaller submission.
            aside = self._at(_RECEIVED + entry.reference)
            await self.sftp.rename(self._at(entry.name), aside)
            await self.sftp.rmtree(aside, ignore_errors=True)
        except asyncssh.SFTPNoSuchFile:
            return
        except (asyncssh.SFTPPermissionDenied, asyncssh.SFTPFailure):
            raise Closed from None

    async def move(self, entry: Entry, folder: bytes) -> None:
        """As `remove`, but into another folder, which is made if it is not there. Raises Closed."""
        import asyncssh

        if not await self.is_same(entry):
            return
        # Another of the same name may lie there already; nothing is written over it.
        for target in (_bytes(entry.name), entry.reference.encode()):
            with suppress(
                asyncssh.SFTPPermissionDenied, asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists
            ):
                await self.sftp.makedirs(folder, exist_ok=True)
                await self.sftp.rename(self._at(entry.name), posixpath.join(folder, target))
                return
        raise Closed

    async def check(self) -> int:
        """How many names it has. Raises ChannelError where it cannot be written."""
        import asyncssh

        number = len(await self._names(self.path))
        try:
            path = posixpath.join(self.path, _CHECK)
            async with self.sftp.open(path, "wb"):
                pass
            await self.sftp.remove(path)
        except (asyncssh.SFTPPermissionDenied, asyncssh.SFTPFailure):
            raise ChannelError(
                "not_writable",
                "The folder at the SFTP server cannot be written: what is received would stay there.",
                next_step="Have its user given the right to remove files from it.",
            ) from None
        return number

    async def _look_into(self, name: str) -> Seen:
        import asyncssh

        one = _seen(name, await self.sftp.lstat(self._at(name)))
        if one.kind is not Kind.FOLDER:
            return one
        try:
            inside = await self._names(self._at(name))
        except asyncssh.SFTPPermissionDenied:
            return Seen(name, Kind.CLOSED)
        return Seen(name, Kind.FOLDER, inside=tuple(inside))

    async def _names(self, folder: bytes) -> list[Seen]:
        async with asyncio.timeout(self.timeout_s):
            listed = [
                _seen(_text(one.filename), one.attrs)
                async for one in self.sftp.scandir(folder)
                if one.filename not in (b".", b"..")
            ]
        return sorted(listed, key=lambda one: one.name)

    def _at(self, name: str) -> bytes:
        return posixpath.join(self.path, _bytes(name))

    def _of(self, entry: Entry, file: Seen) -> bytes:
        place = self._at(entry.name)
        return posixpath.join(place, _bytes(file.name)) if entry.is_folder else place


def _seen(name: str, attributes: SFTPAttrs) -> Seen:
    import asyncssh.constants as told

    # No server has such names in earnest, and they would lead elsewhere.
    if "/" in name or "\0" in name or name in ("", ".", ".."):
        return Seen(name, Kind.OTHER)
    kinds = {
        told.FILEXFER_TYPE_REGULAR: Kind.FILE,
        told.FILEXFER_TYPE_DIRECTORY: Kind.FOLDER,
        told.FILEXFER_TYPE_SYMLINK: Kind.LINK,
    }
    kind = kinds.get(attributes.type, Kind.OTHER)
    if kind is not Kind.FILE:
        return Seen(name, kind)
    return Seen(name, kind, attributes.size or 0, attributes.mtime or 0)


def _text(name: bytes | str) -> str:
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
