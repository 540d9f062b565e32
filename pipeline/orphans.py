"""No process stays behind: a helper ends when its parent does, also when that was killed."""

from __future__ import annotations

import multiprocessing
import os
import select
import threading
from typing import Final

_ORPHANED: Final = 1


def end_with_parent(descriptor: int | None = None) -> None:
    """In a helper, at its start: from now on it ends at once, whatever it is doing, when its parent is gone.

    The parent is gone when the other end of `descriptor`, a pipe, is closed; without one it is the parent
    that `multiprocessing` knows, so this is an initializer for its pools. Nothing is done where there is
    none.
    """
    if descriptor is None:
        parent = multiprocessing.parent_process()
        if parent is None:
            return
        descriptor = parent.sentinel
    hung_up = select.poll()
    hung_up.register(descriptor, 0)  # its being closed is told unasked, and what comes through it is not

    def wait() -> None:
        hung_up.poll()
        os._exit(_ORPHANED)  # not sys.exit, which ends this thread alone

    threading.Thread(target=wait, daemon=True, name="orphan").start()
