"""Whether a server lives and is ready, for whoever watches it: `GET /health/live` and `GET /health/ready`.

Ready means that the ledger answers and the disk has room: what is sent now will be taken. The answer holds
no name, address or path; anybody may ask.
"""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy import text

from pipeline.errors import LedgerUnavailable, StorageFull
from pipeline.ledger import Ledger


class Health(BaseModel):
    """`ok`, or what is wrong with each part."""

    status: Literal["ok", "not_ready"] = "ok"
    ledger: Literal["ok", "does_not_answer"] = "ok"
    disk: Literal["ok", "full", "not_writable"] = "ok"


def readiness(ledger: Ledger) -> Health:
    """How the ledger and its disk are now."""
    told = Health()
    try:
        ledger.read(lambda db: db.execute(text("SELECT 1")).scalar())
    except LedgerUnavailable:
        told.ledger = "does_not_answer"
    try:
        ledger.vault.check_room()
    except StorageFull:
        told.disk = "full"
    except OSError:
        told.disk = "not_writable"
    if (told.ledger, told.disk) != ("ok", "ok"):
        told.status = "not_ready"
    return told


def health(ledger: Ledger) -> APIRouter:
    """The two routes."""
    router = APIRouter(prefix="/health")

    @router.get("/live")
    def live() -> dict[str, str]:
        """The server answers."""
        return {"status": "ok"}

    @router.get("/ready", responses={503: {"model": Health, "description": "What is sent now is not taken."}})
    def ready(response: Response) -> Health:
        """What is sent now is taken."""
        told = readiness(ledger)
        response.status_code = 200 if told.status == "ok" else 503
        return told

    return router
