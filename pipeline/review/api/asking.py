"""Who asks, and what keeps it from being done, as an answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Header, HTTPException, Path, Request

from pipeline.cases import Knowledge
from pipeline.errors import EvaluatorError, TriageError, UsageError
from pipeline.ledger import Item, Ledger, item
from pipeline.review.casefile import CaseErased, CaseFile, VersionChanged, open_case
from pipeline.review.correction_records import RecordMissing
from pipeline.review.guard import own_form, session_of
from pipeline.review.pictures import Pictures
from pipeline.review.sessions import Session
from pipeline.review.standing import knowledge_of
from pipeline.serving import Allowance
from pipeline.settings import Settings

REQUESTS_A_MINUTE: Final = 1200
Id = Annotated[str, Path(pattern=r"^[0-9a-f]{16,32}$", description="A submission.")]
Reference = Annotated[str, Path(pattern=r"^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}$", description="A request.")]
IfMatch = Annotated[str | None, Header(description="The ETag of what was seen.", max_length=200)]
Csrf = Annotated[str, Header(description="The desk's own pages send it; a program with a token need not.")]


@dataclass
class Asked:
    """What the routes share."""

    ledger: Ledger
    settings: Settings
    pictures: Pictures
    who: Callable[[Request], Iterator[Session]]

    @property
    def knowledge(self) -> Knowledge:
        """The knowledge files, the very ones that the desk's pages have."""
        return knowledge_of(self.settings)

    def item(self, submission_id: str) -> Item:
        """The submission as the queue has it. Raises 404."""
        try:
            return item(self.ledger, submission_id)
        except UsageError:
            raise HTTPException(404, "There is no such submission.") from None

    def case(self, submission_id: str) -> CaseFile:
        """The case file. Raises 404, 410."""
        try:
            file = open_case(self.ledger, submission_id)
        except UsageError:
            file = None
        except CaseErased as error:
            raise HTTPException(410, str(error)) from None
        if file is None:
            raise HTTPException(404, "There is no such case.")
        return file


def asker(ledger: Ledger) -> Callable[[Request], Iterator[Session]]:
    """A dependency of the routes: the session of who asks; a writing request must be its own. Raises 401,
    403, 429."""
    spent = Allowance(REQUESTS_A_MINUTE)

    def who(request: Request) -> Iterator[Session]:
        session = session_of(request, ledger)
        if session is None:
            raise HTTPException(401, "Show a token.", headers={"WWW-Authenticate": "Bearer"})
        if (wait := spent.wait_s(session.id)) > 0:
            raise HTTPException(429, "Too many requests.", headers={"Retry-After": str(wait)})
        if request.method not in ("GET", "HEAD"):
            own_form(session, request.headers.get("x-csrf-token", ""))
        yield session

    return who


@contextmanager
def refusals(*, usage: int = 422) -> Iterator[None]:
    """Errors of the block as answers; `usage` is the status where what was asked for cannot be."""
    try:
        yield
    except VersionChanged as error:
        raise HTTPException(412, str(error)) from None
    except CaseErased as error:
        raise HTTPException(410, str(error)) from None
    except UsageError as error:
        raise HTTPException(usage, str(error)) from None
    except (EvaluatorError, RecordMissing) as error:
        raise HTTPException(409 if isinstance(error, EvaluatorError) else 503, str(error)) from None
    except TriageError as error:
        raise HTTPException(503, str(error)) from None


def one_of(reason: str, offered: Collection[str]) -> None:
    """Raises 422 for a reason that the desk does not offer: it would stand in the trail for good."""
    if reason not in offered:
        raise HTTPException(422, f"The reason must be one of {', '.join(offered)}.")


def seen(if_match: str | None) -> str:
    """The version that a writing request names. Raises 428 where it names none."""
    if not if_match:
        raise HTTPException(428, "If-Match must name the ETag of what was seen.")
    return if_match.removeprefix("W/").strip('"')
