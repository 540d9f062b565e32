"""The simulated day's own account: what was sent, when, and what its log says became of it; then whether the
ledger tells the same. Nothing here asks the ledger but `differences` and `wrong_at_the_end`."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from pipeline import ledger as led
from pipeline.files import submission_id
from pipeline.ledger import Figures, Ledger, State
from tests.crash_worker import criterion_of, pages_of
from tests.day_worker import BAD

DELIVERY_ATTEMPTS = 8
EXPEDITED, STANDARD, LEFT = timedelta(hours=72), timedelta(days=7), 0.25
"""Of models/clock.toml, once more: this account is its own."""


def id_of(content: bytes) -> str:
    return submission_id([hashlib.sha256(content).hexdigest()])


@dataclass
class Sent:
    """A submission that was taken in: between `earliest` and `latest`, which are one where a channel said."""

    content: bytes
    expedited: bool
    earliest: datetime
    latest: datetime
    deliveries: int = 1

    @property
    def span(self) -> timedelta:
        return EXPEDITED if self.expedited else STANDARD

    def is_at_risk(self, received: datetime, now: datetime) -> bool:
        return received + self.span - now < self.span * LEFT

    def is_overdue(self, received: datetime, now: datetime) -> bool:
        return received + self.span < now


@dataclass
class Account:
    """By submission. `refused_before` counts the refusals up to the last replay."""

    sent: dict[str, Sent] = field(default_factory=dict)
    refused_before: Counter[str] = field(default_factory=Counter)

    def take(self, content: bytes, expedited: bool, earliest: datetime, latest: datetime) -> None:
        name = id_of(content)
        if name in self.sent:
            self.sent[name].deliveries += 1
        else:
            self.sent[name] = Sent(content, expedited, earliest, latest)

    def stand(self, told: Iterable[tuple[str, str]], written: set[str]) -> Stand:
        """How things stand by the log `told` and the cases that were `written` into the output."""
        counted = {what: Counter[str]() for what in ("unreadable", "refused", "answered")}
        for what, name in told:
            counted[what][name] += 1
        tried = counted["refused"] - self.refused_before
        given_up = {name for name, tries in tried.items() if tries >= DELIVERY_ATTEMPTS}
        parked = set(counted["unreadable"]) | (given_up - set(counted["answered"]))
        return Stand(
            done=written,
            parked=parked,
            given_up=given_up - set(counted["answered"]),
            between=set(counted["answered"]) - written,
            open={name: one for name, one in self.sent.items() if name not in written | parked},
        )


@dataclass(frozen=True)
class Stand:
    """`between` were evaluated, but their case is not written: a worker was killed there."""

    done: set[str]
    parked: set[str]
    given_up: set[str]
    between: set[str]
    open: Mapping[str, Sent]


def differences(stand: Stand, figures: Figures, now: datetime) -> Iterator[str]:
    """Where the ledger's figures are not what the account says. Each has a least and a most: a case that was
    evaluated and not written may have ended, and a folder's time of receipt is known to a minute or so."""
    surely = {name: one for name, one in stand.open.items() if name not in stand.between}
    opened = [*stand.open.values()], [*surely.values()]
    most, least = opened
    states = figures.states
    counts = {
        "done": (states[State.DONE], len(stand.done), len(stand.done | stand.between)),
        "parked": (states[State.PARKED], len(stand.parked), len(stand.parked)),
        "open": (states[State.RECEIVED] + states[State.IN_FLIGHT], len(least), len(most)),
        "expedited waiting": (
            figures.expedited_waiting,
            sum(one.expedited for one in least),
            sum(one.expedited for one in most),
        ),
        "at risk": (
            figures.at_risk,
            sum(one.is_at_risk(one.latest, now) for one in least),
            sum(one.is_at_risk(one.earliest, now) for one in most),
        ),
        "overdue": (
            figures.overdue,
            sum(one.is_overdue(one.latest, now) for one in least),
            sum(one.is_overdue(one.earliest, now) for one in most),
        ),
        "oldest, s": (
            figures.oldest_waiting_s,
            (now - min((one.latest for one in least), default=now)).total_seconds() - 0.001,
            (now - min((one.earliest for one in most), default=now)).total_seconds() + 0.001,
        ),
    }
    for what, (told, low, high) in counts.items():
        if not low <= told <= high:
            yield f"{what}: the ledger says {told:g}, the account {low:g}" + (
                f" to {high:g}" if high != low else ""
            )


def wrong_at_the_end(ledger: Ledger, account: Account, output: Path) -> Iterator[str]:
    """What must not be once everything has ended."""
    items = {item.id: item for item in led.items(ledger, most=10 * len(account.sent))}
    if items.keys() != account.sent.keys():
        yield f"{len(account.sent.keys() - items.keys())} submissions are lost"
        yield f"{len(items.keys() - account.sent.keys())} submissions were made up"
    for name, sent in account.sent.items():
        if name not in items:
            continue
        item, history = items[name], led.history(ledger, name)
        ended = State.PARKED if sent.content.startswith(BAD) else State.DONE
        if item.state != ended:
            yield f"{name} is {item.state} ({item.reason}), not {ended}"
        if (
            not sent.earliest <= item.received_at <= sent.latest
            or item.due_at != item.received_at + sent.span
        ):
            yield f"{name} has another time: {item.received_at}, due {item.due_at}"
        if len(history.deliveries) != sent.deliveries:
            yield f"{name} was delivered {sent.deliveries} times, the ledger has {len(history.deliveries)}"
        kinds = Counter(event.kind for event in history.events)
        once = ("received", "finished", *(("evaluated", "delivered") if ended == State.DONE else ()))
        if len(history.cases) != 1 or any(kinds[kind] != 1 for kind in once):
            yield f"{name} has {len(history.cases)} cases and the history {dict(kinds)}"
        if ended == State.DONE:
            yield from _wrong_case(ledger, name, sent.content, output)
    yield from (f"{one.what}: {one.why}" for one in led.balance(ledger).discrepancies)
    pages = sum(pages_of(one.content) for one in account.sent.values() if not one.content.startswith(BAD))
    if (counted := sum(led.balance(ledger).pages.values())) != pages:
        yield f"{counted} pages were counted, {pages} were sent"


def _wrong_case(ledger: Ledger, name: str, content: bytes, output: Path) -> Iterator[str]:
    case = led.load_case(ledger, name) or {}
    if (case.get("evaluation") or {}).get("criterion") != criterion_of(content):
        yield f"{name} has not its own evaluation"
    path = output / name / "case.json"
    if not path.is_file() or json.loads(path.read_bytes()) != case:
        yield f"{name} is not in the output as it is in the ledger"
