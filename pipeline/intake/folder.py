"""Submissions from the file system: files, or folders whose files belong together.

A folder's submission is made of the files that stand directly in it, sorted by name. Hidden files and
`expected.json` (the answers of an evaluation set) are never part of one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.domain import SourceFile, Submission
from pipeline.errors import UsageError

ANSWERS = "expected.json"
UNKNOWN_TYPE = "application/octet-stream"
_HEAD = 1024  # a PDF's header may follow up to 1024 bytes of other data (ISO 32000-1, annex H)
_SIGNATURES = (
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),
    (b"MM\x00+", "image/tiff"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)


def receive(paths: Sequence[Path]) -> Submission:
    """What stands at `paths` as one submission. Raises UsageError where nothing stands there."""
    if not paths:
        raise UsageError("No file was given.", next_step="Name at least one file or folder.")
    files = [file for path in paths for file in _files_at(path)]
    if not files:
        raise UsageError(
            "The folder holds no file.", next_step="Name a folder that holds the packet's files."
        )
    return _submission(files)


def submissions_in(folder: Path) -> list[tuple[str, list[Path]]]:
    """Every sub-folder and every lone file of `folder` as (name, paths), sorted by name.

    The name is the entry's own, a file's with its ending. Sub-folders without files are left out.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder.", next_step="Name a folder of submissions.")
    named = [(entry.name, _files_at(entry)) for entry in _visible(folder)]
    return sorted((name, files) for name, files in named if files)


def media_type(path: Path) -> str:
    """The media type by the file's first bytes; the name's ending is not asked."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    return "application/pdf" if b"%PDF-" in head else UNKNOWN_TYPE


def _files_at(path: Path) -> list[Path]:
    if path.is_dir():
        return _files_in(path)
    if not path.is_file():
        raise UsageError(f"{path} is not there.", next_step="Check the path.")
    return [] if path.name == ANSWERS else [path]


def _files_in(folder: Path) -> list[Path]:
    return [entry for entry in _visible(folder) if entry.is_file()]


def _visible(folder: Path) -> list[Path]:
    entries = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return sorted((entry for entry in entries if entry.name != ANSWERS), key=lambda entry: entry.name)


def _submission(paths: Iterable[Path]) -> Submission:
    files: list[SourceFile] = []
    for path in paths:
        printable = os.fsencode(path.name).decode("utf-8", "replace")
        name = _unused(printable, {file.name for file in files})
        files.append(SourceFile(name, path.absolute(), _sha256(path), media_type(path)))
    hashes = "\n".join(sorted(file.sha256 for file in files))
    return Submission(hashlib.sha256(hashes.encode()).hexdigest()[:16], tuple(files))


def _unused(name: str, used: set[str]) -> str:
    """`name`, numbered where another file of the submission has it: pages are found by their file's name."""
    stem, suffix, number = Path(name).stem, Path(name).suffix, 2
    while name in used:
        name, number = f"{stem} ({number}){suffix}", number + 1
    return name


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
