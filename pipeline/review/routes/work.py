"""The worklist, and who has which case."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Form, HTTPException
from fastapi.responses import RedirectResponse, Response

from pipeline.errors import UsageError
from pipeline.ledger import Order, State
from pipeline.review import accounts, worklist
from pipeline.review.asking import Asker, Id
from pipeline.review.guard import allowed, own_form
from pipeline.review.rendering import Desk
from pipeline.review.roles import Permission
from pipeline.review.sessions import Session
from pipeline.review.worklist import NOBODY, Wanted

_ID: Final = re.compile(r"[0-9a-f]{16,32}")
_ME: Final = "me"
_LONGEST: Final = 200


def add_work(app: FastAPI, shared: Desk, who: Asker) -> None:
    """The routes."""
    Who = Annotated[Session, Depends(who)]
    ledger = shared.ledger

    @app.get("/", include_in_schema=False)
    def list_work(
        session: Who,
        state: str = "",
        reason: str = "",
        assigned: str = "",
        policy: str = "",
        at_risk: str = "",
        reference: str = "",
        order: str = "",
        after: str = "",
    ) -> Response:
        allowed(ledger, session, Permission.WORKLIST)
        wanted = Wanted(
            states=(State(state),) if state in tuple(State) else (),
            reason=_plain(reason),
            assigned=session.user.name if assigned == _ME else _plain(assigned),
            policy=_plain(policy),
            at_risk=at_risk == "yes",
            reference=_plain(reference),
        )
        by = Order(order) if order in tuple(Order) else Order.WORK
        if by is Order.OUTCOME:  # where a line stands would tell its outcome
            allowed(ledger, session, Permission.ANSWERS)
        try:
            lines = worklist.lines(ledger, wanted, after=after if _ID.fullmatch(after) else None, order=by)
        except UsageError as error:
            raise HTTPException(404, str(error)) from None
        asked = {**asdict(wanted), "states": state, "assigned": assigned, "at_risk": at_risk, "order": by}
        more = lines[-1].item.id if len(lines) == worklist.PAGE else ""
        return shared.page(
            "worklist.html.jinja",
            session,
            lines=lines,
            states=list(State),
            orders=[one for one in Order if one is not Order.OUTCOME or session.may(Permission.ANSWERS)],
            choices=worklist.choices(ledger),
            wanted=wanted,
            order=by,
            chosen=_ME if assigned == _ME else wanted.assigned,
            nobody=NOBODY,
            narrowed=wanted != Wanted(),
            onward=_onward(asked, more) if more else "",
            policies=shared.policies,
        )

    @app.post("/cases/{id}/assignment", include_in_schema=False)
    def assign(
        session: Who,
        id: Id,
        csrf: Annotated[str, Form()],
        to: Annotated[str, Form()] = "",
        back: Annotated[str, Form()] = "",
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
        return RedirectResponse(f"/cases/{id}{'/history' if back == 'history' else ''}", 303)


def _plain(text: str) -> str:
    """A question as a database can be asked it; empty where it cannot."""
    text = text.strip()
    return text if text.isprintable() and len(text) <= _LONGEST and text.isascii() else ""


def _onward(asked: Mapping[str, Any], after: str) -> str:
    """The address of the next page, asked the same."""
    given = {"state": asked["states"], **{k: v for k, v in asked.items() if k != "states" and v}}
    return "/?" + urlencode({**given, "after": after})
