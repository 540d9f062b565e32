"""Received files, kept once for each content, sealed, whole or not there.

    <folder>/<sha256>          one file, sealed (see `sealing`), named by the hash of its plain bytes
    <folder>/.*.part           being written; `sweep` takes away what a killed process left
    <work folder>/*            opened copies, while somebody reads them

Bytes are on the disk when `keep` returns (file and folder are synced), so that the source may be told that
they are received. No name that came from outside becomes a path. Several machines share a vault through a
shared file system. Retention and references are the ledger's.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from pipeline.errors import StorageFull
from pipeline.files import HEAD_BYTES, make_private, media_type_of, sync_folder
from pipeline.sealing import Keyring, SealBroken

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LEFT_S: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in the vault: its identity, its length in bytes, what it is by its first bytes."""

    sha256: str
    size: int
    media_type: str


class Vault:
    """The vault in `folder`; made at the first write. Every method may be repeated safely.

    `reserve` bytes of the disk are left to work that is under way: nothing is taken in beyond. `free`
    tells how many a folder's disk has.
    """

    def __init__(
        self,
        folder: Path,
        work_folder: Path,
        keys: Keyring,
        *,
        reserve: int = 0,
        free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self.folder = folder
        self._work_folder = work_folder
        self._keys = keys
        self._reserve = reserve
        self._free = free

    def keep(self, sources: Iterable[IO[bytes]]) -> list[Stored]:
        """Take each source in from where it stands to its end.

        Raises StorageFull: then nothing of the sources counts as received, and the disk has no less
        room than before.
        """
        make_private(self.folder)
        try:
            with ExitStack() as parts:
                written = [self._written(parts, source) for source in sources]
                # None is waited for before all are written: the disk takes them together.
                for stored, part in written:
                    self._name(stored.sha256, part)
            sync_folder(self.folder)
        except OSError as error:
            if error.errno in _FULL:
                raise _full() from None
            raise
        return [stored for stored, _ in written]

    def check_room(self) -> None:
        """Raises StorageFull where so little room is left that nothing is taken in."""
        make_private(self.folder)
        if self._free(self.folder) < self._reserve:
            raise _full()

    @contextmanager
    def work_place(self) -> Iterator[Path]:
        """A private folder for plain bytes on their way in, gone afterwards; `sweep` takes what was left."""
        make_private(self._work_folder)
        with tempfile.TemporaryDirectory(dir=self._work_folder, prefix=f"{os.getpid()}-") as folder:
            yield Path(folder)

    def has(self, sha256: str) -> bool:
        """Whether the file is there."""
        return self._path(sha256).exists()

    @contextmanager
    def opened(self, sha256s: Iterable[str]) -> Iterator[list[Path]]:
        """Plain copies while the block runs, readable by the owner alone, then gone.

        Raises SealBroken where one is not what its name says, FileNotFoundError where it is not there.
        """
        with self.work_place() as folder:
            paths = []
            for number, sha256 in enumerate(sha256s):
                path = folder / str(number)
                with self._path(sha256).open("rb") as source, path.open("xb") as target:
                    if self._keys.open_stream(source, target) != sha256:
                        raise SealBroken("A kept file is not what its name says.")
                paths.append(path)
            yield paths

    def remove(self, sha256: str) -> None:
        """Take the file away; nothing happens where it is not there."""
        self._path(sha256).unlink(missing_ok=True)
        sync_folder(self.folder)

    def names(self) -> set[str]:
        """The hashes of all files that are there."""
        with suppress(FileNotFoundError):
            return {entry.name for entry in os.scandir(self.folder) if _SHA256.fullmatch(entry.name)}
        return set()

    def age_s(self, sha256: str) -> float:
        """Seconds since the file was last taken in."""
        return time.time() - self._path(sha256).stat().st_mtime

    def reseal(self, sha256: str) -> bool:
        """Seal the file with the current key; False where it is so already."""
        path = self._path(sha256)
        with path.open("rb") as source:
            if self._keys.key_of(source) == self._keys.current:
                return False
        with self.opened([sha256]) as (plain,), self._part() as part:
            with plain.open("rb") as source, part.open("wb") as target:
                self._keys.seal_stream(source, target)
            _finish(part, path)
        sync_folder(self.folder)
        return True

    def sweep(self) -> int:
        """Remove what killed processes left half-written or opened, a day old or more; returns how many."""
        swept = 0
        oldest = time.time() - _LEFT_S
        for folder in (self.folder, self._work_folder):
            for path in folder.rglob("*") if folder.is_dir() else ():
                leftover = path.name.endswith(".part") or folder == self._work_folder
                with suppress(OSError):
                    if leftover and path.is_file() and path.stat().st_mtime < oldest:
                        path.unlink()
                        swept += 1
        return swept

    def _written(self, parts: ExitStack, source: IO[bytes]) -> tuple[Stored, Path]:
        self.check_room()
        part = parts.enter_context(self._part())
        with part.open("wb") as target:
            head = source.read(HEAD_BYTES)
            sha256, size = self._keys.seal_stream(source, target, head=head)
        return Stored(sha256, size, media_type_of(head)), part

    def _name(self, sha256: str, part: Path) -> None:
        path = self._path(sha256)
        if path.exists():
            path.touch()  # it is wanted again: a sweep of files that nothing refers to must not take it
        else:
            _finish(part, path)

    @contextmanager
    def _part(self) -> Iterator[Path]:
        # mkstemp makes the file 0600 whatever the umask is.
        descriptor, name = tempfile.mkstemp(dir=self.folder, prefix=".", suffix=".part")
        os.close(descriptor)
        try:
            yield Path(name)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name)

    def _path(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise ValueError("not a sha-256 in lower-case hexadecimal")
        return self.folder / sha256


def _finish(part: Path, path: Path) -> None:
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(part, path)


def _full() -> StorageFull:
    return StorageFull(
        "The disk is full: nothing was taken in.",
        next_step="Make room on the disk of TRIAGE_HOME; the sender's copy is still where it was.",
    )
