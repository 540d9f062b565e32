"""Who asks for a page of the desk."""

from collections.abc import Callable, Iterator
from typing import Annotated, Final

from fastapi import HTTPException, Request
from fastapi import Path as PathParameter

from pipeline.ledger import Ledger
from pipeline.review.guard import session_of
from pipeline.review.sessions import Session
from pipeline.serving import Allowance

Id = Annotated[str, PathParameter(pattern=r"^[0-9a-f]{16,32}$")]
_REQUESTS_A_MINUTE: Final = 1200
Asker = Callable[[Request], Iterator[Session]]


class LoginNeeded(Exception):
    """Nobody is logged in."""


def asker(ledger: Ledger) -> Asker:
    """A dependency of routes: the session of who asks. Raises LoginNeeded, 429."""
    spent = Allowance(_REQUESTS_A_MINUTE)

    def who(request: Request) -> Iterator[Session]:
        session = session_of(request, ledger)
        if session is None:
            raise LoginNeeded
        if (wait := spent.wait_s(session.id)) > 0:
            raise HTTPException(429, "Too many requests; wait a moment.", {"Retry-After": str(wait)})
        yield session

    return who
