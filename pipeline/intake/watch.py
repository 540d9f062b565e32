"""A watched folder, also on a network share: every file, or sub-folder of files that belong together, is
received once it is whole, and removed once the ledger has it.

    folder/...                            what others put there; see `drop`
    folder/refused/                       what is above the bounds is moved there, and the ledger told
    folder/.triage-received-REFERENCE     a received sub-folder while it is removed

Nothing is opened by a path that somebody could exchange: names are looked up in folders that are open, no
link is followed, and nothing but a plain file is read. A file that changes while it is taken in is left,
and taken in as it is then.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from pipeline.errors import ChannelError, LedgerUnavailable, StorageFull
from pipeline.intake.drop import REFUSED, Bounds, Drop, Entry, Kind, Seen, is_hidden
from pipeline.ledger import Arrival, Incoming, Ledger, receive, refused
from pipeline.settings import Settings

CHANNEL: Final = "folder"
_AT_ONCE: Final = 20
_RECEIVED: Final = ".triage-received-"
_ONLY_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Not to wait for whoever writes into a named pipe, should one have come in the file's place.
_ONLY_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MANY: Final = Bounds(2**40, 100_000)


class UnreadableSource(OSError):
    """A file in the folder cannot be read, or is not what it was when it was looked at."""


class WatchedFolder:
    """A folder that is looked at again and again; so many seconds without a change make an entry whole."""

    name = CHANNEL

    def __init__(
        self, folder: Path, *, settled_s: float = 5.0, every_s: float = 1.0, bounds: Bounds = _MANY
    ) -> None:
        self.folder = folder
        self.every_s = every_s
        self._bounds = bounds
        self._drop = Drop(settled_s=settled_s)

    @property
    def left(self) -> Mapping[str, int]:
        """What the last look found and cannot take in or away, counted by why."""
        return self._drop.left

    def take_in(self, ledger: Ledger) -> int:
        """Receive what is whole by now; returns how many submissions. Where the ledger cannot take them, they
        stay where they are. Raises ChannelError where the folder cannot be read, and StorageFull and
        LedgerUnavailable."""
        taken = 0
        with self._opened() as place:
            whole = self._drop.whole(self._look(place))
            for start in range(0, len(whole), _AT_ONCE):
                try:
                    taken += self._take(ledger, place, whole[start : start + _AT_ONCE])
                except (StorageFull, LedgerUnavailable):
                    if not taken:
                        raise
                    break
        return taken

    def check(self) -> str:
        """What there is to say of the folder. Raises ChannelError where it cannot be read and written."""
        with self._opened() as place:
            number = len(self._look(place))
            if not os.access(self.folder, os.W_OK | os.X_OK):
                raise ChannelError(
                    "not_writable",
                    "The watched folder cannot be written: what is received would stay there.",
                    next_step="Give this user the right to remove files from it.",
                )
        return f"{self.folder}, {number} entries."

    def _take(self, ledger: Ledger, place: int, entries: list[Entry]) -> int:
        taken = 0
        new = [entry for entry in entries if not self._drop.is_received(entry)]
        for entry in [entry for entry in new if not self._bounds.hold(entry)]:
            self._refuse(ledger, place, entry)
            new.remove(entry)
        for entry, why in self._received(ledger, place, new):
            if why and _exists(place, entry.name):
                self._drop.leave(entry, why)
            elif not why:
                self._drop.receive(entry)
                taken += 1
        for entry in filter(self._drop.is_received, entries):
            if not _removed(place, entry):
                self._drop.leave(entry, "not_removed")
        return taken

    def _received(self, ledger: Ledger, place: int, entries: list[Entry]) -> Iterator[tuple[Entry, str]]:
        """Each with the code of why it is not received, or with none. All at once where that can be."""
        try:
            if entries:
                receive(ledger, [_arrival(place, entry) for entry in entries])
            yield from ((entry, "") for entry in entries)
        except UnreadableSource:
            if len(entries) == 1:
                yield entries[0], "unreadable"
            else:
                for entry in entries:
                    yield from self._received(ledger, place, [entry])

    def _refuse(self, ledger: Ledger, place: int, entry: Entry) -> None:
        refused(ledger, self.name, "too_large", entry.reference, bytes=entry.size, files=len(entry.files))
        try:
            is_new = not _exists(place, REFUSED)
            if is_new:
                os.mkdir(REFUSED, dir_fd=place)
            with _folder(place, REFUSED) as aside:
                if is_new:  # for whoever may look into the watched one, whatever our umask
                    os.fchmod(aside, stat.S_IMODE(os.fstat(place).st_mode))
                name = entry.reference if _exists(aside, entry.name) else entry.name
                os.rename(entry.name, name, src_dir_fd=place, dst_dir_fd=aside)
        except OSError:
            self._drop.leave(entry, "too_large")

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The folder, held open: a share that goes away now is an error and no empty folder."""
        try:
            place = os.open(self.folder, _ONLY_FOLDER)
        except OSError as error:
            raise _not_there(error) from None
        try:
            yield place
        finally:
            os.close(place)

    def _look(self, place: int) -> list[Seen]:
        try:
            return _seen(place)
        except OSError as error:
            raise _not_there(error) from None


def _not_there(error: OSError) -> ChannelError:
    return ChannelError(
        "not_there",
        f"The watched folder cannot be used ({error.strerror}).",
        next_step="Check that it is there, its share is mounted and this user may read and write it.",
    )


def watched_folder(settings: Settings) -> WatchedFolder | None:
    """The channel `folder`, where TRIAGE_WATCH_FOLDER names one."""
    if not settings.watch_folder:
        return None
    return WatchedFolder(
        Path(settings.watch_folder), settled_s=settings.watch_settled_s, bounds=Bounds.of(settings)
    )


# --------------------------------------------------------------------------- looking


def _seen(place: int) -> list[Seen]:
    """What stands in the open folder, but for what went away meanwhile."""
    found = []
    for name in os.listdir(place):
        if name.startswith(_RECEIVED):
            _gone(place, name)  # a killed process was removing it: it has this name since the ledger has it
            continue
        with suppress(FileNotFoundError):
            found.append(_look_into(place, name))
    return found


def _look_into(place: int, name: str) -> Seen:
    try:
        one = _look(place, name)
        if one.kind is not Kind.FOLDER or is_hidden(name):
            return one
        with _folder(place, name) as folder:
            return Seen(
                name, one.kind, inside=tuple(_look(folder, file) for file in sorted(os.listdir(folder)))
            )
    except FileNotFoundError:
        raise
    except OSError:  # one that nobody may look at must not hold up the others
        return Seen(name, Kind.CLOSED)


def _look(place: int, name: str) -> Seen:
    status = os.stat(name, dir_fd=place, follow_symlinks=False)
    if stat.S_ISREG(status.st_mode):
        return Seen(name, Kind.FILE, status.st_size, status.st_mtime_ns)
    if stat.S_ISDIR(status.st_mode):
        return Seen(name, Kind.FOLDER)
    return Seen(name, Kind.LINK if stat.S_ISLNK(status.st_mode) else Kind.OTHER)


@contextmanager
def _folder(place: int, name: str) -> Iterator[int]:
    folder = os.open(name, _ONLY_FOLDER | os.O_NOFOLLOW, dir_fd=place)
    try:
        yield folder
    finally:
        os.close(folder)


def _exists(place: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=place, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


# --------------------------------------------------------------------------- reading


class _Whole(io.RawIOBase):
    """A file read to its end, which must be where it was when the file was looked at."""

    def __init__(self, descriptor: int, looked: Seen) -> None:
        self._descriptor = descriptor
        self._looked = looked
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            number = os.readv(self._descriptor, [buffer])
            self._read += number
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise UnreadableSource(f"a file cannot be read: {error.strerror}") from None
        now = (status.st_size, status.st_mtime_ns)
        if now != (self._looked.size, self._looked.time) or (not number and self._read != self._looked.size):
            raise UnreadableSource("a file changed while it was read")
        return number

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def _arrival(place: int, entry: Entry) -> Arrival:
    files = [Incoming(file.name, partial(_open, place, entry, file)) for file in entry.files]
    return Arrival(files, CHANNEL, reference=entry.reference)


def _open(place: int, entry: Entry, file: Seen) -> IO[bytes]:
    try:
        if entry.is_folder:
            with _folder(place, entry.name) as folder:
                descriptor = os.open(file.name, _ONLY_FILE, dir_fd=folder)
        else:
            descriptor = os.open(file.name, _ONLY_FILE, dir_fd=place)
    except OSError as error:
        raise UnreadableSource(f"a file cannot be opened: {error.strerror}") from None
    stream = _Whole(descriptor, file)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        stream.close()
        raise UnreadableSource("this is no file any more")
    return io.BufferedReader(stream, 2**20)


# --------------------------------------------------------------------------- removing


def _removed(place: int, entry: Entry) -> bool:
    """Take away what is received; False where that is not allowed. What changed since it was looked at is
    something else by now, and stays."""
    try:
        if not entry.is_folder:
            if _look(place, entry.name) == entry.files[0]:
                os.unlink(entry.name, dir_fd=place)
            return True
        if _look_into(place, entry.name) != entry.seen:
            return True
        # Under another name first, whole: what is left when this ends halfway is no smaller submission.
        aside = _RECEIVED + entry.reference
        os.rename(entry.name, aside, src_dir_fd=place, dst_dir_fd=place)
        return _gone(place, aside)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _gone(place: int, name: str) -> bool:
    """Whether the folder is gone, with all that is in it."""
    shutil.rmtree(name, ignore_errors=True, dir_fd=place)
    return not _exists(place, name)
