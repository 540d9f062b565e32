"""The intake server's application: its routes, what every request passes, and what is said when one fails."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from pipeline.errors import LedgerUnavailable, StorageFull
from pipeline.health import health
from pipeline.intake.fax_providers import Provider, providers_in
from pipeline.intake_server.fax import fax_notices
from pipeline.intake_server.fetching import Fetcher, FetchLoop
from pipeline.intake_server.fhir import fhir
from pipeline.intake_server.refusals import Refused, answer, refusal_of
from pipeline.intake_server.senders import sender_of
from pipeline.intake_server.spool import Bounds
from pipeline.intake_server.uploads import uploads
from pipeline.ledger import Ledger
from pipeline.settings import Settings

_log = logging.getLogger(__name__)
_MIB: Final = 2**20
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "The request is malformed, or ended before it was whole."},
    401: {"description": "No token, or one that is not known or has ended."},
    403: {"description": "The token's user is no sender."},
    404: {"description": "There is no such thing of yours."},
    408: {"description": "It came too slowly, or nothing more came."},
    422: {"description": "Something in it makes no sense; `detail` says what, and quotes nothing."},
    429: {"description": "Too many requests; Retry-After says when."},
    503: {"description": "The ledger does not answer; nothing was taken in; Retry-After says when."},
    507: {"description": "The disk is full; nothing was taken in; Retry-After says when."},
}


def application(ledger: Ledger, settings: Settings) -> FastAPI:
    """The application; while it is served, it fetches what fax providers tell of. Raises CatalogError and
    ConfigurationError where knowledge or a setting is wrong."""
    providers = providers_in(settings)
    loop = FetchLoop(_fetcher(ledger, settings, providers))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loop.start()
        try:
            yield
        finally:
            await run_in_threadpool(loop.stop)

    app = FastAPI(
        title="Intake",
        description="Takes prior-authorization packets in. Nothing is answered with a yes before it is kept.",
        version="1",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        responses=_REFUSALS,
        lifespan=lifespan if providers else None,
    )
    bounds = Bounds(
        file_bytes=settings.max_file_mb * _MIB,
        all_bytes=settings.intake_max_mb * _MIB,
        files=settings.intake_max_files,
    )
    who = sender_of(ledger, settings.intake_requests_a_minute)
    app.include_router(uploads(ledger, bounds, who))
    app.include_router(fhir(ledger, settings, who))
    app.include_router(fax_notices(ledger, providers, noted=loop.look))
    app.include_router(health(ledger))
    _say_what_failed(app)
    app.middleware("http")(_told)
    return app


def _fetcher(ledger: Ledger, settings: Settings, providers: Mapping[str, Provider]) -> Fetcher:
    return Fetcher(
        ledger,
        providers,
        largest=settings.max_file_mb * _MIB,
        give_up=timedelta(hours=settings.fax_fetch_hours),
        idle_s=settings.fax_timeout_s,
    )


async def _told(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """A line in the log for each request, without its address: ids in it are the sender's."""
    started = time.perf_counter()
    try:
        response = await call_next(request)
    except Exception as error:  # a bug; its message may quote what was sent, the log's policy withholds it
        refused = refusal_of(error)
        if refused.status == 500:
            _log.error("A request failed.", exc_info=error)
        response = answer(request, refused)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    route = request.scope.get("route")
    path = getattr(route, "path", "-")
    taken = (time.perf_counter() - started) * 1000
    _log.info("%s %s: %d in %.1f ms.", request.method, path, response.status_code, taken)
    return response


def _say_what_failed(app: FastAPI) -> None:
    def failed(request: Request, error: Exception) -> Response:
        return answer(request, refusal_of(error))

    def misunderstood(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        # Where, not what: the errors would quote the values.
        where = sorted({".".join(map(str, one["loc"][:2])) for one in error.errors()})
        return answer(request, Refused(422, "not_understood", f"Not understood: {', '.join(where)}."))

    for kind in (Refused, StorageFull, LedgerUnavailable, ClientDisconnect, HTTPException):
        app.add_exception_handler(kind, failed)
    app.add_exception_handler(RequestValidationError, misunderstood)
