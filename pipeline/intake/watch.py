"""A watched folder: every file, or sub-folder of files that belong together, is received once it is whole,
and removed once the ledger has it.

Whole means that names, sizes and times of its files have not changed for a while; nothing tells more about
a file that somebody writes over a network share. A file that changes while it is taken in is left, and
taken in again as it is then.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import LedgerUnavailable, StorageFull
from pipeline.intake.folder import ANSWERS
from pipeline.ledger import Arrival, Incoming, Ledger, receive

_log = logging.getLogger(__name__)

CHANNEL: Final = "folder"
_UNFINISHED: Final = (".part", ".partial", ".tmp", ".filepart", ".crdownload")
_AT_ONCE: Final = 20
_Look = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    files: tuple[Path, ...]
    look: _Look


class WatchedFolder:
    """A folder that is looked at again and again; so many seconds without a change make an entry whole."""

    def __init__(self, folder: Path, *, settled_s: float = 5.0) -> None:
        self.folder = folder
        self._settled_s = settled_s
        self._seen: dict[Path, tuple[_Look, float]] = {}

    def take_in(self, ledger: Ledger) -> int:
        """Receive what is whole by now; returns how many submissions. Where the ledger cannot take them, they
        stay where they are."""
        whole = list(self._whole(time.monotonic()))
        taken = 0
        for start in range(0, len(whole), _AT_ONCE):
            entries = whole[start : start + _AT_ONCE]
            arrivals = [
                Arrival([Incoming(path.name, path) for path in entry.files], CHANNEL) for entry in entries
            ]
            try:
                receive(ledger, arrivals)
            except (StorageFull, LedgerUnavailable, OSError) as error:
                _log.warning("Watched folder: %d entries wait: %s.", len(entries), type(error).__name__)
                return taken
            for entry in entries:
                self._remove(entry)
            taken += len(entries)
        return taken

    def _whole(self, now: float) -> Iterator[_Entry]:
        entries = {entry.path: entry for entry in _entries(self.folder)}
        self._seen = {path: seen for path, seen in self._seen.items() if path in entries}
        for path, entry in entries.items():
            look, since = self._seen.get(path, (None, now))
            if look != entry.look:
                self._seen[path] = (entry.look, now)
            elif now - since >= self._settled_s:
                yield entry

    def _remove(self, entry: _Entry) -> None:
        self._seen.pop(entry.path, None)
        with suppress(OSError):
            # What changed since it was looked at is something else by now.
            if _look(entry.files) != entry.look:
                return
            for path in entry.files:
                path.unlink()
            if entry.path not in entry.files:
                entry.path.rmdir()


def _entries(folder: Path) -> Iterator[_Entry]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        with suppress(OSError):  # it went away, or may not be read yet
            files = tuple(sorted(path.iterdir()) if path.is_dir() else [path])
            files = tuple(file for file in files if file.is_file() and not file.name.startswith("."))
            if any(file.name.lower().endswith(_UNFINISHED) for file in files):
                continue
            if files := tuple(file for file in files if file.name != ANSWERS):
                yield _Entry(path, files, _look(files))


def _look(files: tuple[Path, ...]) -> _Look:
    stats = [(file, file.stat()) for file in files]
    return tuple((file.name, stat.st_size, stat.st_mtime_ns) for file, stat in stats)
