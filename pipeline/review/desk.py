"""The reviewer's desk as a web application: `desk(ledger, settings)`.

Pages are rendered here and work without script; script adds marking words on a page, zoom and keys. The
same operations stand under `/api/v1` for programs (`api`).
"""

from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.staticfiles import StaticFiles

from pipeline.health import health
from pipeline.ledger import Ledger
from pipeline.review.api import api, describe
from pipeline.review.asking import asker
from pipeline.review.failures import add_failures
from pipeline.review.guard import headers
from pipeline.review.oidc import Oidc
from pipeline.review.pictures import Pictures
from pipeline.review.rendering import Desk
from pipeline.review.routes.cases import add_cases
from pipeline.review.routes.corrections import add_corrections
from pipeline.review.routes.documents import add_documents
from pipeline.review.routes.entrance import add_entrance
from pipeline.review.routes.offices import add_offices
from pipeline.review.routes.oidc import add_oidc
from pipeline.review.routes.queue import add_queue
from pipeline.review.routes.requests import add_requests
from pipeline.review.routes.work import add_work
from pipeline.settings import Settings

_HERE: Final = Path(__file__).parent


def desk(ledger: Ledger, settings: Settings, *, secure: bool = False) -> FastAPI:
    """The application. `secure` says that it is served over TLS, so that cookies go nowhere else."""
    provider = Oidc.of(settings)
    shared = Desk(ledger, settings, Pictures(ledger, settings), secure, provider)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> Any:
        shared.warm()
        yield
        shared.pictures.close()

    app = FastAPI(
        title="clinical-triage",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        lifespan=lifespan,
    )
    app.add_middleware(BaseHTTPMiddleware, dispatch=headers)
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
    app.include_router(health(ledger), include_in_schema=False)
    app.include_router(api(ledger, settings, shared.pictures), prefix="/api/v1")
    add_failures(app, shared)
    add_entrance(app, shared)
    if provider is not None:
        add_oidc(app, shared, provider)
    who = asker(ledger)
    for add in (add_work, add_queue, add_cases, add_corrections, add_documents, add_requests, add_offices):
        add(app, shared, who)
    describe(app)
    return app
