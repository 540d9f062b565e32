"""Asking the provider for what is missing: what would be sent, sending it, what was sent."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Form, HTTPException
from fastapi import Path as PathParameter
from fastapi.responses import RedirectResponse, Response

from pipeline import audit
from pipeline.correspondence import State, To, close, requests_of, send, sent_request
from pipeline.delivery import channels_in
from pipeline.errors import RequestError, UsageError
from pipeline.information_request import InformationRequest, draft_of
from pipeline.information_request.fhir import Provider
from pipeline.information_request.letter import letter_blocks
from pipeline.information_request.pdf import letter_pdf
from pipeline.review.asking import Asker, Id
from pipeline.review.guard import allowed, own_form
from pipeline.review.rendering import Desk
from pipeline.review.roles import Permission
from pipeline.review.sessions import Session

Reference = Annotated[str, PathParameter(pattern=r"^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}$")]
Text = Annotated[str, Form(max_length=200)]


def add_requests(app: FastAPI, shared: Desk, who: Asker) -> None:
    """The routes."""
    Who = Annotated[Session, Depends(who)]
    ledger = shared.ledger

    def draft(id: str) -> InformationRequest | None:
        return draft_of(shared.case(id).case, shared.knowledge.catalog)

    def sent(id: str, reference: str) -> InformationRequest:
        every = requests_of(ledger, states=list(State), submission_id=id)
        if reference not in [one.reference for one in every]:
            raise HTTPException(404, "There is no such request.")
        return sent_request(ledger, reference)

    def page(session: Session, id: str, shown: InformationRequest | None, **values: Any) -> Response:
        file = shared.case(id)
        letters = shared.knowledge.catalog.letters
        return shared.page(
            "request.html.jinja",
            session,
            file=file,
            item=file.item,
            asked=shown,
            blocks=letter_blocks(shown, letters)[0] if shown else (),
            channels=list(channels_in(shared.settings)),
            every=requests_of(ledger, states=list(State), submission_id=id),
            reasons=shared.reasons,
            **values,
        )

    @app.get("/cases/{id}/request", include_in_schema=False)
    def preview(session: Who, id: Id, said: str = "") -> Response:
        allowed(ledger, session, Permission.REQUEST, id)
        shown = draft(id)
        audit.write(ledger, session.user.name, "request_viewed", id)
        return page(session, id, shown, reference="", said=said)

    @app.get("/cases/{id}/request.pdf", include_in_schema=False)
    def preview_pdf(session: Who, id: Id) -> Response:
        allowed(ledger, session, Permission.REQUEST, id)
        shown = draft(id)
        if shown is None:
            raise HTTPException(404, "Nothing is to be asked for.")
        audit.write(ledger, session.user.name, "request_printed", id)
        return _pdf(letter_pdf(shown, shared.knowledge.catalog.letters), "draft")

    @app.post("/cases/{id}/request", include_in_schema=False)
    def send_request(
        session: Who,
        id: Id,
        csrf: Annotated[str, Form()],
        version: Annotated[str, Form()],
        channel: Annotated[list[str], Form()] = [],  # noqa: B006  # a form's default, never changed
        provider: Text = "",
        npi: Annotated[str, Form(pattern="^([0-9]{10})?$")] = "",
        address: Text = "",
    ) -> Response:
        allowed(ledger, session, Permission.REQUEST, id)
        own_form(session, csrf)
        if shared.case(id).version != version:
            raise HTTPException(409, "Someone else changed this case. Look at the request again.")
        there = channels_in(shared.settings)
        if not channel or any(name not in there for name in channel):
            raise HTTPException(422, "Choose how it is to be sent.")
        to = To(tuple(channel), Provider(provider.strip(), npi, address.strip()), address.strip())
        try:
            send(ledger, shared.knowledge, id, to, actor=f"user:{session.user.name}")
        except (UsageError, RequestError) as error:
            raise HTTPException(422, str(error)) from None
        return RedirectResponse(f"/cases/{id}/request?said=sent", 303)

    @app.get("/cases/{id}/requests/{reference}", include_in_schema=False)
    def show(session: Who, id: Id, reference: Reference, form: str = "") -> Response:
        allowed(ledger, session, Permission.REQUEST, id)
        shown = sent(id, reference)
        audit.write(ledger, session.user.name, "request_viewed", id, reference=reference)
        if form == "pdf":
            return _pdf(letter_pdf(shown, shared.knowledge.catalog.letters), reference)
        return page(session, id, shown, reference=reference, said="")

    @app.post("/cases/{id}/requests/{reference}/close", include_in_schema=False)
    def end(
        session: Who,
        id: Id,
        reference: Reference,
        csrf: Annotated[str, Form()],
        reason: Annotated[str, Form()],
    ) -> Response:
        allowed(ledger, session, Permission.REQUEST, id)
        own_form(session, csrf)
        sent(id, reference)
        if reason not in shared.reasons.close_request:
            raise HTTPException(422, "Choose one of the reasons.")
        try:
            close(ledger, reference, reason=reason, actor=f"user:{session.user.name}")
        except UsageError as error:
            raise HTTPException(409, str(error)) from None
        return RedirectResponse(f"/cases/{id}/request?said=closed", 303)


def _pdf(content: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="request-{name}.pdf"'}
    return Response(content, media_type="application/pdf", headers=headers)
