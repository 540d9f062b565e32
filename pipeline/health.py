"""Whether a server lives and is ready, for whoever watches it: `GET /health/live` and `GET /health/ready`.

Ready means that what is sent now will be taken in and kept: the ledger answers, the disk has room, the keys
open what they seal. The answer holds codes alone; anybody may ask, and it is good for some seconds, so that
no number of watchers is a load.
"""

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from fastapi import APIRouter, Response
from pydantic import BaseModel

from pipeline.errors import StorageFull, TriageError
from pipeline.ledger import Ledger

_GOOD_FOR_S: Final = 2.0
T = TypeVar("T")


class Kept(Generic[T]):
    """What a function returned, for some seconds; asked once by whoever comes first after that."""

    def __init__(self, ask: Callable[[], T], *, good_for_s: float = _GOOD_FOR_S) -> None:
        self._ask, self._good_for_s, self._lock = ask, good_for_s, threading.Lock()
        self._until, self._answer = 0.0, list[T]()

    def get(self) -> T:
        with self._lock:
            if not self._answer or time.monotonic() >= self._until:
                self._answer = [self._ask()]
                self._until = time.monotonic() + self._good_for_s
            return self._answer[0]


class Live(BaseModel):
    """The server answers."""

    live: bool = True


class Ready(BaseModel):
    """Whether what is sent now is taken; else what stands in the way: `ledger`, `disk`, `keys`."""

    ready: bool
    problems: list[str]


def problems(ledger: Ledger) -> list[str]:
    """What stands in the way of taking something in, as codes; empty: nothing."""
    found = []
    try:
        ledger.read(ledger.now)
    except TriageError:
        found.append("ledger")
    try:
        ledger.vault.check_room()
    except (StorageFull, OSError):
        found.append("disk")
    try:
        opened = ledger.keys.open(ledger.keys.seal(b"ready", "ready"), "ready")
    except TriageError:
        opened = b""
    return found if opened == b"ready" else [*found, "keys"]


def health(ledger: Ledger) -> APIRouter:
    """The two routes."""
    router = APIRouter(prefix="/health")
    found = Kept(lambda: problems(ledger))

    @router.get("/live")
    async def live() -> Live:
        """The server answers."""
        return Live()

    @router.get("/ready", responses={503: {"model": Ready, "description": "What is sent now is not taken."}})
    def ready(response: Response) -> Ready:
        """What is sent now is taken."""
        told = found.get()
        response.status_code = 503 if told else 200
        return Ready(ready=not told, problems=told)

    return router
