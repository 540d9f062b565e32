"""What a person decides about a submission: work it again, reject it, hurry it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from pipeline import ledger as led
from pipeline.audit import write
from pipeline.review.api.asking import Asked, Csrf, Id, one_of, refusals
from pipeline.review.guard import allowed
from pipeline.review.problems import described
from pipeline.review.roles import Permission
from pipeline.review.sessions import Session

CODE = r"^[A-Za-z0-9_]*[A-Za-z0-9][A-Za-z0-9_]*$"


class Replay(BaseModel):
    """`read_again` works it anew from its pages on, also where a target only has to have its case again."""

    model_config = ConfigDict(extra="forbid")
    read_again: bool = False


class Replayed(BaseModel):
    """What is done now."""

    done: Literal["sent again", "worked again"]


class Reject(BaseModel):
    """Why: one of the codes that the desk offers (`reject` in `models/desk.toml`)."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=40, pattern=CODE, examples=["not_a_request"])


class Expedite(BaseModel):
    """Whether the short clock counts."""

    model_config = ConfigDict(extra="forbid")
    expedited: bool


class Standing(BaseModel):
    """Where the submission is now."""

    id: str
    state: led.State
    expedited: bool


def add_queue(router: APIRouter, asked: Asked) -> None:
    """The routes."""
    Who = Annotated[Session, Depends(asked.who)]
    ledger = asked.ledger

    @router.post("/cases/{id}/replay", responses=described(404, 409))
    def replay_case(session: Who, id: Id, body: Replay, x_csrf_token: Csrf = "") -> Replayed:
        """Work a submission that ended again, or send again what a target did not take."""
        allowed(ledger, session, Permission.QUEUE, id)
        asked.item(id)
        with refusals(usage=409):
            done = led.replay(ledger, id, actor=_actor(session), read_again=body.read_again)
        write(ledger, session.user.name, "queue_read_again" if body.read_again else "queue_replay", id)
        return Replayed(done="sent again" if done == "sent again" else "worked again")

    @router.post("/cases/{id}/reject", responses=described(404, 409))
    def reject_case(session: Who, id: Id, body: Reject, x_csrf_token: Csrf = "") -> Standing:
        """End a submission. Who works it at the time can no longer finish it."""
        allowed(ledger, session, Permission.QUEUE, id)
        asked.item(id)
        one_of(body.reason, asked.knowledge.catalog.desk.reject)
        with refusals(usage=409):
            led.reject(ledger, id, reason=body.reason, actor=_actor(session))
        write(ledger, session.user.name, "queue_reject", id, reason=body.reason)
        return _standing(id)

    @router.post("/cases/{id}/expedite", responses=described(404))
    def expedite_case(session: Who, id: Id, body: Expedite, x_csrf_token: Csrf = "") -> Standing:
        """Set or lift the priority; the due date follows, counted from receipt."""
        allowed(ledger, session, Permission.QUEUE, id)
        asked.item(id)
        with refusals(usage=404):
            led.expedite(ledger, id, expedited=body.expedited, actor=_actor(session))
        write(ledger, session.user.name, "queue_expedite" if body.expedited else "queue_standard", id)
        return _standing(id)

    def _standing(id: str) -> Standing:
        item = asked.item(id)
        return Standing(id=item.id, state=item.state, expedited=item.expedited)


def _actor(session: Session) -> str:
    return f"user:{session.user.name}"
