"""Open requests as a person reads them. Nothing here holds text of a patient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from pipeline.correspondence import Entry, State, Waiting

_NONE = "-"
_WIDTHS = (12, 17, 9, 23, 23)


def table(entries: Sequence[Entry], waiting: Sequence[Waiting], now: datetime) -> str:
    """A line for each request, with what is still open and where its sendings are below it; then replies of
    which a person must say what they answer."""
    if not entries and not waiting:
        return "No request is open, and no reply waits for a person.\n"
    lines = []
    if entries:
        lines.append(_row("REFERENCE", "SUBMISSION", "STATE", "ANSWER DUE", "DECISION DUE", "WAITS"))
        for entry in entries:
            lines += _lines(entry, now)
    if waiting:
        lines += ["", "Replies that wait for a person (`triage request join SUBMISSION REFERENCE`):"]
        lines += [f"  {one.submission_id}  {one.reason}" for one in waiting]
    return "\n".join(lines).lstrip("\n") + "\n"


def _lines(entry: Entry, now: datetime) -> Iterator[str]:
    today, is_open = now.date(), entry.state is State.OPEN
    yield _row(
        entry.reference,
        entry.submission_id,
        entry.state,
        _day(entry.due_on, today) if is_open else str(entry.due_on),
        _day(entry.decide_by.date(), today) if is_open else str(entry.decide_by.date()),
        _days((today - entry.issued_on).days) if is_open else entry.cause or _NONE,
    )
    if entry.open_items:
        yield f"    open: {', '.join(entry.open_items)}"
    if entry.closed_items:
        yield f"    closed: {', '.join(entry.closed_items)}"
    for channel, sent in entry.sendings.items():
        what = f"reminder {sent.reminder}" if sent.reminder else "sent"
        yield f"    {what} by {channel}: {sent}, {sent.since:%Y-%m-%d %H:%M}"
    if is_open and entry.due_on > entry.decide_by.date():
        yield "    the answer is due after the decision: decide on what is there, or extend"


def _day(day: date, today: date) -> str:
    left = (day - today).days
    told = "today" if left == 0 else f"in {_days(left)}" if left > 0 else f"{_days(-left)} over"
    return f"{day} {told}"


def _days(count: int) -> str:
    return f"{count} d"


def _row(*cells: str) -> str:
    padded = [f"{cell:<{width}}" for cell, width in zip(cells[:-1], _WIDTHS, strict=True)]
    return " ".join([*padded, cells[-1]]).rstrip()
