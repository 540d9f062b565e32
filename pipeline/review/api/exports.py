"""A case as the filled form, in the formats in which other systems take it (`pipeline.prefill`)."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, HTTPException, Response

from pipeline.audit import write
from pipeline.errors import UsageError
from pipeline.review.api.asking import Asked, Id
from pipeline.review.guard import allowed
from pipeline.review.prefilled import exported
from pipeline.review.problems import described
from pipeline.review.roles import Permission
from pipeline.review.sessions import Session

Format = Literal["questionnaire-response", "questionnaire", "mcode", "pdf", "csv", "json"]
_TYPES: Final = ("application/fhir+json", "application/pdf", "text/csv", "application/json")
_FORMS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The form in the format that was asked for.",
        "content": {name: {} for name in _TYPES},
    }
}


def add_exports(router: APIRouter, asked: Asked) -> None:
    """The route."""
    Who = Annotated[Session, Depends(asked.who)]
    ledger = asked.ledger

    @router.get(
        "/cases/{id}/exports/{format}", response_model=None, responses=_FORMS | described(404, 409, 410)
    )
    def export_case(session: Who, id: Id, format: Format) -> Response:
        """The reviewer's form, filled from the case as it stands: FHIR, PDF, or rows."""
        allowed(ledger, session, Permission.ANSWERS, id)
        file = asked.case(id)
        catalog = asked.knowledge.catalog
        try:
            made = exported(ledger, asked.pictures, file, catalog, format, at=ledger.read(ledger.now))
        except UsageError as error:
            raise HTTPException(409, str(error)) from None
        write(ledger, session.user.name, "exported", id, case=file.number, format=format)
        return Response(made.content, media_type=made.media_type, headers={"ETag": f'"{file.version}"'})
