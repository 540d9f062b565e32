"""Uploads: `POST /v1/submissions`, and how each stands: `GET /v1/submissions/{id}`."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi import Path as PathParameter
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool

from pipeline.files import submission_id
from pipeline.intake_server.names import sent_name
from pipeline.intake_server.refusals import Refused
from pipeline.intake_server.senders import Sender
from pipeline.intake_server.spool import Bounds, Spooled, form, one_file
from pipeline.intake_server.standing import Standing, hand_in, own_standing, refuse_other_files, standing
from pipeline.ledger import Arrival, Incoming, Ledger

_RAW: Final = ("application/pdf", "image/tiff", "image/png", "image/jpeg", "application/octet-stream")
_OLDEST, _AHEAD = timedelta(days=366), timedelta(minutes=5)
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "minItems": 1,
                            "description": "Each part with a filename is a file of the submission.",
                        },
                        "expedited": {"type": "boolean"},
                        "received_at": {"type": "string", "format": "date-time"},
                    },
                }
            },
            **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in _RAW},
        },
    }
}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": Standing, "description": "It was here already; nothing is worked twice."},
    409: {"description": "The Idempotency-Key was used for other files; nothing was taken in."},
    411: {"description": "The body does not say where it ends."},
    413: {"description": "Larger, or more files, than is taken."},
    415: {"description": "Neither a form nor a file of a known kind."},
}


class Words(BaseModel):
    """What the sender says of a submission, in the address or as fields of the form."""

    model_config = ConfigDict(extra="forbid")
    expedited: bool = False
    received_at: AwareDatetime | None = None


def uploads(ledger: Ledger, bounds: Bounds, who: Any) -> APIRouter:
    """The routes."""
    router = APIRouter()
    Who = Annotated[Sender, Depends(who)]

    @router.post(
        "/v1/submissions", status_code=201, response_model=Standing, responses=_ANSWERS, openapi_extra=_BODY
    )
    async def submit(
        sender: Who,
        request: Request,
        response: Response,
        idempotency_key: Annotated[
            str | None, Header(min_length=1, max_length=200, description="The sender's own id of it.")
        ] = None,
        expedited: Annotated[bool | None, Query(description="The short clock; yours to say.")] = None,
        received_at: Annotated[
            AwareDatetime | None, Query(description="Where you had it before: when you got it.")
        ] = None,
    ) -> Standing:
        """Files that belong together, as one submission: a form, or one file as the body."""
        await run_in_threadpool(ledger.vault.check_room)
        with ledger.vault.work_place() as folder:
            files, fields = await _files(request, folder, bounds)
            said = _words(expedited, received_at, fields)
            told = await run_in_threadpool(_take_in, ledger, sender, files, said, idempotency_key)
        response.status_code = 200 if told.again else 201
        response.headers["Location"] = told.links.self
        return told

    @router.get("/v1/submissions/{id}", response_model=Standing)
    def look(sender: Who, id: Annotated[str, PathParameter(pattern=r"^[0-9a-f]{16,32}$")]) -> Standing:
        """How a submission stands that you have sent."""
        return own_standing(ledger, id, sender)

    return router


async def _files(request: Request, folder: Path, bounds: Bounds) -> tuple[list[Spooled], dict[str, str]]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await form(request, folder, bounds)
    if kind in _RAW:
        return await one_file(request, folder, f"upload.{kind.rpartition('/')[2]}", bounds), {}
    raise Refused(415, "unknown_kind", f"Send multipart/form-data, or one of {', '.join(_RAW)}.")


def _words(expedited: bool | None, received_at: datetime | None, fields: dict[str, str]) -> Words:
    """What is said in the address and in the form, together. Raises Refused."""
    said = {"expedited": expedited, "received_at": received_at}
    try:
        # Of what is said twice, the shorter clock holds.
        inside = Words.model_validate({name: value for name, value in fields.items() if value})
    except ValidationError as error:
        known = {"expedited", "received_at"}
        wrong = sorted({str(one["loc"][0]) for one in error.errors()} & known) or ["a field unknown here"]
        raise Refused(422, "unknown_field", f"Not understood in the form: {', '.join(wrong)}.") from None
    times = [time for time in (said["received_at"], inside.received_at) if isinstance(time, datetime)]
    words = Words(expedited=bool(expedited) or inside.expedited, received_at=min(times, default=None))
    now = datetime.now(UTC)
    if words.received_at and not now - _OLDEST <= words.received_at <= now + _AHEAD:
        raise Refused(422, "received_at", "received_at lies in the future, or more than a year back.")
    return words


def _take_in(ledger: Ledger, sender: Sender, files: list[Spooled], said: Words, key: str | None) -> Standing:
    channel, reference = sender.channel("upload"), None
    if key is not None:
        # The key itself may say more than an id should; whoever has it finds the delivery by its hash.
        reference = hashlib.sha256(key.encode()).hexdigest()
        refuse_other_files(ledger, channel, reference, submission_id(file.sha256 for file in files))
    arrival = Arrival(
        [Incoming(sent_name(file.name), file.path) for file in files],
        channel,
        reference,
        expedited=said.expedited,
        received_at=said.received_at,
    )
    receipt = hand_in(ledger, arrival)
    return standing(ledger, receipt.submission_id, again=not receipt.new)
