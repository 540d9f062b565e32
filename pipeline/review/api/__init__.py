"""The desk for programs: `/api/v1`, described by `/api/v1/openapi.json`.

A program shows a bearer token (`triage user token`). Lists are paged: `next` is what to give as `after`. A
case has an ETag; a correction names it in If-Match, so that nothing is overwritten unseen. A writing
request with an Idempotency-Key is done once, however often it is sent. Where something cannot be done, the
answer is a problem (RFC 9457).

    asking      who asks, and errors made answers
    once        the same answer to the same request
    cases, corrections, exports, queue, requests, trail, own, hooks     the routes
"""

from typing import Any

from fastapi import APIRouter, FastAPI

from pipeline.ledger import Ledger
from pipeline.review.api.asking import Asked, asker
from pipeline.review.api.cases import add_cases
from pipeline.review.api.corrections import add_corrections
from pipeline.review.api.exports import add_exports
from pipeline.review.api.hooks import add_hooks
from pipeline.review.api.once import once
from pipeline.review.api.own import add_own
from pipeline.review.api.queue import add_queue
from pipeline.review.api.requests import add_requests
from pipeline.review.api.trail import add_trail
from pipeline.review.pictures import Pictures
from pipeline.review.problems import Problem, described
from pipeline.settings import Settings

_PARTS = (add_cases, add_corrections, add_exports, add_queue, add_requests, add_trail, add_own, add_hooks)


def api(ledger: Ledger, settings: Settings, pictures: Pictures) -> APIRouter:
    """The routes."""
    router = APIRouter(
        route_class=once(ledger),
        responses=described(400, 401, 403, 413, 422, 429, 503),
        generate_unique_id_function=lambda route: route.name,
    )
    asked = Asked(ledger, settings, pictures, asker(ledger))
    for add in _PARTS:
        add(router, asked)
    return router


def describe(app: FastAPI) -> None:
    """Let the document of the interface say how a program shows its token, what a problem is, and which
    header makes a request be done once."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = made()
            components = document["components"]
            schemas = components["schemas"]
            schemas["Problem"] = Problem.model_json_schema()
            for library in ("HTTPValidationError", "ValidationError"):  # the library's own; not our answers
                schemas.pop(library, None)
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"token": []}]
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]
