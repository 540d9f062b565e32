"""What the server does not take, said so that a program and a person can act on it; nothing is quoted."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from pipeline.errors import LedgerUnavailable, StorageFull

FHIR_JSON: Final = "application/fhir+json"
_FULL_RETRY_S, _LEDGER_RETRY_S = 300, 30
_ISSUES: Final = {
    401: "login",
    403: "forbidden",
    404: "not-found",
    409: "duplicate",
    411: "invalid",
    413: "too-costly",
    415: "not-supported",
    429: "throttled",
    500: "exception",
    503: "transient",
    507: "no-store",
}
_CODES: Final = {404: "no_such_thing", 405: "no_such_method", 400: "malformed"}
_SAID: Final = {404: "There is nothing at this address.", 405: "This address does not take that method."}


@dataclass
class Refused(Exception):
    """A request that is not taken: a code for a program, a sentence for a person. `places` are paths into a
    FHIR resource."""

    status: int
    code: str
    detail: str
    places: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(request: Request, refused: Refused) -> Response:
    """The refusal in the manner of the path: an OperationOutcome under /fhir, else `code` and `detail`."""
    if request.url.path.startswith("/fhir"):
        return JSONResponse(
            outcome(refused), refused.status, headers=dict(refused.headers), media_type=FHIR_JSON
        )
    body: dict[str, Any] = {"code": refused.code, "detail": refused.detail}
    return JSONResponse(body, refused.status, headers=dict(refused.headers))


def outcome(refused: Refused) -> dict[str, Any]:
    """The refusal as a FHIR OperationOutcome."""
    issue: dict[str, Any] = {
        "severity": "error",
        "code": _ISSUES.get(refused.status, "invalid"),
        "details": {"text": refused.detail},
    }
    if refused.places:
        issue["expression"] = list(refused.places)
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def refusal_of(error: Exception) -> Refused:
    """What is said of an exception; of a bug, nothing."""
    match error:
        case Refused():
            return error
        case StorageFull():
            return _later(507, "full", "There is no room for it now. Send it again later.", _FULL_RETRY_S)
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return refusal_of(StorageFull("The disk is full."))
        case LedgerUnavailable():
            return _later(503, "unavailable", "It cannot be kept just now. Send it again.", _LEDGER_RETRY_S)
        case ClientDisconnect():
            return Refused(400, "cut_off", "The request ended before it was whole.")
        case HTTPException():
            code = _CODES.get(error.status_code, "refused")
            return Refused(error.status_code, code, _SAID.get(error.status_code, "The request is not taken."))
        case _:
            return Refused(500, "internal", "Internal error; the server's log says where.")


def _later(status: int, code: str, detail: str, after_s: int) -> Refused:
    return Refused(status, code, detail, headers={"Retry-After": str(after_s)})
