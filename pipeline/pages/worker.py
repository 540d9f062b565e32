"""A reading process: a Python that calls `main(descriptor)` with its end of a pipe.

It is a program of its own, not a copy of its parent, so that it starts quickly and carries nothing over.
First it is sent (engine name, limits) and answers ("ready",); then it is sent jobs and answers each with
one tuple:

    ("pages", FileFacts)         to Count
    ("page", Page)               to ReadPage
    ("unreadable", code, message, next_step)
    ("configuration", message, next_step)
    ("failed", name)             an error that is a bug; its name only, for its text may hold page text

FORGET closes the file that is open and has no answer: the submission is over.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple

from pipeline.domain import SourceFile
from pipeline.errors import ConfigurationError, UnreadableFile
from pipeline.ocr import Engine, load
from pipeline.orphans import end_with_parent
from pipeline.pages.limits import Limits
from pipeline.pages.reading import is_cut_off, open_file, read_page
from pipeline.pages.stored import Carried, StoredPages

_PROBED_PAGES = 3
_CV_NO_MEMORY = -4  # cv2.Error.StsNoMem


@dataclass(frozen=True, slots=True)
class Count:
    """How many pages has this file? Unless `probe`, no page is looked at, whatever it may do."""

    file: SourceFile
    probe: bool = True


class FileFacts(NamedTuple):
    """`scanned`: a page seems to need recognition; `cut_off`: pages may be missing at the end."""

    pages: int
    scanned: bool
    cut_off: bool
    carried: Carried


@dataclass(frozen=True, slots=True)
class ReadPage:
    """Read this page."""

    file: SourceFile
    number: int


Job = Count | ReadPage

FORGET: Final = None


class Reader:
    """Does jobs one after the other; keeps the last file open, for jobs on one file come in a row."""

    def __init__(self, engine_name: str, limits: Limits) -> None:
        self._engine_name = engine_name
        self._limits = limits
        self._engine: Engine | None = None
        self._open: tuple[Path, StoredPages] | None = None

    def do(self, job: Job) -> tuple[Any, ...]:
        try:
            pages = self._pages(job.file)
            if isinstance(job, Count):
                scanned = not job.probe or _seems_scanned(pages)
                return "pages", FileFacts(len(pages), scanned, is_cut_off(job.file), pages.carried())
            return "page", self._page(job, pages)
        except UnreadableFile as error:
            return "unreadable", error.code, error.args[0], error.next_step
        except MemoryError:
            return "unreadable", "out_of_memory", "The page needs more memory than is allowed.", _SMALLER
        except ConfigurationError as error:
            return "configuration", error.args[0], error.next_step
        except Exception as error:
            if getattr(error, "code", 0) == _CV_NO_MEMORY:  # OpenCV's own way to say it
                return "unreadable", "out_of_memory", "The page needs more memory than is allowed.", _SMALLER
            return "failed", f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")

    def forget(self) -> None:
        """Close the file that is open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _page(self, job: ReadPage, pages: StoredPages) -> Any:
        if self._engine is None:
            self._engine = load(self._engine_name)
        return read_page(job.file, pages, job.number, self._engine)

    def _pages(self, file: SourceFile) -> StoredPages:
        if self._open is None or self._open[0] != file.path:
            self.forget()
            self._open = file.path, open_file(file.path, file.media_type, self._limits)
        return self._open[1]


_SMALLER = "Ask the sender to scan at 200 to 300 dots an inch."


def _seems_scanned(pages: StoredPages) -> bool:
    """Whether one of the first pages has no usable text layer."""
    return any(pages.text_layer(number) is None for number in range(1, min(len(pages), _PROBED_PAGES) + 1))


def limit_memory(megabytes: int) -> None:
    """Lets this process take `megabytes` more address space than it has now. Linux only."""
    try:
        import resource

        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + megabytes * 2**20,) * 2)
    except (ImportError, OSError, ValueError):
        return  # elsewhere the time limit alone stands guard


def main(descriptor: int) -> None:
    os.environ["OMP_THREAD_LIMIT"] = "1"
    connection = Connection(descriptor)
    end_with_parent(descriptor)  # a page that hangs would keep it: nobody is left to see the time
    engine_name, limits = connection.recv()
    reader = Reader(engine_name, limits)
    limit_memory(limits.worker_memory_mb)
    connection.send(("ready",))
    while True:
        try:
            job = connection.recv()
        except EOFError:  # the parent is done, or gone
            return
        if job is FORGET:
            reader.forget()
        else:
            connection.send(reader.do(job))
