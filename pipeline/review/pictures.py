"""Page images for the browser, made in a process of their own: what a sender's file does to a decoder
ends there."""

from __future__ import annotations

import io
from concurrent.futures import CancelledError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from threading import Lock
from typing import Final

from cachetools import LRUCache

from pipeline.domain import SourceFile
from pipeline.errors import UnreadableFile
from pipeline.ledger import Ledger, opened
from pipeline.pages.limits import Limits
from pipeline.settings import Settings

WIDTHS: Final = {"thumb": 176, "page": 1240}
"""Pixels. A page of 8.5 inches then has 146 dots an inch: sharp on a screen of twice the dots, too."""
_KEPT_BYTES: Final = 128 * 2**20
_TASKS: Final = 200  # after which a process is made anew: native code leaks


@dataclass
class Pictures:
    """Images of the pages of submissions, the last ones kept in memory. Close it to end its processes."""

    ledger: Ledger
    settings: Settings
    _cache: LRUCache[tuple[str, int, int, int, str], bytes] = field(
        default_factory=lambda: LRUCache(_KEPT_BYTES, getsizeof=len)
    )
    _lock: Lock = field(default_factory=Lock)
    _pool: ProcessPoolExecutor | None = None

    def picture(self, submission_id: str, position: int, page: int, rotation: int, size: str) -> bytes | None:
        """A page as PNG, upright; None where it cannot be shown. `position` is of its file, from 0."""
        key = (submission_id, position, page, rotation, size)
        with self._lock:
            if (kept := self._cache.get(key)) is not None:
                return kept
        made = self._made(submission_id, position, page, rotation, WIDTHS[size])
        if made is not None:
            with self._lock:
                self._cache[key] = made
        return made

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _made(self, submission_id: str, position: int, page: int, rotation: int, width: int) -> bytes | None:
        with opened(self.ledger, submission_id) as submission:
            if position >= len(submission.files):
                return None
            file = submission.files[position]
            pool = self._processes()
            try:
                job = pool.submit(_png, file, page, rotation, width, Limits.of(self.settings))
            except RuntimeError:  # it is broken, or another request just gave it up
                self._give_up(pool)
                return None
            try:
                return job.result(timeout=self.settings.page_timeout_s)
            except TimeoutError:
                if not job.cancel():  # it has begun, so it hangs; else it only waited
                    self._give_up(pool)
            except BrokenProcessPool:
                self._give_up(pool)
            except CancelledError:
                pass
        return None

    def _processes(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    max_workers=max(1, self.settings.workers),
                    mp_context=get_context("spawn"),
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


def _png(file: SourceFile, page: int, rotation: int, width: int, limits: Limits) -> bytes | None:
    from pipeline.pages.upright import square, upright_images

    try:
        for _, raster in upright_images(file, {page: rotation}, limits=limits):
            image = square(raster, width * 72 / raster.width)
            buffer = io.BytesIO()
            image.quantize(16).save(buffer, "PNG")
            return buffer.getvalue()
    except UnreadableFile:
        return None
    return None
