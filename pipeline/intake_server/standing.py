"""How a submission stands, for who sent it: codes, counts and times, nothing of a patient and no outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Connection

from pipeline import ledger as led
from pipeline.errors import UsageError
from pipeline.intake_server.refusals import Refused
from pipeline.intake_server.senders import Sender
from pipeline.ledger import Arrival, History, Ledger, Receipt, State
from pipeline.ledger.changes import note
from pipeline.ledger.texts import count


class ReceivedFile(BaseModel):
    """A file of the submission: the hash of its bytes, what it is by them, and how many pages were read."""

    sha256: str
    media_type: str
    bytes: int
    pages: int | None


class Links(BaseModel):
    """Where more is to be had."""

    self: str


class Standing(BaseModel):
    """A submission. `again`, in the answer to a delivery: it was here already and nothing was worked twice.
    `reason` says why it is parked or rejected."""

    id: str = Field(examples=["3f0c9a4be1d27756"])
    state: State
    reason: str | None
    expedited: bool
    received_at: datetime
    due_at: datetime
    files: list[ReceivedFile]
    again: bool = False
    links: Links


def hand_in(ledger: Ledger, arrival: Arrival) -> Receipt:
    """Take the arrival in. Where its bytes were here already and only now are said to be expedited, they get
    the short clock: a sender's word hurries, and never slows down."""
    (receipt,) = led.receive(ledger, [arrival])
    if arrival.expedited and not receipt.new:
        item = led.item(ledger, receipt.submission_id)
        if not item.expedited and item.state not in (State.DONE, State.PARTIAL, State.REJECTED):
            led.expedite(ledger, item.id, expedited=True, actor=f"channel:{arrival.channel}")
    return receipt


def refuse_other_files(ledger: Ledger, channel: str, reference: str, submission_id: str) -> None:
    """Raises Refused where the channel has delivered something else under that reference."""
    known = led.delivered_as(ledger, channel, reference)
    if known is not None and known != submission_id:
        raise Refused(
            409,
            "key_used",
            "This key was used for other files. Nothing was taken in; give each submission a key of its own.",
        )


def keep_also(ledger: Ledger, submission_id: str, told: Mapping[str, Any], channel: str) -> None:
    """Keep what was said once more about a submission, in other words; its files are here already."""

    def work(db: Connection) -> None:
        number = count(db, submission_id, led.TOLD) + 1
        led.save(ledger, db, submission_id, led.TOLD, number, told)
        note(db, submission_id, "told_again", at=ledger.now(db), actor=f"channel:{channel}")

    ledger.write(work, durable=True)


def standing(ledger: Ledger, submission_id: str, *, again: bool = False) -> Standing:
    """How it stands. Raises Refused where there is none."""
    return _standing(_history(ledger, submission_id), again=again)


def own_standing(ledger: Ledger, submission_id: str, sender: Sender) -> Standing:
    """The same for who delivered it; for anybody else there is none."""
    if not led.channels_of(ledger, submission_id) & sender.channels:
        raise _none()
    return standing(ledger, submission_id)


def _history(ledger: Ledger, submission_id: str) -> History:
    try:
        return led.history(ledger, submission_id)
    except UsageError:
        raise _none() from None


def _none() -> Refused:
    return Refused(404, "no_such_submission", "You have sent no such submission.")


def _standing(history: History, *, again: bool) -> Standing:
    item = history.item
    return Standing(
        id=item.id,
        state=item.state,
        reason=item.reason,
        expedited=item.expedited,
        received_at=item.received_at,
        due_at=item.due_at,
        files=_files(history.files),
        again=again,
        links=Links(self=f"/v1/submissions/{item.id}"),
    )


def _files(rows: Sequence[object]) -> list[ReceivedFile]:
    return [ReceivedFile.model_validate(row) for row in rows]
