"""One of many that goes wrong: the others go on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import LedgerUnavailable, StorageFull

_log = logging.getLogger(__name__)


@contextmanager
def apart(what: str, name: str, *, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """What goes wrong inside is logged, by the thing's own id and the error's class, and ends there. Raises
    LedgerUnavailable and StorageFull, which are about all of them, and what is in `but`."""
    try:
        yield
    except Exception as error:  # a broken record is there each minute: it must not end every round
        if isinstance(error, (LedgerUnavailable, StorageFull, *but)):
            raise
        _log.error("%s %s is left as it is: %s.", what, name, type(error).__name__)
