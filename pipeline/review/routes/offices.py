"""The audit trail and the users."""

import re
from typing import Annotated, Final

from fastapi import Depends, FastAPI, Query
from fastapi.responses import Response

from pipeline import audit
from pipeline.review import accounts
from pipeline.review.asking import Asker
from pipeline.review.guard import allowed
from pipeline.review.rendering import Desk
from pipeline.review.roles import Permission
from pipeline.review.sessions import Session

_REFERENCE: Final = re.compile(r"[0-9a-f]{16,32}")


def add_offices(app: FastAPI, shared: Desk, who: Asker) -> None:
    """The routes."""
    Who = Annotated[Session, Depends(who)]
    ledger = shared.ledger

    @app.get("/audit", include_in_schema=False)
    def trail(
        session: Who, before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None, case: str = ""
    ) -> Response:
        allowed(ledger, session, Permission.AUDIT)
        case = case.strip().lower()
        known = not case or _REFERENCE.fullmatch(case)
        rows = audit.entries(ledger, before=before, submission_id=case or None) if known else []
        return shared.page("audit.html.jinja", session, rows=rows, case=case)

    @app.get("/users", include_in_schema=False)
    def users(session: Who) -> Response:
        allowed(ledger, session, Permission.USERS)
        return shared.page("users.html.jinja", session, users=accounts.listed(ledger))
