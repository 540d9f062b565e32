"""Every change of a submission's state goes through `move`: allowed or refused, and written down.

The event is in the same transaction as the change, so neither is ever there without the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, update

from pipeline.errors import LeaseLost, UsageError
from pipeline.ledger.records import State
from pipeline.ledger.tables import events, submissions
from pipeline.ledger.telling import tell, told_by

_FROM: Final[Mapping[State, tuple[State, ...]]] = {
    # What is claimed again after its lease ended was in flight already.
    State.IN_FLIGHT: (State.RECEIVED, State.IN_FLIGHT, State.PARKED),
    State.RECEIVED: (State.IN_FLIGHT, State.DONE, State.PARTIAL, State.PARKED, State.REJECTED),
    State.DONE: (State.IN_FLIGHT,),
    State.PARTIAL: (State.IN_FLIGHT,),
    State.PARKED: (State.IN_FLIGHT,),
    State.REJECTED: (State.RECEIVED, State.IN_FLIGHT, State.DONE, State.PARTIAL, State.PARKED),
}

# Built once: building a statement costs as much as running it.
_EVENT: Final = insert(events).inline()  # its number is not asked for
_ONE: Final = update(submissions).where(submissions.c.id == bindparam("moved"))
_HELD: Final = _ONE.where(submissions.c.token == bindparam("held"), submissions.c.state == State.IN_FLIGHT)
_FREE: Final = {state: _ONE.where(submissions.c.state.in_(before)) for state, before in _FROM.items()}
_LONGEST_PAUSE: Final = timedelta(minutes=10)


def note(
    db: Connection,
    submission_id: str | None,
    kind: str,
    *,
    at: datetime,
    actor: str,
    state: State | None = None,
    cause: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Add an event to the history, and let other systems be told of it that asked to be. Its data are codes,
    counts, hashes and times."""
    said = dict(data or {})
    row = {
        "submission_id": submission_id,
        "at": at,
        "kind": kind,
        "state": state,
        "actor": actor[:120],
        "cause": cause,
        "data": said,
    }
    db.execute(_EVENT, row)
    told = told_by(kind, state, said)
    if told is not None and submission_id is not None:
        tell(db, told, submission_id, at=at, data=said)


def move(
    db: Connection,
    submission_id: str,
    state: State,
    kind: str,
    *,
    at: datetime,
    actor: str,
    held: int | None = None,
    cause: str | None = None,
    data: Mapping[str, Any] | None = None,
    **values: Any,
) -> None:
    """The submission gets `state` and `values` (not expressions), and its history the event.

    With `held`, the token of a claim, only its holder may: LeaseLost otherwise. Without, a state from
    which there is no way there raises UsageError.
    """
    row = {"moved": submission_id, "state": state, "updated_at": at, **values}
    change, row = (_FREE[state], row) if held is None else (_HELD, row | {"held": held})
    if not db.execute(change, row).rowcount:
        if held is not None:
            raise LeaseLost(f"Submission {submission_id} is not held any more.")
        raise UsageError(
            f"Submission {submission_id} cannot become {state} from where it is.",
            next_step="`triage queue show` tells its state.",
        )
    note(db, submission_id, kind, at=at, actor=actor, state=state, cause=cause, data=data)


def check_reason(reason: str) -> None:
    """Raises UsageError for a reason that is no code."""
    if not reason.replace("_", "").isalnum() or not reason.isascii() or len(reason) > 40:
        raise UsageError("A reason is a code of letters, digits and '_', at most 40 characters.")


def pause(first: timedelta, attempt: int) -> timedelta:
    """How long to wait after the `attempt`th failure: it doubles, up to minutes."""
    return min(first * float(2 ** min(attempt - 1, 20)), _LONGEST_PAUSE)
