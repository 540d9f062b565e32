"""Prior-authorization requests as FHIR (Da Vinci PAS): `Claim/$submit`, `Claim/$inquire`, `metadata`."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from pipeline import ledger as led
from pipeline.catalog import Catalog
from pipeline.intake_server import bundle as bundles
from pipeline.intake_server.asked import read_claim
from pipeline.intake_server.bundle import Resource
from pipeline.intake_server.claim_page import NAME, claim_page
from pipeline.intake_server.claim_response import response_bundle
from pipeline.intake_server.json_body import parsed
from pipeline.intake_server.names import sent_name
from pipeline.intake_server.refusals import FHIR_JSON, Refused
from pipeline.intake_server.senders import Sender
from pipeline.intake_server.spool import whole
from pipeline.intake_server.standing import hand_in, keep_also
from pipeline.ledger import TOLD, Arrival, Incoming, Ledger
from pipeline.settings import Settings

_COMING, _WORKED = 16, 2
_KINDS: Final = ("application/fhir+json", "application/json")
_TOLD: Final = "claim"
_SCHEMA: Final[dict[str, Any]] = {"type": "object", "properties": {"resourceType": {"const": "Bundle"}}}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {kind: {"schema": _SCHEMA} for kind in _KINDS}}
}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "A response bundle.", "content": {FHIR_JSON: {"schema": {"type": "object"}}}},
    409: {"description": "The Claim's identifier was used for another request; nothing was taken in."},
    410: {"description": "The request was erased when its time to be kept was over."},
    413: {"description": "Larger, or of more elements, than is taken."},
    415: {"description": "The body is not JSON by its Content-Type."},
}


def fhir(
    ledger: Ledger,
    settings: Settings,
    who: Any,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> APIRouter:
    """The routes. Raises CatalogError."""
    router = APIRouter(prefix="/fhir")
    Who = Annotated[Sender, Depends(who)]
    desk = _Claims(ledger, settings, now)
    turns = _Turns(settings.intake_bundle_mb * 2**20)

    @router.post("/Claim/$submit", responses=_ANSWERS, openapi_extra=_BODY, response_class=Response)
    async def submit(sender: Who, request: Request) -> Response:
        """A request for prior authorization; it is answered pended (A4), sent again with the same."""
        return await turns.answer(request, lambda data: desk.submit(sender, data))

    @router.post("/Claim/$inquire", responses=_ANSWERS, openapi_extra=_BODY, response_class=Response)
    async def inquire(sender: Who, request: Request) -> Response:
        """How a request stands that you have sent: asked by the identifier of its Claim."""
        return await turns.answer(request, lambda data: desk.inquire(sender, data))

    @router.get("/metadata", response_class=Response)
    def metadata() -> Response:
        """What this server does, as a CapabilityStatement."""
        return _answer(capabilities())

    return router


class _Claims:
    """What the routes do."""

    def __init__(self, ledger: Ledger, settings: Settings, now: Callable[[], datetime]) -> None:
        self._ledger, self._now = ledger, now
        catalog = Catalog(settings.models_dir)
        self._rules, self._plan = catalog.claims, catalog.letters.plan

    def submit(self, sender: Sender, data: Resource) -> Resource:
        request = bundles.take_apart(data)
        asked, channel = read_claim(request, self._rules), sender.channel("fhir")
        told = {
            "kind": _TOLD,
            "key": request.key,
            "digest": request.digest,
            "asked": asked.digest([document.content for document in request.documents]),
            "bundle": request.bundle,
            "documents": [document.place for document in request.documents],
        }
        known = led.delivered_as(self._ledger, channel, request.key)
        if known is not None:
            return self._again(known, told, channel)
        files = [
            Incoming(NAME, claim_page(asked)),
            *(Incoming(sent_name(document.name), document.content) for document in request.documents),
        ]
        arrival = Arrival(files, channel, request.key, expedited=asked.expedited, told=told)
        receipt = hand_in(self._ledger, arrival)
        return self._response(receipt.submission_id, request.bundle)

    def inquire(self, sender: Sender, data: Resource) -> Resource:
        key = bundles.claim_key(bundles.entries_of(data)[0]["resource"])
        known = led.delivered_as(self._ledger, sender.channel("fhir"), key)
        if known is None:
            raise Refused(404, "no_such_claim", "You have sent no request with this identifier.")
        return self._response(known, self._kept(known, key)[-1]["bundle"])

    def _again(self, submission_id: str, told: Resource, channel: str) -> Resource:
        """The answer to what was sent before. In other words (ids, times) it is kept too; where it asks
        something else, it is refused."""
        kept = self._kept(submission_id, told["key"])
        if told["asked"] not in [one["asked"] for one in kept]:
            said = "This identifier was used for another request. Nothing was taken in; give it its own."
            raise Refused(409, "key_used", said, ("Bundle.entry[0].resource.identifier",))
        if told["digest"] not in [one["digest"] for one in kept]:
            keep_also(self._ledger, submission_id, told, channel)
        return self._response(submission_id, told["bundle"])

    def _kept(self, submission_id: str, key: str) -> list[Resource]:
        """What was said of a request, the first first."""
        all_told = led.load_all(self._ledger, submission_id, TOLD)
        kept = [told for told in all_told if (told.get("kind"), told.get("key")) == (_TOLD, key)]
        if not kept:
            raise Refused(410, "erased", "The request was erased when its time to be kept was over.")
        return kept

    def _response(self, submission_id: str, asked: Resource) -> Resource:
        item = led.item(self._ledger, submission_id)
        return response_bundle(item, asked, self._rules, self._plan, self._now())


def capabilities() -> Resource:
    """The CapabilityStatement: what is there, and nothing that is not."""
    operations = [
        {"name": code, "definition": f"http://hl7.org/fhir/us/davinci-pas/OperationDefinition/{name}"}
        for code, name in (("submit", "Claim-submit"), ("inquire", "Claim-inquiry"))
    ]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-29",
        "kind": "instance",
        "software": {"name": "clinical-triage"},
        "implementation": {"description": "Intake of prior-authorization requests."},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "security": {"description": "Bearer token of a sender that the plan has given out."},
                "resource": [{"type": "Claim", "operation": operations}],
            }
        ],
    }


class _Turns:
    """How many bundles are held in memory: some while they come, few while they are worked."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._coming, self._worked = asyncio.Semaphore(_COMING), asyncio.Semaphore(_WORKED)

    async def answer(self, request: Request, work: Callable[[Resource], Resource]) -> Response:
        """What `work` makes of the request's body. Raises Refused."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _KINDS:
            raise Refused(415, "unknown_kind", f"Send {' or '.join(_KINDS)}.")
        async with self._coming:
            body = await whole(request, self._most)
            async with self._worked:
                data = await run_in_threadpool(parsed, body)
                return _answer(await run_in_threadpool(work, data))


def _answer(resource: Resource) -> Response:
    return Response(json.dumps(resource, separators=(",", ":")), media_type=FHIR_JSON)
