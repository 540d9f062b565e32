"""Accuracy per field over submissions whose truth is known, with coverage and every difference.

The truth is the `expected.json` beside a submission's files; what it does not name is not scored. How a value
is compared:

- codes, categories, dates, TNM, statuses: equal, case and spaces apart
- `histology` and `treatment_area` are phrases: equal when the words in common are at least half
  of the words of both together (Dice coefficient >= 0.5, words that most phrases share left out),
  or the one phrase holds the other
- `primary_site` other: an older list of sites had `other` for the sites in NEWER_SITES
- `cpt`, `icd10`: each code by itself
- documents: file, first page, last page (`pages`), and the type on top of it (`types`)

Patient and request are also counted by how the paper came that states the request (digital, scan, fine or
standard fax): what a reader of faxes makes of them is another matter than what a text layer gives.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError

EXPECTED = "expected.json"
REQUEST_PAPERS = ("pa_request_form", "fax_cover", "letter_of_medical_necessity")
NOTHING: Mapping[str, Any] = {"value": None}  # a parked case has no findings
PHRASES = {"histology", "treatment_area"}
EMPTY_WORDS = {"a", "and", "carcinoma", "cell", "of", "the", "with"}
NEWER_SITES = {"bladder", "colorectal", "stomach", "pleura", "testis", "bile_duct", "ovary", "uterus"}


@dataclass(frozen=True, slots=True)
class Expectation:
    """A submission's folder and what is true of it."""

    folder: Path
    truth: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Row:
    """One compared value: `group.name`, what was expected and what was answered (None: nothing).

    `confidence` is what the case says of its answer, where it says it.
    """

    name: str
    expected: Any = field(repr=False)
    answered: Any = field(repr=False)
    right: bool
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows of one submission; `kind` is how the paper came that states its request, where known."""

    id: str
    status: str
    rows: tuple[Row, ...]
    kind: str | None = None


def expectations_in(folder: Path) -> list[Expectation]:
    """Every submission under `folder` that has an expected.json. Raises UsageError where none has."""
    found = [
        Expectation(path.parent, json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(folder.rglob(EXPECTED))
    ]
    if not found:
        raise UsageError(f"No submission under {folder} has an {EXPECTED} beside its files.")
    return found


def request_paper(truth: Mapping[str, Any]) -> tuple[str, int] | None:
    """(file, first page) of the paper that states the request; None where the truth names no paper."""
    documents = truth.get("documents", ())
    papers = [one for kind in REQUEST_PAPERS for one in documents if one["type"] == kind]
    return next(((one["file"], one["first_page"]) for one in (*papers, *documents)), None)


def compare(case: Mapping[str, Any], expectation: Expectation, kind: str | None = None) -> Comparison:
    """The case's JSON against the truth, value by value. `kind` is how its request's paper came."""
    rows = tuple(_rows(case, expectation.truth))
    return Comparison(expectation.folder.name, case["status"], rows, kind)


def _rows(case: Mapping[str, Any], truth: Mapping[str, Any]) -> Iterator[Row]:
    if "documents" in truth:
        yield from _document_rows(case["documents"], truth["documents"])
    for name, expected in truth.get("patient", {}).items():
        yield _field_row(f"patient.{name}", expected, case["patient"].get(name, NOTHING))
    for name, expected in truth.get("request", {}).items():
        if isinstance(expected, list):
            yield from _set_rows(f"request.{name}", expected, case["request"].get(name, ()))
        else:
            yield _field_row(f"request.{name}", expected, case["request"].get(name, NOTHING))
    for name, expected in truth.get("findings", {}).items():
        yield _field_row(f"findings.{name}", expected, case["findings"].get(name, NOTHING))
    for name, expected in truth.get("completeness", {}).items():
        answered = case["completeness"].get(name, {})
        yield _row(f"completeness.{name}", expected, answered.get("status", answered.get("value")))
    for name, expected in truth.get("elements", {}).items():
        yield _row(f"elements.{name}", expected, _element(case, name))
    evaluation = case["evaluation"] or {}
    for name in ("outcome", "criterion"):
        if name in (policy := truth.get("policy", {})):
            expected = None if policy[name] == "none" else policy[name]
            yield _row(f"evaluation.{name}", expected, evaluation.get(name))


def _element(case: Mapping[str, Any], path: str) -> str | None:
    """The status of a required element (`treatment_plan.treatment_area`)."""
    document, _, element = path.partition(".")
    found = case["completeness"].get(document, {}).get("elements", {}).get(element)
    return str(found["status"]) if found else None


def _row(name: str, expected: Any, answered: Any) -> Row:
    return Row(name, expected, answered, _same(name.rpartition(".")[2], expected, answered))


def _field_row(name: str, expected: Any, answered: Mapping[str, Any]) -> Row:
    return replace(_row(name, expected, answered["value"]), confidence=answered.get("confidence"))


def _same(name: str, expected: Any, answered: Any) -> bool:
    if expected is None or answered is None:
        return expected is answered
    if isinstance(expected, bool) or isinstance(answered, bool):
        return expected is answered
    if name in PHRASES:
        return _similar(str(expected), str(answered))
    if name == "primary_site" and expected == "other":
        return answered == "other" or answered in NEWER_SITES
    if name == "criterion" and expected in ("out_of_scope", "other_policy"):
        return answered in (expected, None)
    return _normal(expected) == _normal(answered)


def _normal(value: Any) -> str:
    return re.sub(r"\s+", "", str(value)).casefold()


def _similar(one: str, other: str) -> bool:
    if _normal(one) in _normal(other) or _normal(other) in _normal(one):
        return True
    a, b = (set(re.findall(r"[a-z0-9.]*[a-z0-9]", text.casefold())) - EMPTY_WORDS for text in (one, other))
    return bool(a and b) and 2 * len(a & b) / (len(a) + len(b)) >= 0.5


def _set_rows(name: str, expected: Sequence[str], answered: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    wanted = {_normal(code): code for code in expected}
    given = {_normal(code["value"]): code for code in answered if code["value"] is not None}
    for code in sorted(wanted.keys() | given.keys()):
        answer = given.get(code, NOTHING)
        both = code in wanted and code in given
        yield Row(name, wanted.get(code), answer["value"], both, answer.get("confidence"))


def _document_rows(
    answered: Sequence[Mapping[str, Any]], expected: Sequence[Mapping[str, Any]]
) -> Iterator[Row]:
    def place(document: Mapping[str, Any]) -> tuple[str, int, int]:
        return document["file"], document["first_page"], document["last_page"]

    by_place = {place(document): document["type"] for document in answered}
    for document in expected:
        kind = by_place.get(place(document))
        label = f"pages {document['first_page']}-{document['last_page']}"
        yield Row("documents.pages", label, label if kind else None, kind is not None)
        yield Row("documents.types", document["type"], kind, kind == document["type"])
    wanted = {place(document) for document in expected}
    for document in answered:
        if place(document) not in wanted:
            label = f"pages {document['first_page']}-{document['last_page']}"
            yield Row("documents.pages", None, label, False)


# --------------------------------------------------------------------------- figures


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of one field. An answer where nothing is true counts against precision."""

    name: str
    rows: int
    stated: int
    """rows where the truth has a value"""
    answered: int
    """rows where the case has a value"""
    right: int
    """rows where both have the same value"""
    silent: int
    """rows where neither has a value: rightly silent"""

    @property
    def accuracy(self) -> float | None:
        return (self.right + self.silent) / self.rows if self.rows else None

    @property
    def precision(self) -> float | None:
        return self.right / self.answered if self.answered else None

    @property
    def recall(self) -> float | None:
        return self.right / self.stated if self.stated else None


def figures(comparisons: Sequence[Comparison]) -> list[Figures]:
    """One Figures a field, in the order in which the fields are compared."""
    rows: dict[str, list[Row]] = {}
    for comparison in comparisons:
        for row in comparison.rows:
            rows.setdefault(row.name, []).append(row)
    return [_figures(name, group) for name, group in rows.items()]


def _figures(name: str, rows: Sequence[Row]) -> Figures:
    return Figures(
        name,
        rows=len(rows),
        stated=sum(row.expected is not None for row in rows),
        answered=sum(row.answered is not None for row in rows),
        right=sum(row.right and row.expected is not None for row in rows),
        silent=sum(row.right and row.expected is None for row in rows),
    )


def figures_by_kind(comparisons: Sequence[Comparison]) -> dict[str, list[Figures]]:
    """Figures of all patient and request fields together, then of each, by how the request's paper came."""
    found: dict[str, list[Figures]] = {}
    for kind in dict.fromkeys(one.kind for one in comparisons if one.kind is not None):
        here = [one for one in comparisons if one.kind == kind]
        asked = [
            replace(one, rows=tuple(row for row in one.rows if row.name.startswith(("patient.", "request."))))
            for one in here
        ]
        together = _figures("patient and request", [row for one in asked for row in one.rows])
        found[kind] = [together, *figures(asked)]
    return found


def unsafe(comparisons: Sequence[Comparison]) -> list[str]:
    """Submissions called `meets` that are not: the error that must not happen."""
    return [
        comparison.id
        for comparison in comparisons
        for row in comparison.rows
        if row.name == "evaluation.outcome" and row.answered == "meets" and row.expected != "meets"
    ]


def report(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Figures and differences as JSON."""
    return {
        "submissions": len(comparisons),
        "statuses": {one.id: one.status for one in comparisons},
        "unsafe_meets": unsafe(comparisons),
        "fields": [_as_json(one) for one in figures(comparisons)],
        "patient_and_request_by_kind": {
            kind: [_as_json(one) for one in found] for kind, found in figures_by_kind(comparisons).items()
        },
        "answers": [
            {"submission": one.id, "field": row.name, "confidence": row.confidence, "right": row.right}
            for one in comparisons
            for row in one.rows
            if row.confidence is not None
        ],
        "differences": [
            {"submission": one.id, "field": row.name, "expected": row.expected, "answered": row.answered}
            for one in comparisons
            for row in one.rows
            if not row.right
        ],
    }


def differences(comparison: Comparison) -> list[str]:
    """What is not as it is known to be, a line each."""
    return [
        f"{row.name:32} expected {row.expected!s:40.40} answered {row.answered!s:.60}"
        for row in comparison.rows
        if not row.right
    ]


def _as_json(one: Figures) -> dict[str, Any]:
    return {
        "field": one.name,
        "stated": one.stated,
        "answered": one.answered,
        "right": one.right,
        "rightly_silent": one.silent,
        "accuracy": one.accuracy,
        "precision": one.precision,
        "recall": one.recall,
    }


def _line(name: str, one: Figures) -> str:
    shares = [f"{share:5.2f}" if share is not None else "    -" for share in (one.precision, one.recall)]
    accuracy = f"{one.accuracy:5.2f}" if one.accuracy is not None else "    -"
    return (
        f"{name:34} {one.stated:6} {one.answered:8} {one.right:6} {shares[0]:>9} {shares[1]:>6} {accuracy:>8}"
    )


def table(comparisons: Sequence[Comparison]) -> str:
    """Figures and differences as text for a terminal."""

    lines = [
        f"{'field':34} {'stated':>6} {'answered':>8} {'right':>6} "
        f"{'precision':>9} {'recall':>6} {'accuracy':>8}"
    ]
    lines += [_line(one.name, one) for one in figures(comparisons)]
    for kind, found in figures_by_kind(comparisons).items():
        lines += ["", f"request on {kind}", *(_line(one.name, one) for one in found)]
    lines.append("")
    for comparison in comparisons:
        wrong = differences(comparison)
        if wrong or comparison.status != "complete":
            lines.append(f"{comparison.id} ({comparison.status})")
        lines += [f"    {one}" for one in wrong]
    bad = unsafe(comparisons)
    lines.append("")
    lines.append(
        f"{len(comparisons)} submissions; called `meets` and are not: {len(bad)} {' '.join(bad)}".rstrip()
    )
    return "\n".join(lines) + "\n"
