"""The audit trail, from the newest row back."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from pipeline.audit import entries
from pipeline.review.api.asking import Asked
from pipeline.review.guard import allowed
from pipeline.review.roles import Permission
from pipeline.review.sessions import Session


class AuditRow(BaseModel):
    """A row of the audit trail: who did what, when, to which case; codes, counts and ids."""

    number: int
    at: datetime
    actor: str
    action: str
    submission_id: str | None
    data: dict[str, Any]


class AuditPage(BaseModel):
    """A page of the trail; `next` is what to give as `before`, null at the start of the trail."""

    items: list[AuditRow]
    next: int | None


def add_trail(router: APIRouter, asked: Asked) -> None:
    """The route."""
    Who = Annotated[Session, Depends(asked.who)]
    ledger = asked.ledger

    @router.get("/audit")
    def list_audit(
        session: Who,
        before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        case: Annotated[str | None, Query(pattern=r"^[0-9a-f]{16,32}$")] = None,
        actor: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9._@:-]{1,80}$")] = None,
        action: Annotated[str | None, Query(pattern=r"^[a-z_]{1,40}$")] = None,
    ) -> AuditPage:
        """Who saw, changed, sent or exported what; newest first."""
        allowed(ledger, session, Permission.AUDIT)
        rows = entries(ledger, submission_id=case, actor=actor, action=action, before=before, most=limit)
        items = [
            AuditRow(
                number=row.number,
                at=row.at,
                actor=row.actor,
                action=row.action,
                submission_id=row.submission_id,
                data=dict(row.data),
            )
            for row in rows
        ]
        return AuditPage(items=items, next=items[-1].number if len(items) == limit else None)
