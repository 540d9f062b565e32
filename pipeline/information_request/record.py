"""The request for information as records: what every form of it (letter, FHIR, X12) is made from.

A draft comes from the case alone; `issued` gives it a reference, a day and a due day.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from pipeline.catalog.letters import Deadlines
from pipeline.domain import Code, PolicyRef

_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Record:
    """A record that came: its type's title, its day (ISO 8601) and its pages in the file that it came in.

    `file` is the file's place among those received, from 1, and None where only one came: names of files
    may name patients. The titles are the catalog's, never the packet's.
    """

    document: str
    type: str
    title: str
    pages: tuple[int, ...]
    day: str | None = None
    file: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One sentence on what came, and the records that it is about."""

    text: str = field(repr=False)
    records: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestItem:
    """One thing that is asked for.

    `code` is the evaluator's: a required document (`treatment_plan`), an element of one
    (`treatment_plan.treatment_area`) or a fact (`stage_group`). Any one of `settled_by` answers it.
    `loinc` is the attachment code that asks for it; `records` are the document types that may hold it.
    """

    code: str
    title: str
    ask: str = field(repr=False)
    why: str
    loinc: Code
    found: tuple[Found, ...] = ()
    settled_by: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    criterion: str | None = None


@dataclass(frozen=True, slots=True)
class AskedAbout:
    """As much of the patient and the request as an office needs to find its chart.

    `name_read` is what was read of a name that is not sure enough to be one: None where `name` is known.
    """

    name: str | None = field(default=None, repr=False)
    dob: str | None = field(default=None, repr=False)
    member_id: str | None = field(default=None, repr=False)
    services: tuple[str, ...] = ()
    name_read: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class InformationRequest:
    """All that a provider is asked for at one time, for one case.

    `reference`, `issued` and `due` are None in a draft; `number` counts the requests of the case from 1,
    `follows` is the reference of the one before. `notes` are what the office should know besides (pages
    that could not be read).
    """

    case_id: str
    policy: PolicyRef
    policy_title: str
    about: AskedAbout
    items: tuple[RequestItem, ...]
    expedited: bool = False
    received: date | None = None
    notes: tuple[str, ...] = ()
    reference: str | None = None
    number: int = 1
    follows: str | None = None
    issued: date | None = None
    due: date | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(item.code for item in self.items)


def issued(
    draft: InformationRequest,
    *,
    reference: str,
    today: date,
    deadlines: Deadlines,
    decision: date | None = None,
    follows: InformationRequest | None = None,
) -> InformationRequest:
    """The draft as it is sent today. `decision` is the day on which the plan must have answered."""
    return replace(
        draft,
        reference=reference,
        number=follows.number + 1 if follows else 1,
        follows=follows.reference if follows else None,
        issued=today,
        due=due_day(today, deadlines, decision),
    )


def due_day(sent: date, deadlines: Deadlines, decision: date | None = None) -> date:
    """The day until which an answer to a request sent on `sent` is waited for: so many days, less where the
    plan must decide before, and tomorrow at the earliest."""
    day, latest = sent + timedelta(days=deadlines.answer_days), _latest(deadlines, decision)
    if not deadlines.weekends and (late := day.weekday() - _SATURDAY + 1) > 0:
        day += timedelta(days=3 - late)  # the Monday after it
    if latest is not None and day > latest:
        day = latest
        if not deadlines.weekends and (late := day.weekday() - _SATURDAY + 1) > 0:
            day -= timedelta(days=late)  # the Friday before it
    return max(day, sent + timedelta(days=1))


def reminder_days(sent: date, deadlines: Deadlines, due: date) -> tuple[date, ...]:
    """The days on which an office that has not answered is reminded."""
    days = (sent + timedelta(days=days) for days in sorted(deadlines.remind_days))
    return tuple(day for day in days if day < due)


def expiry_day(sent: date, deadlines: Deadlines, due: date, decision: date | None = None) -> date:
    """The day from which an open request counts as expired; a person decides what then happens. It is after
    the due day, and not after the day on which the plan must decide where that can be helped."""
    day = sent + timedelta(days=deadlines.expire_days)
    if deadlines.within_clock and decision is not None:
        day = min(day, decision)
    return max(day, due + timedelta(days=1))


def _latest(deadlines: Deadlines, decision: date | None) -> date | None:
    """The last day for an answer that can still be reviewed before the plan must decide."""
    if decision is None or not deadlines.within_clock:
        return None
    return decision - timedelta(days=deadlines.review_days)
