"""Files: written so that a reader finds the old one or the new one, never half of one; folders for the
owner alone; what a file is by its first bytes; what files that belong together are called."""

from __future__ import annotations

import hashlib
import os
import tempfile
import unicodedata
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

HEAD_BYTES: Final = 1024  # a PDF's header may follow up to 1024 bytes of other data (ISO 32000-1, annex H)
UNKNOWN_TYPE: Final = "application/octet-stream"
_PRIVATE = 0o600
_REPLACED: Final = "\ufffd"
_MOVING: Final = frozenset({"Cc", "Zl", "Zp"})
_DIRECTIONS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SIGNATURES: Final = (
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),
    (b"MM\x00+", "image/tiff"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)


def write_whole(path: Path, text: str) -> None:
    """`text` (UTF-8) at `path`, readable by whom the file there was, or by the owner alone.

    Raises OSError; then `path` is as it was.
    """
    mode = path.stat().st_mode & 0o777 if path.is_file() else _PRIVATE
    _replace(path, text.encode(), mode)


def write_private(path: Path, content: bytes) -> None:
    """`content` at `path`, readable by the owner alone, whoever might read the file there before; what is no
    file (a pipe, a device) is written to as it is.

    Raises OSError; then a file at `path` is as it was.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(content)
    else:
        _replace(path.resolve(), content, _PRIVATE)  # a link stays one


def _replace(path: Path, content: bytes, mode: int) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".triage-")
    beside = Path(name)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(mode)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def make_private(folder: Path) -> None:
    """Make `folder` and what is missing above it, for its owner only.

    `Path.mkdir(mode=..., parents=True)` gives its mode to the last folder only. Folders that are
    there already keep their permissions: they may be somebody else's.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Make what was named or renamed in `folder` outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def media_type_of(head: bytes) -> str:
    """The media type by a file's first HEAD_BYTES; its name is not asked."""
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    return "application/pdf" if b"%PDF-" in head else UNKNOWN_TYPE


def submission_id(sha256s: Iterable[str]) -> str:
    """The id of files that belong together, in whatever order: the same bytes have the same id."""
    return hashlib.sha256("\n".join(sorted(sha256s)).encode()).hexdigest()[:16]


def unused_name(name: str, used: Collection[str]) -> str:
    """`name`, numbered where another file of the submission has it: pages are found by their file's name."""
    stem, suffix, number = Path(name).stem, Path(name).suffix, 2
    while name in used:
        name, number = f"{stem} ({number}){suffix}", number + 1
    return name


def printable(name: str) -> str:
    """A sender's file name as text that can be written on one line and shows as it is, whatever its bytes:
    what moves a terminal, ends a line or turns the direction of writing is replaced."""
    try:
        text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:  # halves of letters that never were bytes of a name
        text = name.encode("utf-8", "replace").decode()
    return "".join(_REPLACED if _moves(letter) else letter for letter in text)


def _moves(letter: str) -> bool:
    return unicodedata.category(letter) in _MOVING or letter in _DIRECTIONS
