"""Corrections of a case: those that were made, one more, one undone."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Response
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from pipeline.audit import write
from pipeline.domain import Box
from pipeline.review.api.asking import Asked, Csrf, Id, IfMatch, refusals, seen
from pipeline.review.casefile import CaseFile
from pipeline.review.correcting import Change, Mark, correct, permission_for
from pipeline.review.corrections import Kind
from pipeline.review.guard import allowed
from pipeline.review.problems import described
from pipeline.review.roles import Permission
from pipeline.review.sessions import Session

Number = Annotated[int, Path(ge=1, le=999_999_999, description="A correction of the case.")]


class Area(BaseModel):
    """A rectangle on a page: `file` counts from 0 in the case's files, `box` is [x0, top, x1, bottom] in
    points on the upright page."""

    model_config = ConfigDict(extra="forbid")
    file: int = Field(ge=0, le=10_000)
    page: int = Field(ge=1, le=100_000)
    box: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]


class Correct(BaseModel):
    """A correction: what a person changes in a case, and why."""

    model_config = ConfigDict(extra="forbid")
    kind: Kind
    subject: str = Field(max_length=120, examples=["findings.intent"])
    after: str | bool | None = None
    basis: str | None = Field(default=None, max_length=10)
    why: str = Field(default="", max_length=2000)
    areas: list[Area] = Field(default=[], max_length=20)


class Undo(BaseModel):
    """Why a correction counts no more."""

    model_config = ConfigDict(extra="forbid")
    why: str = Field(default="", max_length=2000)


class Made(BaseModel):
    """A correction that was made. `lapsed` is why it counts no more though nobody undid it: a code."""

    number: int
    at: datetime
    actor: str
    kind: Kind
    subject: str
    before: str | bool | None
    after: str | bool | None
    why: str
    undone: bool
    lapsed: str | None


def add_corrections(router: APIRouter, asked: Asked) -> None:
    """The routes."""
    Who = Annotated[Session, Depends(asked.who)]
    ledger, settings = asked.ledger, asked.settings

    @router.get("/cases/{id}/corrections", responses=described(404, 410))
    def list_corrections(session: Who, id: Id, answer: Response) -> list[Made]:
        """Every correction of the case, the undone ones marked."""
        allowed(ledger, session, Permission.ANSWERS, id)
        file = asked.case(id)
        write(ledger, session.user.name, "corrections_exported", id, case=file.number)
        answer.headers["ETag"] = f'"{file.version}"'
        return made(file)

    @router.post("/cases/{id}/corrections", status_code=201, responses=described(404, 409, 410, 412, 428))
    def correct_case(
        session: Who,
        id: Id,
        body: Correct,
        answer: Response,
        if_match: IfMatch = None,
        x_csrf_token: Csrf = "",
    ) -> Made:
        """Correct the case; the rules are asked again at once."""
        allowed(ledger, session, Permission.CORRECT, id)
        version = seen(if_match)
        file = asked.case(id)
        names = [one.name for one in file.case.files]
        if any(area.file >= len(names) for area in body.areas):
            raise HTTPException(422, "There is no such file.")
        marks = tuple(Mark(names[area.file], area.page, Box(*area.box)) for area in body.areas)
        change = Change(body.kind, body.subject, body.after, body.basis, body.why, marks)
        allowed(ledger, session, permission_for(file, change), id)
        return _done(session, id, change, version, answer)

    @router.post(
        "/cases/{id}/corrections/{number}/undo",
        status_code=201,
        responses=described(404, 409, 410, 412, 428),
    )
    def undo_correction(
        session: Who,
        id: Id,
        number: Number,
        body: Undo,
        answer: Response,
        if_match: IfMatch = None,
        x_csrf_token: Csrf = "",
    ) -> Made:
        """Take a correction back; it stays in the history."""
        allowed(ledger, session, Permission.CORRECT, id)
        version = seen(if_match)
        change = Change(Kind.UNDO, str(number), why=body.why)
        allowed(ledger, session, permission_for(asked.case(id), change), id)
        return _done(session, id, change, version, answer)

    def _done(session: Session, id: str, change: Change, version: str, answer: Response) -> Made:
        with refusals():
            file = correct(ledger, settings, id, change, version=version, actor=session.user.name)
        answer.headers["ETag"] = f'"{file.version}"'
        return made(file)[-1]


def made(file: CaseFile) -> list[Made]:
    """The corrections of a case as a program sees them."""
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
            lapsed=file.lapsed.get(one.number),
        )
        for one in file.corrections
    ]
