"""Correcting an answer: the words that a person marks, and the form."""

import json
import re
from typing import Annotated, Any, Final

from fastapi import Body, Depends, FastAPI, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field, FiniteFloat, TypeAdapter, ValidationError

from pipeline import audit
from pipeline.domain import Box
from pipeline.errors import UsageError
from pipeline.review.asking import Asker, Id
from pipeline.review.casefile import CaseFile
from pipeline.review.correcting import Change, Mark, Said, permission_for, words_in
from pipeline.review.corrections import Kind
from pipeline.review.guard import allowed, own_form
from pipeline.review.rendering import Desk
from pipeline.review.roles import Permission
from pipeline.review.routes.change import make_change
from pipeline.review.sessions import Session

_NO_MARKS: Final = "The marks on the page were not understood."


class _Area(BaseModel):
    file: int = Field(ge=0, le=10_000)
    page: int = Field(ge=1, le=100_000)
    area: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]


_AREAS: Final = TypeAdapter(Annotated[list[_Area], Field(max_length=20)])


def add_corrections(app: FastAPI, shared: Desk, who: Asker) -> None:
    """The routes."""
    Who = Annotated[Session, Depends(who)]
    ledger = shared.ledger

    @app.post("/cases/{id}/words", include_in_schema=False)
    def words(session: Who, request: Request, id: Id, area: Annotated[Any, Body()]) -> Response:
        allowed(ledger, session, Permission.CORRECT, id)
        own_form(session, request.headers.get("x-csrf-token", ""))
        file = shared.case(id)
        (mark,) = _marks(file, [area])
        try:
            evidence = words_in(ledger, file, mark, session.user.name)
        except UsageError as error:
            raise HTTPException(422, str(error)) from None
        audit.write(
            ledger,
            session.user.name,
            "words_read",
            id,
            file=[one.name for one in file.case.files].index(mark.file),
            page=mark.page,
        )
        boxes = [list(box) for box in evidence.boxes]
        body = json.dumps({"quote": evidence.quote, "boxes": boxes})
        return Response(body, media_type="application/json")

    @app.post("/cases/{id}/corrections", include_in_schema=False)
    def correct_case(
        session: Who,
        id: Id,
        csrf: Annotated[str, Form()],
        version: Annotated[str, Form()],
        kind: Annotated[str, Form()],
        subject: Annotated[str, Form()],
        after: Annotated[str, Form()] = "",
        basis: Annotated[str, Form()] = "",
        why: Annotated[str, Form()] = "",
        marks: Annotated[str, Form()] = "[]",
        words: Annotated[str, Form(max_length=300)] = "",
        on: Annotated[str, Form(max_length=20)] = "",
        row: Annotated[str, Form()] = "",
    ) -> Response:
        allowed(ledger, session, Permission.CORRECT, id)
        own_form(session, csrf)
        file = shared.case(id)
        if kind not in tuple(Kind):
            raise HTTPException(422, "There is no such correction.")
        change = Change(
            kind=Kind(kind),
            subject=subject,
            after=_value(subject, after, shared.knowledge.catalog.findings.fields),
            basis=basis or None,
            why=why,
            marks=_marks(file, _json(marks or "[]")),
            said=_said(file, words, on) if words.strip() else None,
        )
        allowed(ledger, session, permission_for(file, change), id)
        make_change(shared, session, id, change, version=version)
        anchor = f"#{row}" if re.fullmatch(r"r\d{1,4}", row) else ""
        return RedirectResponse(f"/cases/{id}?said=corrected{anchor}", 303)


def _value(subject: str, text: str, rules: Any) -> Any:
    """A form's text as the value of its subject."""
    group, _, name = subject.partition(".")
    flag = subject == "request.expedited" or (
        group == "findings" and name in rules and rules[name].kind == "flag"
    )
    if flag and text in ("true", "false"):
        return text == "true"
    return text.strip()


def _said(file: CaseFile, words: str, on: str) -> Said:
    """Words on a page that is given as `12`, or as `2.12` in the second file."""
    place = re.fullmatch(r"(?:([1-9][0-9]{0,3})\.)?([1-9][0-9]{0,5})", on.strip())
    position = int(place[1] or 1) - 1 if place else -1
    if place is None or position >= len(file.case.files):
        raise HTTPException(422, "Say on which page the words stand, as 12, or 2.12 in the second file.")
    return Said(file.case.files[position].name, int(place[2]), words.strip())


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise HTTPException(422, _NO_MARKS) from None


def _marks(file: CaseFile, areas: Any) -> tuple[Mark, ...]:
    """The areas that a person drew: [{"file": position, "page": number, "area": [x0, top, x1, bottom]}]."""
    try:
        found = _AREAS.validate_python(areas)
        return tuple(Mark(file.case.files[one.file].name, one.page, Box(*one.area)) for one in found)
    except (ValidationError, IndexError):
        raise HTTPException(422, _NO_MARKS) from None
