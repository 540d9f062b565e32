"""A folder into which others put things, wherever it is: what in it is a submission, and whether it is whole.

A file is a submission, and so is a folder of files that belong together. Whole means that names, sizes and
times have not changed for a while; nothing tells more about what somebody writes over a network. A folder
inside a folder may hold another patient's papers, so such a submission is left for a person to sort out;
links and devices are left too: what they lead to was not put there.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from pipeline.intake.folder import ANSWERS
from pipeline.settings import Settings

REFUSED: Final = "refused"
"""Folder beside the submissions for what is above the bounds; nothing is taken from it."""

_UNFINISHED: Final = (".part", ".partial", ".tmp", ".filepart", ".crdownload")
_LEFT_BY_DESKTOPS: Final = frozenset({"thumbs.db", "desktop.ini", "@eadir"})  # .DS_Store is hidden anyway
# A scanner or a gateway often makes the file first and writes it when it has the pages.
_EMPTY_SETTLES: Final = 12


class Kind(Enum):
    """What stands under a name."""

    FILE = auto()
    FOLDER = auto()
    LINK = auto()
    OTHER = auto()
    CLOSED = auto()  # nobody may look at it


@dataclass(frozen=True, slots=True)
class Seen:
    """A name in the folder, as a look found it: size in bytes, time of change in whatever unit there is."""

    name: str = field(repr=False)
    kind: Kind = Kind.FILE
    size: int = 0
    time: int = 0
    inside: tuple[Seen, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """A submission in the folder. `files` stand in a folder of its name, or are the one file itself."""

    seen: Seen = field(repr=False)
    files: tuple[Seen, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """The name that it has in the folder."""
        return self.seen.name

    @property
    def is_folder(self) -> bool:
        """Whether its files stand in a folder."""
        return self.seen.kind is Kind.FOLDER

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.size for file in self.files)

    @property
    def reference(self) -> str:
        """The same for what has not changed, and for nothing else; holds no name."""
        said = [self.name, *(f"{file.name}\0{file.size}\0{file.time}" for file in self.files)]
        return hashlib.sha256("\0\0".join(said).encode("utf-8", "surrogateescape")).hexdigest()[:40]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one submission may be: bytes, and files. Less than that may be too much for a reader, which
    is then said in its case; this keeps one sender from filling the disk."""

    size: int
    files: int

    @classmethod
    def of(cls, settings: Settings) -> Bounds:
        """As the settings say."""
        return cls(settings.intake_max_mb * 2**20, settings.intake_max_files)

    def hold(self, entry: Entry) -> bool:
        """Whether the submission is within them."""
        return entry.size <= self.size and len(entry.files) <= self.files


class Drop:
    """What is known of such a folder from one look to the next."""

    def __init__(self, *, settled_s: float, set_aside: Iterable[str] = ()) -> None:
        self._settled_s = settled_s
        self._set_aside = {REFUSED, *set_aside}
        self._seen: dict[str, tuple[Entry, float]] = {}
        self._received: dict[str, Entry] = {}
        self._left: dict[str, tuple[Entry, str]] = {}
        self._no_entry: Counter[str] = Counter()

    @property
    def left(self) -> Counter[str]:
        """What cannot be taken in, or away, counted by why."""
        return self._no_entry + Counter(why for _, why in self._left.values())

    def whole(self, seen: Iterable[Seen]) -> list[Entry]:
        """The submissions among what was seen that are whole by now, by name."""
        now = time.monotonic()
        self._no_entry.clear()
        entries = {entry.name: entry for entry in self._entries(seen)}
        self._seen = {
            name: known if (known := self._seen.get(name)) is not None and known[0] == entry else (entry, now)
            for name, entry in entries.items()
        }
        self._received = {name: entry for name, entry in self._received.items() if entries.get(name) == entry}
        self._left = {name: one for name, one in self._left.items() if entries.get(name) == one[0]}
        # What is seen for the first time has settled at the next look at the earliest.
        return [
            entry
            for entry, since in self._seen.values()
            if since < now and now - since >= self._settles_s(entry)
        ]

    def receive(self, entry: Entry) -> None:
        """The ledger has it: it is not received again while it stays as it is."""
        self._received[entry.name] = entry
        self._left.pop(entry.name, None)

    def is_received(self, entry: Entry) -> bool:
        """Whether the ledger has it, and it only waits to be taken away."""
        return self._received.get(entry.name) == entry

    def leave(self, entry: Entry, why: str) -> None:
        """It cannot be taken in, or away, for now; tried again when it has settled anew."""
        self._left[entry.name] = entry, why
        self._seen.pop(entry.name, None)

    def _settles_s(self, entry: Entry) -> float:
        return self._settled_s * (1 if all(file.size for file in entry.files) else _EMPTY_SETTLES)

    def _entries(self, seen: Iterable[Seen]) -> Iterator[Entry]:
        for one in sorted(seen, key=lambda one: one.name):
            if is_hidden(one.name) or one.name == ANSWERS or one.name in self._set_aside:
                continue
            inside = [file for file in one.inside if not is_hidden(file.name)]
            files = [one] if one.kind is not Kind.FOLDER else inside
            if any(file.name.lower().endswith(_UNFINISHED) for file in files):
                continue
            if why := _why_left(files):
                self._no_entry[why] += 1
                continue
            files = sorted((file for file in files if file.name != ANSWERS), key=lambda file: file.name)
            if files:
                yield Entry(one, tuple(files))


def is_hidden(name: str) -> bool:
    """Whether a name is no part of a submission: hidden, or what a desktop leaves behind."""
    return name.startswith(".") or name.lower() in _LEFT_BY_DESKTOPS


def _why_left(files: Sequence[Seen]) -> str:
    """The code of why these cannot be taken in; empty where they can."""
    kinds = {file.kind for file in files}
    if Kind.LINK in kinds:
        return "link"
    if Kind.CLOSED in kinds:
        return "unreadable"
    if Kind.OTHER in kinds:
        return "no_file"
    return "folder_inside" if Kind.FOLDER in kinds else ""
