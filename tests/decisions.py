"""The decision table of fixtures/decisions/ and the cases that its rows describe.

A row's facts are written `tumor_site=lung; stage_group=IIA@7; behavior=malignant|benign; origin=?`:
`@` gives the edition, `|` parts values that conflict, `?` is uncertain, `none` is not found. Where the
row does not say otherwise the procedure is cryoablation and both required documents are present. A
criterion that `results` does not name is not met.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain import (
    NOT_FOUND,
    Alternative,
    Case,
    Completeness,
    Element,
    Evidence,
    Field,
    IdentityConflict,
    Met,
    PolicyRef,
    Request,
    Requirement,
    Status,
)

TABLES = Path(__file__).parent.parent / "fixtures" / "decisions"
POLICY = PolicyRef("cryosurgical-ablation", "2023-02-01")
_DOCUMENTS = {"hp": "history_and_physical", "plan": "treatment_plan"}
_ELEMENTS = {
    "history_and_physical": ("history", "physical_exam"),
    "treatment_plan": ("procedure", "treatment_area"),
}


@dataclass(frozen=True)
class Decision:
    """One row: what is documented, and what follows from it by the policy."""

    name: str
    section: str
    case: Case
    outcome: str
    criterion: str | None
    results: Mapping[str, str]


def decisions() -> Iterator[Decision]:
    for path in sorted(TABLES.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                yield Decision(
                    name=f"{path.stem}:{number}",
                    section=row["section"],
                    case=case_of(row["facts"], row["documents"]),
                    outcome=row["outcome"],
                    criterion=row["criterion"] or None,
                    results=dict(result.split("=") for result in row["results"].split()),
                )


def case_of(facts: str = "", documents: str = "", *, policy: PolicyRef | None = POLICY) -> Case:
    """A case in which the named facts are documented."""
    told = {"procedure": "cryoablation", **_pairs(facts, ";")}
    cpt = told.pop("cpt", "")
    states = {"hp": "present", "plan": "present", "identity": "false", **_pairs(documents, " ")}
    return Case(
        case_id="case-1",
        status="complete",
        problems=(),
        policy=policy,
        files=(),
        request=Request(cpt=tuple(field_of(code) for code in cpt.split())),
        findings={name: field_of(value) for name, value in told.items()},
        completeness=Completeness(
            {
                name: requirement_of(states[short], _ELEMENTS[name])
                for short, name in _DOCUMENTS.items()
                if states[short] != "none"
            },
            IdentityConflict(states["identity"] == "true"),
        ),
    )


def field_of(text: str) -> Field:
    """A field as the table writes it."""
    if text == "none":
        return NOT_FOUND
    if text == "?":
        return Field(status=Status.UNCERTAIN)
    value, *others = (_value(part) for part in text.split("|"))
    value, _, edition = value.partition("@") if isinstance(value, str) else (value, "", "")
    return Field(
        value,
        Status.CONFLICTING if others else Status.FOUND,
        confidence=0.9,
        evidence=(evidence(),),
        alternatives=tuple(Alternative(other, "conflicting", (evidence(),)) for other in others),
        edition=edition or None,
    )


def evidence(page: int = 1, quote: str = "words") -> Evidence:
    return Evidence("packet.pdf", page, "d1", 0, len(quote), quote)


def requirement_of(status: str, elements: tuple[str, ...]) -> Requirement:
    first, last = elements
    found = {
        "present": {first: Met.MET, last: Met.MET},
        "incomplete": {first: Met.MET, last: Met.MISSING},
        "unclear": {first: Met.MET, last: Met.UNCLEAR},
        "missing": {},
    }[status]
    return Requirement(status, {name: Element(met) for name, met in found.items()}, "d1")  # type: ignore[arg-type]


def _pairs(text: str, separator: str) -> dict[str, str]:
    parts = (part.strip() for part in text.split(separator))
    return dict(part.split("=", 1) for part in parts if part)


def _value(text: str) -> str | bool:
    return {"true": True, "false": False}.get(text, text)
