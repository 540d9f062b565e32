"""The filled form as rows for other systems, one a field: CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from dataclasses import field as part
from typing import Any

from pydantic import TypeAdapter

from pipeline.domain import Box, Evidence, Value
from pipeline.prefill.records import Answer, By, Form

# A spreadsheet takes a cell that starts so for a formula; some take the wide forms, too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_PERSON = "person"


@dataclass(frozen=True, slots=True)
class Row:
    """One answer, or the lack of one. The columns of the CSV are these attributes in this order without
    `evidence`; `docs/prefill.md` says what each holds."""

    case_id: str
    field: str
    value: Value | None = part(repr=False)
    status: str
    candidates: tuple[Value, ...] = part(repr=False)
    code_system: str | None
    code: str | None
    confidence: float | None
    origin: str | None
    corrected_by: str | None
    confirmed_by: str | None
    file: str | None = part(repr=False)
    page: int | None
    boxes: tuple[Box, ...]
    policy: str
    model_version: str | None
    evidence: tuple[Evidence, ...] = part(repr=False)


COLUMNS = tuple(one.name for one in fields(Row) if one.name != "evidence")
_ROW: TypeAdapter[Row] = TypeAdapter(Row)


def rows_of(form: Form) -> list[Row]:
    """A row for each answer, in the order of the form. Roles stand for people: no row names one."""
    return [_row(form, answer) for answer in form.answers]


def csv_text(rows: Iterable[Row]) -> str:
    """RFC 4180 with a line of column names. A cell that a spreadsheet would run as a formula gets an
    apostrophe in front."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([_safe(_cell(getattr(row, name))) for name in COLUMNS] for row in rows)
    return out.getvalue()


def rows_as_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The same columns and all evidence; what is empty is null."""
    return [_ROW.dump_python(row, mode="json") for row in rows]


# --------------------------------------------------------------------------- inside


def _row(form: Form, answer: Answer) -> Row:
    touch = answer.touch
    code = answer.codes[0] if answer.codes and answer.value is not None else None
    shown = next((one for one in answer.evidence if one.boxes), None)
    return Row(
        case_id=form.case.case_id,
        field=answer.question.link_id,
        value=answer.value,
        status=answer.status,
        candidates=tuple(one.value for one in answer.candidates),
        code_system=code.system if code else None,
        code=code.code if code else None,
        confidence=answer.confidence if answer.value is not None else None,
        origin=answer.source.value if answer.source else None,
        corrected_by=_role(touch.changed or touch.rejected if touch else None),
        confirmed_by=_role(touch.confirmed if touch else None),
        file=shown.file if shown else None,
        page=shown.page if shown else None,
        boxes=shown.boxes if shown else (),
        policy=f"{form.asked.policy.id}@{form.asked.policy.version}",
        model_version=form.case.made_by.name if form.case.made_by else None,
        evidence=tuple(map(_nameless, answer.evidence)),
    )


def _role(by: By | None) -> str | None:
    return None if by is None else (by.role or _PERSON)


def _nameless(one: Evidence) -> Evidence:
    return replace(one, extractor=_PERSON) if one.extractor.startswith(f"{_PERSON}:") else one


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case Box():
            return " ".join(f"{edge:.2f}" for edge in value)
        case tuple():
            return "; ".join(_cell(one) for one in value)
        case _:
            return str(value)


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
