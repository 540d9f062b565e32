"""What goes into the correspondence and comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from pipeline.information_request.as_json import request_from_json, request_to_json
from pipeline.information_request.fhir import Provider
from pipeline.information_request.record import InformationRequest

REQUEST: Final = "request"
"""Kind of the ledger's sealed record."""
SENT: Final = "request_sent"
"""Kind of the event, and name of the deed, that a request was sent; the first has its moment."""


class State(StrEnum):
    """Where a request is. One that a second request follows is closed."""

    OPEN = "open"
    ANSWERED = "answered"
    CLOSED = "closed"  # by a person, or by a second request
    EXPIRED = "expired"  # nothing came in time; a person decides what follows


class Delivery(StrEnum):
    """Where a request is on its way by one channel."""

    WAITING = "waiting"  # for a worker, or for another try
    HANDED_OVER = "handed_over"  # the channel has it; whether it went out is not known
    ACKNOWLEDGED = "acknowledged"  # it went out, or is with whom it is for
    FAILED = "failed"  # with a code; `send` tries it anew
    CANCELLED = "cancelled"  # the request was closed before it went out


@dataclass(frozen=True, slots=True)
class Sent:
    """The latest sending of a request by one channel: since when it is where it is. `code` is the other
    side's word for it, or ours for what it did not take; `late` says that an acknowledgement is overdue."""

    state: Delivery
    since: datetime
    code: str = ""
    late: bool = False
    reminder: int = 0

    @property
    def arrived(self) -> bool:
        """Whether the channel has it and has not said that it failed."""
        return self.state in (Delivery.HANDED_OVER, Delivery.ACKNOWLEDGED)

    def __str__(self) -> str:
        return f"{self.state}{f' ({self.code})' if self.code else ''}{', late' if self.late else ''}"


@dataclass(frozen=True, slots=True)
class To:
    """Where a request goes: the channels' names, the provider, and the fax number or address."""

    channels: tuple[str, ...]
    provider: Provider = field(default_factory=Provider)
    address: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """A request as lists show it. `open_items` and `closed_items` are codes; `decide_by` is when the plan
    must have decided, whether an answer came or not."""

    reference: str
    submission_id: str
    number: int
    state: State
    cause: str | None
    issued_on: date
    due_on: date
    expires_on: date
    decide_by: datetime
    reminders: int
    open_items: tuple[str, ...]
    closed_items: tuple[str, ...]
    sendings: Mapping[str, Sent] = field(default_factory=dict)
    """By channel, the latest sending."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A submission that may be a reply, and why a person must say."""

    submission_id: str
    reason: str


def sealed(request: InformationRequest, to: To) -> dict[str, Any]:
    """Request and recipient as one record."""
    provider = to.provider
    return {
        "request": request_to_json(request),
        "to": {
            "channels": list(to.channels),
            "address": to.address,
            "provider": [provider.name, provider.npi, provider.fax],
        },
    }


def unsealed(record: Mapping[str, Any]) -> tuple[InformationRequest, To]:
    """What `sealed` was given."""
    to = record["to"]
    return request_from_json(record["request"]), To(
        tuple(to["channels"]), Provider(*to["provider"]), to["address"]
    )
