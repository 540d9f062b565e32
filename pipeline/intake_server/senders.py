"""Who hands in: a program with a token of a user whose role is `sender` (`triage user token NAME`).

A sender's deliveries bear its name in their channel, so that its keys are its own and it sees what it sent
and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from pipeline.intake_server.refusals import Refused
from pipeline.ledger import Ledger
from pipeline.review.roles import Permission
from pipeline.review.sessions import current
from pipeline.serving import Allowance

_WRONG_A_MINUTE: Final = 30
_BEARER: Final = HTTPBearer(auto_error=False, description="A sender's token: `triage user token NAME`.")


@dataclass(frozen=True, slots=True)
class Sender:
    """A program that may hand in submissions."""

    name: str

    def channel(self, way: str) -> str:
        """The channel of its deliveries by a way: `upload` or `fhir`."""
        return f"{way}:{self.name}"

    @property
    def channels(self) -> frozenset[str]:
        """All channels by which it delivers."""
        return frozenset(self.channel(way) for way in ("upload", "fhir"))


def sender_of(ledger: Ledger, a_minute: int) -> Callable[..., Sender]:
    """A function that tells who asks. It raises Refused: 401 for a token that is none, 403 for a user who is
    no sender, 429 for one who asks too often, also with wrong tokens."""
    asked, wrong = Allowance(a_minute), Allowance(_WRONG_A_MINUTE)

    def sender(request: Request, given: Annotated[Any, Depends(_BEARER)]) -> Sender:
        session = current(ledger, given.credentials) if given else None
        if session is None or not session.program:
            too_often(wrong, request.client.host if request.client else "")
            raise Refused(
                401,
                "who",
                "A bearer token is needed that is known here and has not ended.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if not session.may(Permission.SUBMIT):
            raise Refused(403, "no_sender", "The token's user is no sender.")
        too_often(asked, session.user.name)
        return Sender(session.user.name)

    return sender


def too_often(allowance: Allowance, who: str) -> None:
    """Raises Refused for one who has asked as often as is allowed; counts what is asked now."""
    if wait_s := allowance.wait_s(who):
        raise Refused(
            429,
            "too_often",
            "Too many requests; Retry-After says how long to wait.",
            headers={"Retry-After": str(wait_s)},
        )
