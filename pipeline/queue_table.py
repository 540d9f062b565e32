"""The queue as a person reads it, and as JSON. Nothing here holds text of a patient but the names of files,
which only `story` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from pipeline.ledger import ENDED, Balance, Figures, History, Item, State
from pipeline.ledger.notices import Notice

_NONE = "-"


def table(items: Sequence[Item], figures: Figures, now: datetime) -> str:
    """A line for each, then the figures of the whole queue."""
    lines = [_row("ID", "STATE", "TIME LEFT", "FLAGS", "PAGES", "CHANNEL", "REASON OR OUTCOME")]
    for item in items:
        lines.append(
            _row(
                item.id,
                item.state,
                time_left(item, now),
                flags(item),
                str(item.page_count if item.page_count is not None else _NONE),
                item.channel,
                _ending(item, now),
            )
        )
    counts = ", ".join(f"{number} {state}" for state, number in figures.states.items() if number)
    lines += ["", f"{counts or 'nothing was received yet'}."]
    lines += [f"{number} {what}." for what, number in _worries(figures) if number]
    return "\n".join(lines) + "\n"


def time_left(item: Item, now: datetime) -> str:
    """How long until the answer is due; when the work on it has ended and nobody is waited for, nothing."""
    if item.state is State.REJECTED or (
        item.state in ENDED and item.state is not State.PARKED and item.pended_at is None
    ):
        return _NONE
    left = item.due_at - now
    return f"{_span(left)} over" if left < timedelta(0) else _span(left)


def _ending(item: Item, now: datetime) -> str:
    """Why it ended as it did, and since when somebody outside is waited for."""
    told = item.reason or item.outcome or _NONE
    return told if item.pended_at is None else f"{told}, asked {_span(now - item.pended_at)} ago"


def flags(item: Item) -> str:
    """What to look at: E expedited, u a page asks for haste, p pended, d sent again, x erased."""
    marks = {
        "E": item.expedited,
        "u": item.asks_for_haste and not item.expedited,
        "p": item.pended_at is not None,
        "d": item.duplicate_of is not None,
        "x": item.erased_at is not None,
    }
    return "".join(mark for mark, holds in marks.items() if holds) or _NONE


def notices_table(notices: Sequence[Notice], now: datetime) -> str:
    """A line for each thing that was told of."""
    lines = [f"{'ID':<33}{'STATE':<11}{'TIME LEFT':<13}{'TRIES':<7}{'CHANNEL':<16}FAX ID, REASON"]
    for notice in notices:
        left = notice.due_at - now
        span = f"{_span(left)} over" if left < timedelta(0) else _span(left)
        lines.append(
            f"{notice.id:<33}{notice.state:<11}{span:<13}{notice.attempts:<7}{notice.channel:<16}"
            f"{notice.reference} {notice.reason or ''}".rstrip()
        )
    return "\n".join(lines) + "\n"


def story(history: History, names: Sequence[str], now: datetime) -> str:
    """One submission: how it stands, its files, and what happened to it."""
    item = history.item
    lines = [f"{item.id}  {item.state}  {item.reason or item.outcome or ''}".rstrip()]
    lines.append(f"received {_time(item.received_at)} by {item.channel}, due {_time(item.due_at)}")
    if (left := time_left(item, now)) != _NONE:
        lines.append(f"time left: {left}")
    if item.asks_for_haste and not item.expedited:
        lines.append("a page says that it is urgent; `triage queue expedite` gives it the short clock")
    if item.duplicate_of:
        lines.append(f"the same pages as {item.duplicate_of}, sent again")
    lines += ["", "files"]
    for row, name in zip(history.files, names or [_NONE] * len(history.files), strict=True):
        pages = _NONE if row["pages"] is None else row["pages"]
        lines.append(
            f"  {row['sha256'][:12]}  {row['media_type']}  {row['bytes']} bytes  {pages} pages  {name!r}"
        )
    lines += ["", "history"]
    for event in history.events:
        told = " ".join(filter(None, (event.kind, event.cause and f"({event.cause})", _data(event.data))))
        lines.append(f"  {_time(event.at)}  {event.actor:<24}  {told}")
    lines += ["", *_sendings(history)]
    return "\n".join(lines).rstrip() + "\n"


def balance_sheet(balance: Balance) -> str:
    """The equation, to the submission and to the page, and what does not add up."""
    parts = " + ".join(f"{number} {state}" for state, number in balance.submissions.items())
    pages = " + ".join(f"{number} {state}" for state, number in balance.pages.items())
    told = " + ".join(f"{number} {state}" for state, number in balance.notices.items()) or "0"
    lines = [
        f"submissions: {balance.received} received = {parts}",
        f"pages:       {sum(balance.pages.values())} counted = {pages}",
        f"             {balance.pages_unread} of them could not be read; "
        f"{balance.unknown_pages} files have no count yet, or cannot have one",
        f"deliveries:  {balance.deliveries}",
        f"announced:   {sum(balance.notices.values())} = {told}",
        "",
        "It adds up." if balance.holds else f"{len(balance.discrepancies)} things do not add up:",
    ]
    lines += [f"  {one.what}: {one.why}" for one in balance.discrepancies]
    return "\n".join(lines) + "\n"


def as_json(item: Item) -> dict[str, Any]:
    """The item with its times as ISO 8601."""
    return _object(asdict(item))


def history_as_json(history: History) -> dict[str, Any]:
    """The whole history but for what is sealed."""
    return _object(asdict(history))


def balance_as_json(balance: Balance) -> dict[str, Any]:
    """The balance, and whether it holds."""
    return _object({**asdict(balance), "holds": balance.holds})


def _sendings(history: History) -> Iterator[str]:
    if history.outbox:
        yield "sent"
    for row in history.outbox:
        again = f", again {_time(row['claimable_at'])}" if row["claimable_at"] else ""
        why = f" ({row['reason']})" if row["reason"] else ""
        told = f"{row['state']}, {row['attempts']} tries{why}{again}"
        yield f"  case {row['case_number']} to {row['target']}: {told}"


def _worries(figures: Figures) -> list[tuple[str, int]]:
    longest = _span(timedelta(seconds=figures.longest_pended_s))
    return [
        ("over their time", figures.overdue),
        ("at risk", figures.at_risk - figures.overdue),
        (f"waiting for someone outside, up to {longest}", figures.pended),
        ("cases still to be sent", figures.unsent),
        ("cases that could not be sent; `triage queue replay` sends them again", figures.failed_sendings),
        ("announced and still to be fetched; `triage queue announced` lists them", figures.to_fetch),
        ("announced and not to be had: a person must see to it", figures.not_fetched),
    ]


def _row(*cells: str) -> str:
    widths = (17, 10, 12, 6, 6, 16)
    padded = [f"{cell:<{width}}" for cell, width in zip(cells[:-1], widths, strict=True)]
    return " ".join([*padded, cells[-1]]).rstrip()


def _span(span: timedelta) -> str:
    minutes = int(abs(span).total_seconds()) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    return f"{days} d {hours} h" if days else f"{hours} h {minutes:02} min"


def _time(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _data(data: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value if isinstance(value, str | int) else json.dumps(value)}"
        for name, value in data.items()
    )


def _object(data: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key): _plain(value) for key, value in data.items()}


def _plain(data: Any) -> Any:
    if isinstance(data, Mapping):
        return _object(data)
    if isinstance(data, list | tuple):
        return [_plain(value) for value in data]
    return data.isoformat() if isinstance(data, datetime) else data
