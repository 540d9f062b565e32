"""Where the flow keeps what it works on: received files by content, pages and cases by submission.

    <home>/files/<sha256>                      received bytes, once for each content
    <home>/submissions/<id>/submission.json    the sender's names for them
    <home>/submissions/<id>/reading.json       what was read
    <home>/submissions/<id>/case.json          what was concluded

Tasks hand one another ids and meet here, so that no text of a patient passes through the
orchestrator. Directories are 0700 and files 0600: they hold what the sender sent. A file is
either whole or not there (written beside, synced, renamed), so a killed process leaves nothing
half-written that a later attempt would trust.

No name that came from outside becomes a path: ids and hashes are checked against a pattern, and
the sender's file names stand inside `submission.json` only (they may hold a patient's name).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import IO, Any

from pipeline.domain import Barcode, Box, Page, Problem, Reading, SourceFile, Submission, Word
from pipeline.errors import UnreadableFile, UsageError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20


class Store:
    """The store under `home`; made at the first write. Every method may be repeated safely."""

    def __init__(self, home: Path) -> None:
        self._files = home / "files"
        self._submissions = home / "submissions"

    def put(self, submission: Submission) -> str:
        """Copy the submission's files in and return its id. The same submission again changes nothing.

        Raises UnreadableFile (code `changed`) where a file no longer has the content of its hash.
        """
        folder = self._folder(submission.id)
        for source in submission.files:
            self._put_file(source)
        make_private(folder)
        files = [[file.name, file.sha256, file.media_type] for file in submission.files]
        _write_json(
            folder / "submission.json",
            {"id": submission.id, "files": files, "received": str(submission.received or "")},
        )
        return submission.id

    def submission(self, submission_id: str) -> Submission:
        """The submission with its files' paths in the store. Raises UsageError if it was never put."""
        content = self._load(submission_id, "submission.json")
        return Submission(
            id=content["id"],
            files=tuple(
                SourceFile(name=name, path=self._file(sha256), sha256=sha256, media_type=media_type)
                for name, sha256, media_type in content["files"]
            ),
            received=date.fromisoformat(content["received"]) if content["received"] else None,
        )

    def save_reading(self, submission_id: str, reading: Reading) -> None:
        """Keep what was read, in place of an earlier reading."""
        content = {
            "pages": [_page_to_json(page) for page in reading.pages],
            "problems": [[item.file, item.page, item.code, item.message] for item in reading.problems],
            "page_counts": dict(reading.page_counts),
        }
        _write_json(self._folder(submission_id) / "reading.json", content)

    def load_reading(self, submission_id: str) -> Reading:
        """What `save_reading` kept, equal record for record. Raises UsageError if there is none."""
        content = self._load(submission_id, "reading.json")
        return Reading(
            pages=tuple(_page_from_json(page) for page in content["pages"]),
            problems=tuple(Problem(*item) for item in content["problems"]),
            page_counts=content["page_counts"],
        )

    def save_case(self, submission_id: str, case: Mapping[str, Any]) -> None:
        """Keep the case as its JSON, in place of an earlier one."""
        _write_json(self._folder(submission_id) / "case.json", case)

    def load_case(self, submission_id: str) -> dict[str, Any]:
        """The case's JSON. Raises UsageError if there is none."""
        return self._load(submission_id, "case.json")

    def _load(self, submission_id: str, name: str) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads((self._folder(submission_id) / name).read_bytes())
        except FileNotFoundError:
            raise UsageError(f"Submission {submission_id} has no {name} in the store.") from None
        return content

    def _put_file(self, source: SourceFile) -> None:
        target = self._file(source.sha256)
        if target.exists():
            return
        make_private(self._files)
        with source.path.open("rb") as incoming, _replacing(target) as copy:
            digest = hashlib.sha256()
            while chunk := incoming.read(_CHUNK):
                digest.update(chunk)
                copy.write(chunk)
            if digest.hexdigest() != source.sha256:
                raise UnreadableFile(
                    "changed",
                    "A file changed while it was taken in.",
                    next_step="Send it again once it is whole.",
                )

    def _file(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise ValueError("not a sha-256 in lower-case hexadecimal")
        return self._files / sha256

    def _folder(self, submission_id: str) -> Path:
        if not _ID.fullmatch(submission_id):
            raise UsageError("A submission id has letters, digits, '-' and '_' only.")
        return self._submissions / submission_id


# --------------------------------------------------------------------------- files


def make_private(folder: Path) -> None:
    """Make `folder` and what is missing above it, for its owner only.

    `Path.mkdir(mode=..., parents=True)` gives its mode to the last folder only. Folders that are
    there already keep their permissions: they may be somebody else's.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    """A new file that takes `target`'s place when the block ends well, and vanishes when it does not."""
    # mkstemp makes the file 0600 whatever the umask is.
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_json(target: Path, content: Mapping[str, Any]) -> None:
    make_private(target.parent)
    with _replacing(target) as file:
        file.write(json.dumps(content, separators=(",", ":")).encode())


# --------------------------------------------------------------------------- pages as JSON


def _page_to_json(page: Page) -> dict[str, Any]:
    return {
        "file": page.file,
        "number": page.number,
        "source": page.source,
        "rotation": page.rotation,
        "width": page.width,
        "height": page.height,
        "text": page.text,
        # A word's text is page.text[start:end], always, and is not written twice.
        "words": [[word.start, word.end, *word.box, word.confidence] for word in page.words],
        "blank": page.blank,
        "duplicate_of": page.duplicate_of,
        "banner": page.banner,
        "mean_confidence": page.mean_confidence,
        "barcodes": [[code.text, *code.box] for code in page.barcodes],
    }


def _page_from_json(content: dict[str, Any]) -> Page:
    text = content["text"]
    words = tuple(
        Word(text[start:end], Box(x0, top, x1, bottom), start, end, confidence)
        for start, end, x0, top, x1, bottom, confidence in content["words"]
    )
    pairs = {name: tuple(content[name]) if content[name] else None for name in ("duplicate_of", "banner")}
    barcodes = tuple(Barcode(said, Box(*box)) for said, *box in content.get("barcodes", ()))
    return Page(**{**content, **pairs, "words": words, "barcodes": barcodes})
