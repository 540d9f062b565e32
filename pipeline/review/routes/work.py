"""The worklist, and who has which case."""

import re
from typing import Annotated, Final

from fastapi import Depends, FastAPI, Form, HTTPException
from fastapi.responses import RedirectResponse, Response

from pipeline.errors import UsageError
from pipeline.ledger import State
from pipeline.review import accounts, worklist
from pipeline.review.asking import Asker, Id
from pipeline.review.guard import allowed, own_form
from pipeline.review.rendering import Desk
from pipeline.review.roles import Permission
from pipeline.review.sessions import Session

_REFERENCE: Final = re.compile(r"[0-9a-f]{16,32}")


def add_work(app: FastAPI, shared: Desk, who: Asker) -> None:
    """The routes."""
    Who = Annotated[Session, Depends(who)]
    ledger = shared.ledger

    @app.get("/", include_in_schema=False)
    def list_work(
        session: Who, state: str = "", mine: bool = False, reference: str = "", after: str = ""
    ) -> Response:
        allowed(ledger, session, Permission.WORKLIST)
        states = [State(state)] if state in tuple(State) else []
        try:
            lines = worklist.lines(
                ledger,
                states=states,
                mine=session.user.name if mine else None,
                reference=reference.strip().lower(),
                after=after if _REFERENCE.fullmatch(after) else None,
            )
        except UsageError as error:
            raise HTTPException(404, str(error)) from None
        more = lines[-1].item.id if len(lines) == worklist.PAGE else ""
        chosen = {"state": state, "mine": mine, "reference": reference}
        return shared.page(
            "worklist.html.jinja", session, lines=lines, more=more, states=list(State), chosen=chosen
        )

    @app.post("/cases/{id}/assignment", include_in_schema=False)
    def assign(
        session: Who, id: Id, csrf: Annotated[str, Form()], to: Annotated[str, Form()] = ""
    ) -> Response:
        allowed(ledger, session, Permission.CORRECT, id)
        own_form(session, csrf)
        user = accounts.user(ledger, to) if to else None
        if to and (user is None or user.disabled):
            raise HTTPException(422, "There is no such user.")
        try:
            worklist.assign(ledger, id, user, actor=session.user.name)
        except UsageError as error:
            raise HTTPException(404, str(error)) from None
        return RedirectResponse(f"/cases/{id}", 303)
