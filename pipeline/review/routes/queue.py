"""A submission in the queue: its history, and what a person decides about it."""

from typing import Annotated

from fastapi import Depends, FastAPI, Form, HTTPException
from fastapi.responses import RedirectResponse, Response

from pipeline import audit
from pipeline import ledger as led
from pipeline.correspondence import State as RequestState
from pipeline.correspondence import requests_of
from pipeline.errors import UsageError
from pipeline.review import accounts, worklist
from pipeline.review.asking import Asker, Id
from pipeline.review.guard import allowed, own_form
from pipeline.review.rendering import Desk
from pipeline.review.roles import Permission
from pipeline.review.sessions import Session


def add_queue(app: FastAPI, shared: Desk, who: Asker) -> None:
    """The routes."""
    Who = Annotated[Session, Depends(who)]
    ledger = shared.ledger

    @app.get("/cases/{id}/history", include_in_schema=False)
    def story(session: Who, id: Id, said: str = "") -> Response:
        allowed(ledger, session, Permission.WORKLIST)
        try:
            told = led.history(ledger, id)
        except UsageError:
            raise HTTPException(404, "There is no such submission.") from None
        may_assign = session.may(Permission.CORRECT, id)
        return shared.page(
            "history.html.jinja",
            session,
            item=told.item,
            told=told,
            left=told.item.due_at - ledger.read(ledger.now),
            requests=requests_of(ledger, states=list(RequestState), submission_id=id),
            assigned=worklist.assigned_to(ledger, id),
            people=[one for one in accounts.listed(ledger) if not one.disabled] if may_assign else [],
            may_assign=may_assign,
            reasons=shared.reasons,
            said=said,
        )

    @app.post("/cases/{id}/queue", include_in_schema=False)
    def decide(
        session: Who,
        id: Id,
        csrf: Annotated[str, Form()],
        do: Annotated[str, Form()],
        reason: Annotated[str, Form()] = "",
    ) -> Response:
        allowed(ledger, session, Permission.QUEUE, id)
        own_form(session, csrf)
        actor = f"user:{session.user.name}"
        try:
            if do in ("replay", "read_again"):
                led.replay(ledger, id, actor=actor, read_again=do == "read_again")
            elif do == "reject" and reason in shared.reasons.reject:
                led.reject(ledger, id, reason=reason, actor=actor)
            elif do in ("expedite", "standard"):
                led.expedite(ledger, id, expedited=do == "expedite", actor=actor)
            else:
                raise HTTPException(422, "Choose what is to be done, and a reason where one is asked for.")
        except UsageError as error:
            raise HTTPException(409, str(error)) from None
        # Only the reason that was looked up: the row stays for good, and the form's field is free text.
        told = {"reason": reason} if do == "reject" else {}
        audit.write(ledger, session.user.name, f"queue_{do}", id, **told)
        return RedirectResponse(f"/cases/{id}/history?said={do}", 303)
