"""The desk for programs: `/api/v1`, described by `/api/v1/openapi.json`.

A program shows a bearer token (`triage user token`). Lists are paged by `after`. A case has an ETag; a
correction names it in If-Match, so that nothing is overwritten unseen and a repeated request is refused.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pipeline.case_json import to_json
from pipeline.domain import Box
from pipeline.errors import TriageError, UsageError
from pipeline.ledger import Ledger, State
from pipeline.review import audit, worklist
from pipeline.review.casefile import (
    CaseErased,
    CaseFile,
    Change,
    Mark,
    VersionChanged,
    correct,
    open_case,
    permission_for,
)
from pipeline.review.corrections import Kind
from pipeline.review.guard import Allowance, allowed, own_form, session_of
from pipeline.review.roles import Permission
from pipeline.review.sessions import Session
from pipeline.settings import Settings

_REQUESTS_A_MINUTE: Final = 1200
Id = Annotated[str, Path(pattern=r"^[0-9a-f]{16,32}$")]
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "The request is malformed."},
    401: {"description": "No session, or its token has ended."},
    403: {"description": "The role does not cover it."},
    404: {"description": "There is no such case."},
    410: {"description": "The case was erased when its time to be kept was over."},
    413: {"description": "The request is too large."},
    422: {"description": "Something in it makes no sense; `detail` says what, and quotes nothing."},
    429: {"description": "Too many requests."},
}


class Listed(BaseModel):
    """A submission in the queue; nothing of it is text of a patient. `left_s` counts down to `due_at`."""

    id: str
    state: State
    reason: str | None
    channel: str
    expedited: bool
    received_at: datetime
    due_at: datetime
    left_s: int
    at_risk: bool
    pages: int | None
    outcome: str | None
    assigned: str | None
    corrections: int


class ListPage(BaseModel):
    """A page of the list; `next` is what to give as `after`, null at the end."""

    items: list[Listed]
    next: str | None


class Area(BaseModel):
    """A rectangle on a page: `file` counts from 0 in the case's files, `box` is [x0, top, x1, bottom] in
    points on the upright page."""

    model_config = ConfigDict(extra="forbid")
    file: int = Field(ge=0, le=10_000)
    page: int = Field(ge=1, le=100_000)
    box: tuple[float, float, float, float]


class Correct(BaseModel):
    """A correction: what a person changes in a case, and why."""

    model_config = ConfigDict(extra="forbid")
    kind: Kind
    subject: str = Field(max_length=120, examples=["findings.intent"])
    after: str | bool | None = None
    basis: str | None = None
    why: str = Field(default="", max_length=2000)
    areas: list[Area] = Field(default=[], max_length=20)


class Made(BaseModel):
    """A correction that was made."""

    number: int
    at: datetime
    actor: str
    kind: Kind
    subject: str
    before: str | bool | None
    after: str | bool | None
    why: str
    undone: bool


class AuditRow(BaseModel):
    """A row of the audit trail."""

    number: int
    at: datetime
    actor: str
    action: str
    submission_id: str | None
    data: dict[str, Any]


def api(ledger: Ledger, settings: Settings) -> APIRouter:
    """The routes."""
    router = APIRouter(responses=_REFUSALS)
    Who = Annotated[Session, Depends(_who(ledger))]

    @router.get("/cases")
    def list_cases(
        session: Who,
        state: State | None = None,
        after: Annotated[str | None, Query(pattern=r"^[0-9a-f]{16,32}$")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> ListPage:
        """Submissions: expedited first, then by due date."""
        allowed(ledger, session, Permission.WORKLIST)
        try:
            found = worklist.lines(ledger, states=[state] if state else (), after=after, most=limit)
        except UsageError as error:
            raise HTTPException(404, str(error)) from None
        return ListPage(
            items=[_listed(line) for line in found],
            next=found[-1].item.id if len(found) == limit else None,
        )

    @router.get("/cases/{id}")
    def get_case(session: Who, id: Id, answer: Response) -> dict[str, Any]:
        """The case as it stands, corrections applied, in the shape of `triage schema case`."""
        allowed(ledger, session, Permission.ANSWERS, id)
        file = _case(ledger, id)
        audit.write(ledger, session.user.name, "case_exported", id, case=file.number)
        answer.headers["ETag"] = f'"{file.version}"'
        return to_json(file.case)

    @router.get("/cases/{id}/corrections")
    def get_corrections(session: Who, id: Id) -> list[Made]:
        """Every correction of the case, the undone ones marked."""
        allowed(ledger, session, Permission.ANSWERS, id)
        file = _case(ledger, id)
        audit.write(ledger, session.user.name, "corrections_exported", id, case=file.number)
        return _made(file)

    @router.post(
        "/cases/{id}/corrections",
        status_code=201,
        responses={
            409: {"description": "The rules evaluator gave no answer; nothing was changed."},
            412: {"description": "Someone else changed the case: get it again."},
            428: {"description": "If-Match is missing."},
        },
    )
    def post_correction(
        session: Who,
        id: Id,
        body: Correct,
        answer: Response,
        if_match: Annotated[str | None, Header()] = None,
        x_csrf_token: Annotated[str, Header()] = "",
    ) -> Made:
        """Correct the case; the rules are asked again at once."""
        allowed(ledger, session, Permission.CORRECT, id)
        own_form(session, x_csrf_token)
        if if_match is None:
            raise HTTPException(428, "If-Match must name the ETag of the case that was seen.")
        file = _case(ledger, id)
        names = [one.name for one in file.case.files]
        if any(area.file >= len(names) for area in body.areas):
            raise HTTPException(422, "There is no such file.")
        change = Change(
            kind=body.kind,
            subject=body.subject,
            after=body.after,
            basis=body.basis,
            why=body.why,
            marks=tuple(Mark(names[area.file], area.page, Box(*area.box)) for area in body.areas),
        )
        allowed(ledger, session, permission_for(file, change), id)
        try:
            file = correct(ledger, settings, id, change, version=if_match.strip('"'), actor=session.user.name)
        except VersionChanged as error:
            raise HTTPException(412, str(error)) from None
        except CaseErased as error:
            raise HTTPException(410, str(error)) from None
        except UsageError as error:
            raise HTTPException(422, str(error)) from None
        except TriageError as error:
            raise HTTPException(409, str(error)) from None
        answer.headers["ETag"] = f'"{file.version}"'
        return _made(file)[-1]

    @router.get("/audit")
    def get_audit(
        session: Who,
        before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> list[AuditRow]:
        """The audit trail from its newest row back."""
        allowed(ledger, session, Permission.AUDIT)
        rows = audit.entries(ledger, before=before, most=limit)
        return [
            AuditRow(
                number=row.number,
                at=row.at,
                actor=row.actor,
                action=row.action,
                submission_id=row.submission_id,
                data=dict(row.data),
            )
            for row in rows
        ]

    return router


def _who(ledger: Ledger) -> Callable[[Request], Iterator[Session]]:
    spent = Allowance(_REQUESTS_A_MINUTE)

    def who(request: Request) -> Iterator[Session]:
        session = session_of(request, ledger)
        if session is None:
            raise HTTPException(401, "Show a token.", headers={"WWW-Authenticate": "Bearer"})
        if not spent.spend(session.id):
            raise HTTPException(429, "Too many requests.", headers={"Retry-After": "5"})
        yield session

    return who


def _case(ledger: Ledger, submission_id: str) -> CaseFile:
    try:
        file = open_case(ledger, submission_id)
    except UsageError:
        file = None
    except CaseErased as error:
        raise HTTPException(410, str(error)) from None
    if file is None:
        raise HTTPException(404, "There is no such case.")
    return file


def _listed(line: worklist.Line) -> Listed:
    item = line.item
    return Listed(
        id=item.id,
        state=item.state,
        reason=item.reason,
        channel=item.channel,
        expedited=item.expedited,
        received_at=item.received_at,
        due_at=item.due_at,
        left_s=int(line.left.total_seconds()),
        at_risk=line.at_risk,
        pages=item.page_count,
        outcome=item.outcome,
        assigned=line.assigned,
        corrections=line.corrections,
    )


def _made(file: CaseFile) -> list[Made]:
    return [
        Made(
            number=one.number,
            at=one.at,
            actor=one.actor,
            kind=one.kind,
            subject=one.subject,
            before=one.before,
            after=one.after,
            why=one.why,
            undone=one.number in file.undone,
        )
        for one in file.corrections
    ]
