"""The desk's corrections as a set to measure on, and as figures (see `pipeline.regression`)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Select, select

from pipeline import audit
from pipeline.case_json import from_json
from pipeline.catalog import Catalog
from pipeline.domain import PolicyRef
from pipeline.errors import UsageError
from pipeline.evaluate_set import EXPECTED
from pipeline.files import make_private, write_whole
from pipeline.ledger import Ledger, load_case, opened
from pipeline.ledger.tables import cases, submissions
from pipeline.prefill import Asked, Form, asked_of, filled
from pipeline.regression import Shares, Told, expected_of, tally
from pipeline.regression.expected import fields_in
from pipeline.regression.shares import UNKNOWN, Deed
from pipeline.review import tables
from pipeline.review.casefile import CaseErased, open_case
from pipeline.review.correction_records import RecordMissing, lapsed_of
from pipeline.review.corrections import Kind
from pipeline.review.prefilled import form_of_file

_ENDINGS: Final = {
    "application/pdf": ".pdf",
    "image/tiff": ".tif",
    "image/png": ".png",
    "image/jpeg": ".jpg",
}
_DEEDS: Final[dict[str, Deed]] = {Kind.ACCEPT: "accept", Kind.CHANGE: "change", Kind.REJECT: "reject"}


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote, and how many corrected cases it had to leave out: they were erased, a record of
    theirs is missing, or the version of their policy is not kept."""

    cases: int
    fields: int
    left_out: int


def export_set(
    ledger: Ledger,
    catalog: Catalog,
    folder: Path,
    *,
    actor: str,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Exported:
    """Write every case that people corrected in a period to `folder`, for `triage evaluate-set`.

    Files of patients leave the vault: the folder is its owner's alone, and each case has a row in the audit
    trail before its files are written. Raises UsageError where the folder is not empty or open to others.
    """
    _check_folder(folder)
    written, fields, left_out = 0, 0, 0
    for submission_id in _corrected(ledger, since, until):
        try:
            file = open_case(ledger, submission_id)
            expected = expected_of(form_of_file(ledger, file, catalog)) if file is not None else None
        except (CaseErased, RecordMissing, UsageError):
            left_out += 1
            continue
        if expected is None:
            continue
        count = fields_in(expected)
        audit.write(ledger, actor, "regression_exported", submission_id, fields=count)
        _write(ledger, submission_id, folder / submission_id, expected)
        written, fields = written + 1, fields + count
    return Exported(written, fields, left_out)


def share_report(
    ledger: Ledger, catalog: Catalog, *, since: datetime | None = None, until: datetime | None = None
) -> Shares:
    """How much was filled, accepted and overridden in the cases that were made in a period, of the policies
    whose versions are kept."""

    @cache
    def asked(ref: PolicyRef) -> Asked | None:
        try:
            return asked_of(catalog.policies.version(ref), catalog)
        except UsageError:
            return None

    return tally(_told(ledger, asked, since, until), since=since, until=until)


# --------------------------------------------------------------------------- the set


def _check_folder(folder: Path) -> None:
    try:
        make_private(folder)
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty.", next_step="Name a new folder.")
        if folder.stat().st_mode & 0o077:
            raise UsageError(
                f"{folder} can be read by others, and files of patients go into it.",
                next_step="chmod 700 it, or name a new folder.",
            )
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror}.", next_step="Name another."
        ) from None


def _corrected(ledger: Ledger, since: datetime | None, until: datetime | None) -> Sequence[str]:
    c = tables.corrections.c
    query = _within(select(c.submission_id).distinct(), c.at, since, until).order_by(c.submission_id)
    return ledger.read(lambda db: db.execute(query).scalars().all())


def _write(ledger: Ledger, submission_id: str, target: Path, expected: dict[str, Any]) -> None:
    """The files by their place, as in `queue_export`: senders put names of patients into file names."""
    make_private(target)
    with opened(ledger, submission_id) as submission:
        for number, file in enumerate(submission.files, 1):
            copy = target / f"{number:03}{_ENDINGS.get(file.media_type, '.bin')}"
            shutil.copyfile(file.path, copy)
            copy.chmod(0o600)
    write_whole(target / EXPECTED, json.dumps(expected, indent=2, ensure_ascii=False) + "\n")


# --------------------------------------------------------------------------- the figures


def _told(
    ledger: Ledger, asked: Callable[[PolicyRef], Asked | None], since: datetime | None, until: datetime | None
) -> Iterator[Told]:
    for submission_id, number in ledger.read(lambda db: _made(db, since, until)):
        data = load_case(ledger, submission_id, number)
        if data is None:
            continue  # erased since it was looked for
        case = from_json(data)
        questions = asked(case.policy) if case.policy is not None and case.documents else None
        if questions is None:
            continue
        form = filled(case, questions, {})
        yield Told(
            case.made_by.name if case.made_by else UNKNOWN,
            _states(form),
            _deeds(ledger, submission_id, number),
        )


def _made(db: Connection, since: datetime | None, until: datetime | None) -> list[tuple[str, int]]:
    """The latest reading of each submission that is kept, made in the period; an older one is not counted
    twice."""
    s, c = submissions.c, cases.c
    query = (
        select(c.submission_id, c.number)
        .join(submissions, (s.id == c.submission_id) & (s.case_number == c.number))
        .where(s.erased_at.is_(None), c.status != "parked")
        .order_by(c.created_at, c.submission_id)
    )
    return [(row[0], row[1]) for row in db.execute(_within(query, c.created_at, since, until))]


def _states(form: Form) -> dict[str, Any]:
    states: dict[str, Any] = {}
    for answer in form.answers:
        state = "filled" if answer.value is not None else "conflicting" if answer.candidates else "open"
        name = answer.question.link_id
        states[name] = "filled" if "filled" in (state, states.get(name)) else state
    return states


def _deeds(ledger: Ledger, submission_id: str, case_number: int) -> dict[str, Deed]:
    """The last deed about each field that counts: not undone, not lapsed; what a correction says is not
    opened."""
    c = tables.corrections.c
    query = select(c.number, c.kind, c.subject).where(
        c.submission_id == submission_id, c.case_number == case_number
    )
    rows = ledger.read(lambda db: db.execute(query.order_by(c.number)).all())
    over = {row.subject for row in rows if row.kind == Kind.UNDO}
    over |= {str(number) for number in lapsed_of(ledger, submission_id, case_number)} if rows else set()
    return {
        row.subject: _DEEDS[row.kind] for row in rows if row.kind in _DEEDS and str(row.number) not in over
    }


def _within(query: Select[Any], at: Any, since: datetime | None, until: datetime | None) -> Select[Any]:
    if since is not None:
        query = query.where(at >= since)
    return query.where(at < until) if until is not None else query
