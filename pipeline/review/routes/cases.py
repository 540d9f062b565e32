"""A case, its pages, and breaking the glass."""

from typing import Annotated

from fastapi import Depends, FastAPI, Form, HTTPException
from fastapi.responses import RedirectResponse, Response

from pipeline import audit
from pipeline.review import sessions, worklist
from pipeline.review.asking import Asker, Id
from pipeline.review.casepage import case_page
from pipeline.review.guard import allowed, own_form
from pipeline.review.pictures import WIDTHS
from pipeline.review.rendering import Desk
from pipeline.review.roles import Permission, behind_glass
from pipeline.review.sessions import Session


def add_cases(app: FastAPI, shared: Desk, who: Asker) -> None:
    """The routes."""
    Who = Annotated[Session, Depends(who)]
    ledger = shared.ledger

    @app.get("/cases/{id}", include_in_schema=False)
    def show(session: Who, id: Id, said: str = "") -> Response:
        if not session.may(Permission.PAGES, id):
            if Permission.PAGES in behind_glass(session.user.role):
                return shared.page("glass.html.jinja", session, status=403, id=id, reasons=shared.reasons)
            allowed(ledger, session, Permission.PAGES, id)
        file = shared.case(id)
        audit.write(ledger, session.user.name, "case_viewed", id, case=file.number)
        page = case_page(file, shared.titles(file.case), shared.knowledge.catalog.findings.fields)
        return shared.page(
            "case.html.jinja",
            session,
            page=page,
            case=page.case,
            left=file.item.due_at - ledger.read(ledger.now),
            assigned=worklist.assigned_to(ledger, id),
            said=said,
        )

    @app.get("/cases/{id}/pages/{position}/{number}.png", include_in_schema=False)
    def picture(session: Who, id: Id, position: int, number: int, size: str = "page") -> Response:
        allowed(ledger, session, Permission.PAGES, id)
        if size not in WIDTHS:
            raise HTTPException(404, "There is no such size.")
        rotation = shared.rotation(id, position, number)
        image = shared.pictures.picture(id, position, number, rotation, size)
        if image is None:
            raise HTTPException(404, "This page cannot be shown.")
        if size == "page":
            audit.write(ledger, session.user.name, "page_viewed", id, file=position, page=number)
        return Response(image, media_type="image/png")  # kept by no browser: others use the machine, too

    @app.post("/cases/{id}/glass", include_in_schema=False)
    def break_glass(
        session: Who, id: Id, csrf: Annotated[str, Form()], reason: Annotated[str, Form()]
    ) -> Response:
        own_form(session, csrf)
        if not behind_glass(session.user.role):
            raise HTTPException(403, "Your role does not cover this.")
        if reason not in shared.reasons.glass:
            raise HTTPException(403, "Choose one of the reasons.")
        shared.case(id)
        sessions.break_glass(ledger, session, id, reason)
        return RedirectResponse(f"/cases/{id}", 303)
