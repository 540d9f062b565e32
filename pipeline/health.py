"""Whether a server lives and is ready, for whoever watches it: `GET /health/live` and `GET /health/ready`.

Ready means that what is sent now will be taken: the ledger answers and the disk has room. The answer holds
codes alone; anybody may ask, and it is good for some seconds, so that no number of watchers is a load.
"""

import threading
import time
from typing import Final

from fastapi import APIRouter, Response
from pydantic import BaseModel

from pipeline.errors import StorageFull, TriageError
from pipeline.ledger import Ledger

_GOOD_FOR_S: Final = 2.0


class Live(BaseModel):
    """The server answers."""

    live: bool = True


class Ready(BaseModel):
    """Whether what is sent now is taken; else what stands in the way: `ledger`, `disk`."""

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
    return found


def health(ledger: Ledger, *, good_for_s: float = _GOOD_FOR_S) -> APIRouter:
    """The two routes."""
    router = APIRouter(prefix="/health")
    lock, kept = threading.Lock(), list[tuple[float, list[str]]]()

    def asked() -> list[str]:
        with lock:
            if not kept or time.monotonic() - kept[0][0] > good_for_s:
                kept[:] = [(time.monotonic(), problems(ledger))]
            return kept[0][1]

    @router.get("/live")
    async def live() -> Live:
        """The server answers."""
        return Live()

    @router.get("/ready", responses={503: {"model": Ready, "description": "What is sent now is not taken."}})
    def ready(response: Response) -> Ready:
        """What is sent now is taken."""
        found = asked()
        response.status_code = 503 if found else 200
        return Ready(ready=not found, problems=found)

    return router
