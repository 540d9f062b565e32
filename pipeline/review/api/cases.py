"""Submissions and cases: the list, one case as it stands, what happened to it, who has it."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from pipeline.audit import write
from pipeline.case_json import to_json
from pipeline.ledger import State, history
from pipeline.ledger.queries import Order
from pipeline.review import accounts, worklist
from pipeline.review.api.asking import Asked, Csrf, Id, IfMatch, refusals, seen
from pipeline.review.guard import allowed
from pipeline.review.problems import described
from pipeline.review.roles import Permission
from pipeline.review.sessions import Session

_NAMES: Final = r"^(-|[a-z0-9][a-z0-9._@-]{0,79}|)$"
_CALLED: Final = "Start of an id, a request's reference, or a channel's own id of a delivery."


class Listed(BaseModel):
    """A submission in the queue; nothing of it is text of a patient. `left_s` counts down to `due_at`.
    `outcome` is what the rules recommend, `decided` what a person set beside it, `missing` codes of what is
    not there: told to roles that see answers. `request` is the state of the last request for information."""

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
    decided: str | None
    missing: list[str]
    policy: str | None
    request: str | None
    assigned: str | None
    corrections: int


class ListPage(BaseModel):
    """A page of the list; `next` is what to give as `after`, null at the end."""

    items: list[Listed]
    next: str | None


class Happened(BaseModel):
    """An entry of a submission's history: codes, counts and times."""

    at: datetime
    kind: str
    state: str | None
    actor: str
    cause: str | None


class Assignment(BaseModel):
    """Who has the case; null for nobody."""

    model_config = ConfigDict(extra="forbid")
    assigned: str | None = Field(max_length=80)


def add_cases(router: APIRouter, asked: Asked) -> None:
    """The routes."""
    Who = Annotated[Session, Depends(asked.who)]
    ledger = asked.ledger

    @router.get("/cases", responses=described(404))
    def list_cases(
        session: Who,
        state: Annotated[list[State], Query(description="Any of these; all without.")] = [],  # noqa: B006
        reason: Annotated[str, Query(pattern=r"^[A-Za-z0-9_]{0,40}$")] = "",
        assigned: Annotated[str, Query(pattern=_NAMES, description="A user, or `-` for nobody.")] = "",
        mine: Annotated[bool, Query(description="Those assigned to who asks.")] = False,
        policy: Annotated[str, Query(pattern=r"^[a-z0-9-]{0,80}$")] = "",
        at_risk: bool = False,
        reference: Annotated[str, Query(pattern=r"^[\x21-\x7e]{0,80}$", description=_CALLED)] = "",
        order: Annotated[Order, Query(description="By outcome only for roles that see it.")] = Order.WORK,
        after: Annotated[str | None, Query(pattern=r"^[0-9a-f]{16,32}$")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> ListPage:
        """Submissions: expedited first, then by due date."""
        allowed(ledger, session, Permission.WORKLIST)
        if order is Order.OUTCOME:
            allowed(ledger, session, Permission.ANSWERS)
        wanted = worklist.Wanted(
            states=tuple(state),
            reason=reason,
            assigned=session.user.name if mine else assigned,
            policy=policy,
            at_risk=at_risk,
            reference=reference,
        )
        with refusals(usage=404):
            found = worklist.lines(ledger, wanted, after=after, most=limit, order=order)
        return ListPage(
            items=[listed(line, session) for line in found],
            next=found[-1].item.id if len(found) == limit else None,
        )

    @router.get("/cases/{id}", responses=described(404, 410) | {304: {"description": "As it was seen."}})
    def get_case(
        session: Who,
        id: Id,
        answer: Response,
        if_none_match: Annotated[str | None, Header(max_length=200)] = None,
    ) -> dict[str, Any]:
        """The case as it stands, corrections applied, in the shape of `triage schema case`."""
        allowed(ledger, session, Permission.ANSWERS, id)
        file = asked.case(id)
        tag = f'"{file.version}"'
        if if_none_match is not None and if_none_match.removeprefix("W/") == tag:
            raise HTTPException(304, headers={"ETag": tag})
        write(ledger, session.user.name, "case_exported", id, case=file.number)
        answer.headers["ETag"] = tag
        return to_json(file.case)

    @router.get("/cases/{id}/history", responses=described(404))
    def get_history(session: Who, id: Id) -> list[Happened]:
        """What happened to the submission, from its receipt on."""
        allowed(ledger, session, Permission.WORKLIST)
        asked.item(id)
        return [
            Happened(at=one.at, kind=one.kind, state=one.state, actor=one.actor, cause=one.cause)
            for one in history(ledger, id).events
        ]

    @router.get("/cases/{id}/assignment", responses=described(404))
    def get_assignment(session: Who, id: Id, answer: Response) -> Assignment:
        """Who has it. The ETag is what a change must name."""
        allowed(ledger, session, Permission.WORKLIST)
        asked.item(id)
        name = worklist.assigned_to(ledger, id)
        answer.headers["ETag"] = f'"{name or ""}"'
        return Assignment(assigned=name)

    @router.put("/cases/{id}/assignment", responses=described(404, 412, 428))
    def put_assignment(
        session: Who,
        id: Id,
        body: Assignment,
        answer: Response,
        if_match: IfMatch = None,
        x_csrf_token: Csrf = "",
    ) -> Assignment:
        """Give it to a user, or to nobody. Refused where somebody else has it by now."""
        allowed(ledger, session, Permission.CORRECT, id)
        before = seen(if_match)
        asked.item(id)
        user = accounts.user(ledger, body.assigned) if body.assigned else None
        if body.assigned is not None and (user is None or user.disabled):
            raise HTTPException(422, "There is no such user.")
        with refusals():
            worklist.assign(ledger, id, user, actor=session.user.name, seen=before)
        answer.headers["ETag"] = f'"{body.assigned or ""}"'
        return Assignment(assigned=body.assigned)


def listed(line: worklist.Line, session: Session) -> Listed:
    """A line as its reader may see it."""
    item = line.item
    answers = session.may(Permission.ANSWERS, item.id)
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
        outcome=item.outcome if answers else None,
        decided=item.decided if answers else None,
        missing=list(item.missing or ()) if answers else [],
        policy=line.policy,
        request=line.request,
        assigned=line.assigned,
        corrections=line.corrections,
    )
