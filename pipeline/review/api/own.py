"""Who asks, and their own sessions."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Response
from pydantic import BaseModel

from pipeline.review import sessions
from pipeline.review.api.asking import Asked, Csrf
from pipeline.review.problems import described
from pipeline.review.roles import Permission, Role, granted
from pipeline.review.sessions import Session

SessionId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="One of `GET /sessions`.")]


class Me(BaseModel):
    """Who asks, and what their role may do every day."""

    name: str
    role: Role
    may: list[Permission]


class Open(BaseModel):
    """One of the user's open sessions; `current` is the one that asks."""

    id: str
    program: bool
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    current: bool


def add_own(router: APIRouter, asked: Asked) -> None:
    """The routes."""
    Who = Annotated[Session, Depends(asked.who)]
    ledger = asked.ledger

    @router.get("/me")
    def get_me(session: Who) -> Me:
        """Who asks."""
        return Me(name=session.user.name, role=session.user.role, may=sorted(granted(session.user.role)))

    @router.get("/sessions")
    def list_sessions(session: Who) -> list[Open]:
        """The sessions and tokens of who asks."""
        return [
            Open(
                id=one.id,
                program=one.program,
                created_at=one.created_at,
                seen_at=one.seen_at,
                ends_at=one.ends_at,
                current=session.id.startswith(one.id),
            )
            for one in sessions.open_sessions(ledger, session.user)
        ]

    @router.delete("/sessions/{id}", status_code=204, response_class=Response, responses=described(404))
    def end_session(session: Who, id: SessionId, x_csrf_token: Csrf = "") -> None:
        """End a session of who asks, or take a token back."""
        if not sessions.end_own(ledger, session.user, id):
            raise HTTPException(404, "There is no such session of yours.")
