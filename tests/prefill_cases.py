"""Cases for the filled form: made ones of any kind for properties, and one to read like an example."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from hypothesis import strategies as st

from pipeline.catalog import Catalog
from pipeline.catalog.fields import FieldRule
from pipeline.domain import (
    Alternative,
    Assertion,
    Box,
    Case,
    CaseDocument,
    CaseFile,
    CasePage,
    Code,
    Completeness,
    Element,
    Evaluation,
    EvaluatorInfo,
    Evidence,
    Field,
    Maker,
    Met,
    Missing,
    Patient,
    Request,
    Requirement,
    Status,
)
from pipeline.settings import load_settings

SETTINGS = load_settings({})
CATALOG = Catalog(SETTINGS.models_dir)
POLICY = CATALOG.policies["cryosurgical-ablation"]
FILE = "fax.pdf"


def evidence(page: int = 1, *, extractor: str = "rule:test", top: float = 100.0) -> Evidence:
    """Words on a page, one line of them."""
    box = Box(72.0, top, 301.25, top + 12)
    return Evidence(
        FILE, page, "d1", 10, 20, "some words", (box,), None, Assertion.PRESENT, "text", extractor
    )


def found(value: str | bool, *codes: Code, page: int = 1, **more: Any) -> Field:
    """A field that stands."""
    given = {"confidence": 0.97, "evidence": (evidence(page),), "codes": codes, **more}
    return Field(value, Status.FOUND, code=codes[0] if codes else None, **given)


def conflicting(value: str, other: str) -> Field:
    """A field that the packet says in two ways."""
    alternative = Alternative(other, "conflicting", (evidence(2),))
    return Field(value, Status.CONFLICTING, 0.5, evidence=(evidence(1),), alternatives=(alternative,))


def case_of(findings: Mapping[str, Field] | None = None, **changes: Any) -> Case:
    """A case with these findings, all others not stated."""
    all_findings = {name: (findings or {}).get(name, Field()) for name in CATALOG.fields}
    given: dict[str, Any] = {
        "patient": Patient(found("Núñez, José"), found("1951-03-09"), found("ZXA 884120931")),
        "request": Request(
            cpt=(found("50593", Code("CPT", "50593")),), icd10=(found("C64.2", Code("ICD-10-CM", "C64.2")),)
        ),
        "completeness": _completeness(),
        "evaluation": Evaluation(
            EvaluatorInfo("embedded", "1.0", POLICY.ruleset),
            "needs_information",
            "I.C",
            missing=(Missing("treatment_plan.treatment_area", "The treatment area."),),
        ),
        **changes,
    }
    return Case(
        case_id="0123456789abcdef",
        status="complete",
        problems=(),
        policy=POLICY.ref,
        files=(CaseFile(FILE, "0" * 64, "application/pdf", 3),),
        pages=tuple(
            CasePage(FILE, number, "text", 0, False, None, 1.0, 612.0, 792.0) for number in (1, 2, 3)
        ),
        documents=(
            CaseDocument(
                "d1", FILE, "history_and_physical", "34117-2", "", 1, 3, 0.9, (1, 2, 3), text="x" * 99
            ),
        ),
        findings=all_findings,
        received=date(2026, 8, 6),
        made_by=Maker("0.1.0", "abcdef012345"),
        **given,
    )


def _completeness() -> Completeness:
    met, missing = Element(Met.MET, (evidence(2),)), Element(Met.MISSING)
    return Completeness(
        {
            "history_and_physical": Requirement("present", {"history": met, "physical_exam": met}, "d1"),
            "treatment_plan": Requirement("incomplete", {"procedure": met, "treatment_area": missing}, "d1"),
        }
    )


KIDNEY = {
    "procedure": found("cryoablation"),
    "tumor_site": found(
        "kidney",
        Code("ICD-O-3", "C64.9", "Kidney"),
        Code("ICD-10-CM", "C64.2", "Malignant neoplasm of left kidney, except renal pelvis"),
        Code("SNOMED CT", "64033007", "Kidney structure"),
    ),
    "laterality": found("left"),
    "origin": found("primary"),
    "behavior": found("malignant"),
    "histology": found("clear cell renal cell carcinoma", Code("ICD-O-3", "8310/3")),
    "t": found("T1A", basis="c"),
    "n": found("N0", basis="c"),
    "m": found("M0"),
    "stage_group": found("I", edition="8"),
    "derived_stage_group": found("I", edition="8"),
    "intent": found("curative"),
}

# --------------------------------------------------------------------------- any case

_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=30)


@st.composite
def _evidences(draw: st.DrawFn) -> tuple[Evidence, ...]:
    places = draw(st.lists(st.tuples(st.integers(1, 3), st.floats(20, 700)), min_size=1, max_size=3))
    person = draw(st.booleans())
    extractor = "person:nora" if person else "rule:test"
    return tuple(evidence(page, extractor=extractor, top=top) for page, top in places)


@st.composite
def fields(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> Field:
    """A field of any status, with evidence as a case has it; without boxes, now and then."""
    others = tuple(
        Alternative(draw(values), draw(st.sampled_from(["conflicting", "overridden", "historical"])), one)
        for one in draw(st.lists(_evidences(), max_size=2))
    )
    status = draw(st.sampled_from(list(Status)))
    if status in (Status.UNCERTAIN, Status.NOT_FOUND):
        return Field(status=status, alternatives=others)
    shown = draw(_evidences())
    if draw(st.integers(0, 9)) == 0:
        shown = tuple(Evidence(None, None, None, 0, 4, "text") for _ in shown)
    return Field(
        draw(values),
        status,
        draw(st.floats(0, 1)),
        evidence=shown,
        alternatives=others,
        basis=draw(st.sampled_from([None, "c", "p", "yp"])),
        edition=draw(st.sampled_from([None, "7", "8", "9"])),
    )


def _values(rule: FieldRule, name: str) -> st.SearchStrategy[Any]:
    if rule.kind == "choice":
        return st.sampled_from(rule.values)
    if rule.kind == "flag":
        return st.booleans()
    fact = CATALOG.facts.by_name.get(name)
    known = st.sampled_from(fact.values) if fact and fact.values else st.nothing()
    return known | _TEXT


_ELEMENTS = st.builds(
    lambda status, shown: Element(status, shown if status is Met.MET else ()),
    st.sampled_from(Met),
    _evidences(),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any case under the policy."""
    findings = {name: draw(fields(_values(rule, name))) for name, rule in CATALOG.fields.items()}
    days = st.dates(date(1920, 1, 1), date(2020, 1, 1)).map(lambda day: day.isoformat())
    documents = {
        required.name: Requirement("unclear", {name: draw(_ELEMENTS) for name in required.elements}, "d1")
        for required in POLICY.required_documents
    }
    return case_of(
        findings,
        patient=Patient(*(draw(fields(values)) for values in (_TEXT, days, _TEXT))),
        request=Request(
            cpt=tuple(draw(st.lists(fields(st.just("50593")), max_size=2))),
            icd10=tuple(draw(st.lists(fields(st.just("C64.2")), max_size=2))),
            expedited=draw(fields(st.booleans())),
            provider=draw(fields(_TEXT)),
            npi=draw(fields(st.just("1234567893"))),
        ),
        completeness=Completeness(documents),
    )
