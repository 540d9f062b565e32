"""Page images for the browser, made in a process of their own: what a sender's file does to a decoder
ends there."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from threading import Lock
from typing import Final

from cachetools import LRUCache

from pipeline.ledger import Ledger, opened_file
from pipeline.orphans import end_with_parent
from pipeline.pages.limits import Limits
from pipeline.review.drawing import Images, drawn, ready
from pipeline.settings import Settings

WIDTHS: Final = {"thumb": 176, "page": 1240}
"""Pixels. A page of 8.5 inches then has 146 dots an inch: sharp on a screen of twice the dots, too."""
_KEPT_BYTES: Final = 128 * 2**20
_TASKS: Final = 200  # after which a process is made anew: native code leaks


_Page = tuple[str, int, int, int]  # submission, position of the file, page, rotation


@dataclass
class Pictures:
    """Images of the pages of submissions, the last ones kept in memory. Close it to end its processes.

    A page is drawn once for all its sizes, and once for all who ask at the same time.
    """

    ledger: Ledger
    settings: Settings
    _cache: LRUCache[tuple[_Page, str], bytes] = field(
        default_factory=lambda: LRUCache(_KEPT_BYTES, getsizeof=len)
    )
    _drawing: dict[_Page, Future[Images]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _pool: ProcessPoolExecutor | None = None

    def picture(self, submission_id: str, position: int, page: int, rotation: int, size: str) -> bytes | None:
        """A page as PNG, upright; None where it cannot be shown. `position` is of its file, from 0."""
        key = (submission_id, position, page, rotation)
        with self._lock:
            if (kept := self._cache.get((key, size))) is not None:
                return kept
            promised = self._drawing.get(key)
            mine = promised is None
            if promised is None:
                promised = self._drawing[key] = Future()
        if mine:
            self._draw(key, promised)
        return promised.result().get(size)

    def warm(self) -> None:
        """Start the processes, and let them load what they need."""
        pool = self._processes()
        for _ in range(self._workers):
            pool.submit(ready)

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _draw(self, key: _Page, promised: Future[Images]) -> None:
        """Keep the promise, whatever comes: others wait for it."""
        images: Images = {}
        try:
            images = self._drawn(key)
        except BaseException as error:
            promised.set_exception(error)
            raise
        else:
            promised.set_result(images)
        finally:
            with self._lock:
                del self._drawing[key]
                for size, image in images.items():
                    self._cache[key, size] = image

    def _drawn(self, key: _Page) -> Images:
        submission_id, position, page, rotation = key
        with opened_file(self.ledger, submission_id, position) as file:
            pool = self._processes()
            try:
                job = pool.submit(drawn, file, page, rotation, WIDTHS, Limits.of(self.settings))
            except RuntimeError:  # it is broken, or another request just gave it up
                self._give_up(pool)
                return {}
            try:
                return job.result(timeout=self.settings.page_timeout_s)
            except TimeoutError:
                if not job.cancel():  # it has begun, so it hangs; else it only waited
                    self._give_up(pool)
            except BrokenProcessPool:
                self._give_up(pool)
            except CancelledError:
                pass
        return {}

    @property
    def _workers(self) -> int:
        return max(1, self.settings.workers)

    def _processes(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    max_workers=self._workers,
                    mp_context=get_context("spawn"),
                    initializer=end_with_parent,
                    max_tasks_per_child=_TASKS,
                )
            return self._pool

    def _give_up(self, pool: ProcessPoolExecutor) -> None:
        """End the pool with its processes, also one that a file keeps busy for ever."""
        with self._lock:
            if self._pool is not pool:
                return
            self._pool = None
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
