"""What a program is answered where it cannot have what it asked for: RFC 9457, one shape for every route."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi.responses import Response
from pydantic import BaseModel, Field

MEDIA_TYPE: Final = "application/problem+json"
SAID: Final[Mapping[int, str]] = {
    400: "What was sent cannot be read.",
    401: "No session, or its token has ended.",
    403: "The role does not cover it.",
    404: "There is no such thing.",
    405: "The address has no such method.",
    409: "It cannot be done as things stand; nothing was changed.",
    410: "The case was erased when its time to be kept was over.",
    411: "The request does not say how long it is.",
    412: "Someone else changed it: get it again.",
    413: "The request is too large.",
    422: "Something in it makes no sense; `detail` says what, and quotes nothing.",
    428: "If-Match is missing.",
    429: "Too many requests; Retry-After says when to go on.",
    503: "The service cannot answer now: its database, or a part of a record.",
}


class Problem(BaseModel):
    """Why a request was not done. `detail` is for people; it quotes neither the request nor a record."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    places: list[str] = Field(default=[], description="Where the request is not as the interface has it.")


def problem(
    status: int,
    detail: str,
    *,
    places: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer."""
    told = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, places=list(places))
    return Response(json.dumps(told.model_dump()), status, headers, MEDIA_TYPE)


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers of a route, for the document of the interface."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {one: {"description": SAID[one], "content": {MEDIA_TYPE: schema}} for one in statuses}
