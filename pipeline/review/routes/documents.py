"""Documents by hand: the page on which a person says to which document a page belongs."""

from typing import Annotated

from fastapi import Depends, FastAPI, Form, HTTPException
from fastapi.responses import RedirectResponse, Response

from pipeline.review.asking import Asker, Id
from pipeline.review.correcting import Change
from pipeline.review.corrections import OF_DOCUMENTS, Kind
from pipeline.review.guard import allowed, own_form
from pipeline.review.rendering import Desk
from pipeline.review.roles import Permission
from pipeline.review.routes.change import make_change
from pipeline.review.sessions import Session
from pipeline.review.strip import paging


def add_documents(app: FastAPI, shared: Desk, who: Asker) -> None:
    """The routes."""
    Who = Annotated[Session, Depends(who)]
    ledger = shared.ledger

    @app.get("/cases/{id}/documents/{position}/{number}", include_in_schema=False)
    def ask(session: Who, id: Id, position: int, number: int, do: str = "", to: str = "") -> Response:
        allowed(ledger, session, Permission.CORRECT, id)
        file = shared.case(id)
        about = paging(file.case, shared.titles(file.case), position, number)
        if about is None:
            raise HTTPException(404, "There is no such page.")
        return shared.page(
            "paging.html.jinja", session, file=file, item=file.item, about=about, do=do, to=to,
            types=shared.document_types, reasons=shared.reasons,
        )  # fmt: skip

    @app.post("/cases/{id}/documents", include_in_schema=False)
    def change(
        session: Who,
        id: Id,
        csrf: Annotated[str, Form()],
        version: Annotated[str, Form()],
        subject: Annotated[str, Form()],
        kind: Annotated[str, Form()] = "",
        to: Annotated[str, Form()] = "",
        type: Annotated[str, Form()] = "",
        why: Annotated[str, Form()] = "",
        sheet: Annotated[str, Form(pattern="^(p[0-9]{1,5})?$")] = "",
    ) -> Response:
        allowed(ledger, session, Permission.CORRECT, id)
        own_form(session, csrf)
        shared.case(id)
        if kind not in OF_DOCUMENTS:
            raise HTTPException(422, "Choose what is to be done with the page.")
        after = {Kind.MOVE: to, Kind.RETYPE: type}.get(Kind(kind))
        asked = Change(kind=Kind(kind), subject=subject, after=after, why=why)
        make_change(shared, session, id, asked, version=version)
        return RedirectResponse(f"/cases/{id}?said=documents{'#' + sheet if sheet else ''}", 303)
