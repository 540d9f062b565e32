"""What watchers ask over HTTP: /metrics, and /health/live and /health/ready. Counts and codes only.

An answer is good for some seconds, so that no number of watchers is a load on the ledger.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST

from pipeline.health import Kept, health
from pipeline.ledger import Ledger
from pipeline.monitoring.metrics import exposition
from pipeline.settings import Settings

_GOOD_FOR_S: Final = 5.0


def application(ledger: Ledger, settings: Settings) -> FastAPI:
    """The three pages."""
    stuck_after = timedelta(seconds=settings.stuck_s)
    metrics = Kept(lambda: exposition(ledger, stuck_after=stuck_after), good_for_s=_GOOD_FOR_S)
    app = FastAPI(openapi_url=None)
    app.include_router(health(ledger))

    def shown() -> Response:
        return Response(metrics.get(), headers={"content-type": CONTENT_TYPE_LATEST})

    app.add_api_route("/metrics", shown)
    return app
