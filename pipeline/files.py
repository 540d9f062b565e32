"""Files: written so that a reader finds the old one or the new one, never half of one; folders for the
owner alone; what a file is by its first bytes; what files that belong together are called."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

HEAD_BYTES: Final = 1024  # a PDF's header may follow up to 1024 bytes of other data (ISO 32000-1, annex H)
UNKNOWN_TYPE: Final = "application/octet-stream"
_PRIVATE = 0o600
# Controls, marks of direction, line and paragraph separators, the byte order mark, halves of characters.
_NOT_SHOWN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_LONGEST_NAME: Final = 160
_LONGEST_SUFFIX: Final = 16
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
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".triage-")
    beside = Path(name)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
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
    """A sender's file name as one line of text that can be written and shown, whatever its bytes: no control
    character, none that turns the direction of what follows, nothing that is a path, and no longer than 160.
    """
    try:
        text = os.fsencode(name).decode("utf-8", "replace")
    except UnicodeEncodeError:  # half of a character that JSON wrote in two
        text = name.encode("utf-8", "replace").decode()
    text = _NOT_SHOWN.sub("\ufffd", text).replace("/", "_").replace("\\", "_")
    if len(text) <= _LONGEST_NAME:
        return text
    suffix = Path(text).suffix if len(Path(text).suffix) <= _LONGEST_SUFFIX else ""
    return text[: _LONGEST_NAME - len(suffix)] + suffix
