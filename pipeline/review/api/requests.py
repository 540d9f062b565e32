"""Requests for information: what would be asked for, sent, listed, closed."""

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from pipeline import correspondence
from pipeline.audit import write
from pipeline.correspondence import sent_request
from pipeline.correspondence.records import Delivery
from pipeline.delivery import channels_in
from pipeline.errors import RequestError
from pipeline.information_request import InformationRequest, as_json, draft_of, fhir, letter, pdf, x12
from pipeline.information_request.fhir import Provider
from pipeline.review.api.asking import Asked, Csrf, Id, Reference, one_of, refusals
from pipeline.review.api.queue import CODE
from pipeline.review.guard import allowed
from pipeline.review.problems import described
from pipeline.review.roles import Permission
from pipeline.review.sessions import Session

Form = Literal["json", "html", "pdf", "task", "communication", "x12"]
_TYPES: Final = {"html": "text/html", "pdf": "application/pdf"}
_FORMS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The request in the form that was asked for.",
        "content": {"application/json": {}, "text/html": {}, "application/pdf": {}},
    }
}


class Sending(BaseModel):
    """The latest sending by one channel, and since when it is where it is; `late`: no acknowledgement yet."""

    state: Delivery
    since: datetime
    code: str
    late: bool
    reminder: int


class Entry(BaseModel):
    """A request as lists show it. Items are codes; `decide_by` is when the plan must have decided."""

    reference: str
    submission_id: str
    number: int
    state: correspondence.State
    cause: str | None
    issued_on: date
    due_on: date
    expires_on: date
    reminders: int
    open_items: list[str]
    closed_items: list[str]
    decide_by: datetime
    sendings: dict[str, Sending]


class EntryPage(BaseModel):
    """A page of requests, those due first in front; `next` is what to give as `after`, null at the end."""

    items: list[Entry]
    next: str | None


class Send(BaseModel):
    """Whom to ask, and how. Without `channels`, by all that are set up."""

    model_config = ConfigDict(extra="forbid")
    channels: list[str] = Field(default=[], max_length=10)
    to: str = Field(default="", max_length=200, description="Fax number or e-mail address.")
    provider: str = Field(default="", max_length=200)
    npi: str = Field(default="", pattern=r"^([0-9]{10})?$")


class Close(BaseModel):
    """Why: one of the codes that the desk offers (`close_request` in `models/desk.toml`)."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=40, pattern=CODE, examples=["answered_by_phone"])


def add_requests(router: APIRouter, asked: Asked) -> None:
    """The routes."""
    Who = Annotated[Session, Depends(asked.who)]
    ledger = asked.ledger

    @router.get("/requests", responses=described(404))
    def list_requests(
        session: Who,
        state: Annotated[list[correspondence.State], Query(description="Any of these; open without.")] = [],  # noqa: B006
        case: Annotated[str | None, Query(pattern=r"^[0-9a-f]{16,32}$")] = None,
        after: Annotated[str | None, Query(pattern=r"^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}$")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> EntryPage:
        """Requests that were sent. 404 where `after` is none of them."""
        allowed(ledger, session, Permission.REQUEST)
        states = state or [correspondence.State.OPEN]
        # Of every state: the last one of a page may have left the state that is asked for since.
        every = correspondence.requests_of(ledger, states=list(correspondence.State), submission_id=case)
        names = [one.reference for one in every]
        if after is not None and after not in names:
            raise HTTPException(404, "There is no such request.")
        found = [one for one in every[names.index(after) + 1 if after else 0 :] if one.state in states]
        page, more = found[:limit], len(found) > limit
        return EntryPage(items=[_entry(one) for one in page], next=page[-1].reference if more else None)

    @router.get("/cases/{id}/request", response_model=None, responses=_FORMS | described(404, 409, 410))
    def preview_request(session: Who, id: Id, form: Form = "json") -> Response:
        """What the provider would be asked for now. 404 where nothing is to be asked."""
        allowed(ledger, session, Permission.REQUEST, id)
        draft = draft_of(asked.case(id).case, asked.knowledge.catalog)
        if draft is None:
            raise HTTPException(404, "Nothing is to be asked for.")
        write(ledger, session.user.name, "request_previewed", id, form=form)
        return _formed(draft, form)

    @router.post("/cases/{id}/requests", status_code=201, responses=described(404, 409, 410))
    def send_request(session: Who, id: Id, body: Send, x_csrf_token: Csrf = "") -> Entry:
        """Ask for what the case lacks. Asked again while the same is open, it is that request."""
        allowed(ledger, session, Permission.REQUEST, id)
        asked.case(id)
        there = channels_in(asked.settings)
        chosen = tuple(dict.fromkeys(body.channels or there))
        if not chosen or any(name not in there for name in chosen):
            raise HTTPException(422, f"Channels that are set up: {', '.join(there) or 'none'}.")
        to = correspondence.To(chosen, Provider(body.provider, body.npi, body.to), body.to)
        with refusals(usage=409):
            sent = correspondence.send(ledger, asked.knowledge, id, to, actor=f"user:{session.user.name}")
        return _entry(_known(sent.reference or ""))

    @router.get("/requests/{reference}", responses=described(404))
    def get_request(session: Who, reference: Reference) -> Entry:
        """Where a request stands."""
        allowed(ledger, session, Permission.REQUEST)
        return _entry(_known(reference))

    @router.get("/requests/{reference}/letter", response_model=None, responses=_FORMS | described(404, 409))
    def get_letter(session: Who, reference: Reference, form: Form = "json") -> Response:
        """A request as it was sent."""
        allowed(ledger, session, Permission.REQUEST)
        entry = _known(reference)
        with refusals(usage=404):
            sent = sent_request(ledger, reference)
        write(
            ledger, session.user.name, "request_exported", entry.submission_id, reference=reference, form=form
        )
        return _formed(sent, form)

    @router.post("/requests/{reference}/close", responses=described(404, 409))
    def close_request(session: Who, reference: Reference, body: Close, x_csrf_token: Csrf = "") -> Entry:
        """Close an open request; its items count as withdrawn."""
        allowed(ledger, session, Permission.REQUEST)
        _known(reference)
        one_of(body.reason, asked.knowledge.catalog.desk.close_request)
        with refusals(usage=409):
            correspondence.close(ledger, reference, reason=body.reason, actor=f"user:{session.user.name}")
        return _entry(_known(reference))

    def _known(reference: str) -> correspondence.Entry:
        found = correspondence.requests_of(ledger, states=list(correspondence.State), reference=reference)
        if not found:
            raise HTTPException(404, "There is no such request.")
        return found[0]

    def _formed(request: InformationRequest, form: Form) -> Response:
        try:
            content = _content(request, form, asked)
        except RequestError as error:  # it lacks what this form must have
            raise HTTPException(409, str(error)) from None
        if not isinstance(content, bytes | str):
            return Response(json.dumps(content), media_type="application/json")
        return Response(content, media_type=_TYPES[form])


def _content(request: InformationRequest, form: Form, asked: Asked) -> Any:
    letters, to = asked.knowledge.catalog.letters, Provider()
    forms: dict[str, Callable[[], Any]] = {
        "json": lambda: as_json.request_to_json(request),
        "html": lambda: letter.letter_html(request, letters),
        "pdf": lambda: pdf.letter_pdf(request, letters),
        "task": lambda: fhir.attachment_task(request, letters, to),
        "communication": lambda: fhir.communication_request(request, letters, to),
        "x12": lambda: x12.x12_277(request, letters, to),
    }
    return forms[form]()


def _entry(one: correspondence.Entry) -> Entry:
    return Entry(
        reference=one.reference,
        submission_id=one.submission_id,
        number=one.number,
        state=one.state,
        cause=one.cause,
        issued_on=one.issued_on,
        due_on=one.due_on,
        expires_on=one.expires_on,
        reminders=one.reminders,
        open_items=list(one.open_items),
        closed_items=list(one.closed_items),
        decide_by=one.decide_by,
        sendings={
            channel: Sending(
                state=sent.state, since=sent.since, code=sent.code, late=sent.late, reminder=sent.reminder
            )
            for channel, sent in one.sendings.items()
        },
    )
