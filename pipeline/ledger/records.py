"""What goes into the ledger and comes out of it. Nothing here holds text of a patient but `Incoming`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Literal


class State(StrEnum):
    """Where a submission is. Every submission is in one of these; `balance` counts on it."""

    RECEIVED = "received"  # waits for a worker
    IN_FLIGHT = "in_flight"  # held by a worker, or waiting for the rules evaluator
    DONE = "done"
    PARTIAL = "partial"  # done, but something that was received could not be read
    PARKED = "parked"  # waits for a person, with a reason
    REJECTED = "rejected"  # by a person, with a reason


ENDED = (State.DONE, State.PARTIAL, State.PARKED, State.REJECTED)
RESENT = "resent"
"""What is done because it is another submission, sent again: kind of the event, and reason."""


# --------------------------------------------------------------------------- receiving


@dataclass(frozen=True, slots=True)
class Incoming:
    """One file that arrives: the sender's name for it, and its bytes, a path or an open stream of them, or
    what opens one."""

    name: str = field(repr=False)
    content: bytes | Path | IO[bytes] | Callable[[], IO[bytes]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Files that belong together, as a channel brings them.

    `reference` is the channel's own id of the delivery (a fax id), so that a delivery told twice is one;
    it must hold no text of a patient. `expedited` only where the sender's channel says so, not a word on a
    page. `received_at` is for channels that kept it since; the ledger's time is the default.
    """

    files: Sequence[Incoming]
    channel: str
    reference: str | None = None
    expedited: bool = False
    received_at: datetime | None = None
    told: Mapping[str, Any] | None = field(default=None, repr=False)
    """What the channel says besides the files (a FHIR bundle), as JSON can hold it; kept sealed."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an arrival: it is on the disk and the source may forget it.

    `new` is False where these bytes were received before; the delivery is then attached to that
    submission. `repeated` says that even the delivery (its `reference`) was known.
    """

    submission_id: str
    new: bool
    repeated: bool = False


# --------------------------------------------------------------------------- working


@dataclass(frozen=True, slots=True)
class Claim:
    """A submission in a worker's hands until `until`, unless it renews. Whoever holds an older `token` of
    the submission than the last one may not write."""

    submission_id: str
    token: int
    worker: str
    round: int
    attempt: int
    expedited: bool
    until: datetime


@dataclass(frozen=True, slots=True)
class PageMark:
    """A page as the ledger counts it: `file` from 0, `number` from 1. `unread` has its problem's code."""

    file: int
    number: int
    state: Literal["read", "blank", "duplicate", "unread"]
    fingerprint: str = ""
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Something to be sent to a target under its idempotency key."""

    target: str
    key: str


@dataclass(frozen=True, slots=True)
class Sending:
    """An outgoing case in a worker's hands; see `Claim`."""

    id: int
    submission_id: str
    case_number: int
    target: str
    key: str
    token: int
    worker: str
    attempt: int


# --------------------------------------------------------------------------- looking


@dataclass(frozen=True, slots=True)
class Item:
    """A submission as the queue lists it. `asks_for_haste`: a page says that it is urgent, which a person
    should look at; only a channel or a person makes a submission `expedited`. `decided` is the outcome that a
    person set beside the recommended `outcome`, `missing` the codes of what is to be asked for."""

    id: str
    state: State
    reason: str | None
    channel: str
    expedited: bool
    received_at: datetime
    due_at: datetime
    pended_at: datetime | None
    updated_at: datetime
    round: int
    attempts: int
    worker: str | None
    claimable_at: datetime | None
    file_count: int
    byte_count: int
    page_count: int | None
    case_number: int | None
    outcome: str | None
    decided: str | None
    missing: tuple[str, ...] | None
    asks_for_haste: bool | None
    duplicate_of: str | None
    erased_at: datetime | None


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the history: what happened, when, through whom, why, and the state after it."""

    id: int
    submission_id: str | None
    at: datetime
    kind: str
    state: str | None
    actor: str
    cause: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChannelStanding:
    """How a channel that is polled does, as far as it has told.

    `cause` is `working`, or why it is not; so it has been `since`. `left` counts by code what lies at its
    source and cannot be taken in, `refused` what it did not take in lately. `last_received` is when the
    last delivery came through it.
    """

    name: str
    cause: str
    since: datetime
    left: Mapping[str, int]
    refused: int
    last_received: datetime | None
