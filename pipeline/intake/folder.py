"""Submissions from the file system: files, or folders whose files belong together.

A folder's submission is made of the files that stand directly in it, sorted by name. Hidden files and
`expected.json` (the answers of an evaluation set) are never part of one. What else stands there is told by
`left_out`: a folder inside may hold another patient's papers, so its files are not taken for granted.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.domain import Problem, SourceFile, Submission
from pipeline.errors import UsageError
from pipeline.files import HEAD_BYTES, media_type_of, printable, submission_id, unused_name

ANSWERS = "expected.json"
NOT_RECEIVED = "not_received"


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


def submissions_in(folder: Path) -> list[tuple[str, Path]]:
    """Every sub-folder and lone file of `folder`, also one that cannot be read, as (name, path), by name.

    The name is the entry's own, a file's with its ending. Raises UsageError where there is none.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder.", next_step="Name a folder of submissions.")
    entries = _visible(folder)
    if not entries:
        raise UsageError(
            f"{folder} holds no submission.", next_step="Put each into it as a file or a sub-folder."
        )
    return [(entry.name, entry) for entry in entries]


def left_out(paths: Iterable[Path]) -> list[Problem]:
    """What stands in the folders among `paths` and is no part of their submission, each as a problem."""
    return [
        Problem(printable(entry.name), None, NOT_RECEIVED, why)
        for path in paths
        if path.is_dir()
        for entry in _visible(path)
        if (why := _why_left_out(entry))
    ]


def _why_left_out(entry: Path) -> str:
    if entry.is_file():
        return ""
    if entry.is_dir():
        inside = sum(len(files) for _, _, files in os.walk(entry))
        return (
            f"This folder inside the submission was not opened; files in it: {inside}. "
            "If they belong to the request, put them beside the others."
            if inside
            else ""
        )
    if entry.is_symlink():
        return "This is a link to a file that is not there. Ask for the file itself."
    return "This is no file that can be read."


def media_type(path: Path) -> str:
    """The media type by the file's first bytes; the name's ending is not asked."""
    with path.open("rb") as stream:
        return media_type_of(stream.read(HEAD_BYTES))


def _files_at(path: Path) -> list[Path]:
    if path.is_dir():
        return _files_in(path)
    if not path.is_file():
        raise UsageError(
            f"{path} is {'no file' if path.exists() else 'not there'}.", next_step="Check the path."
        )
    return [] if path.name == ANSWERS else [path]


def _files_in(folder: Path) -> list[Path]:
    return [entry for entry in _visible(folder) if entry.is_file()]


def _visible(folder: Path) -> list[Path]:
    entries = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return sorted((entry for entry in entries if entry.name != ANSWERS), key=lambda entry: entry.name)


def _submission(paths: Iterable[Path]) -> Submission:
    files: list[SourceFile] = []
    for path in paths:
        name = unused_name(printable(path.name), {file.name for file in files})
        files.append(SourceFile(name, path.absolute(), _sha256(path), media_type(path)))
    return Submission(submission_id(file.sha256 for file in files), tuple(files))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
