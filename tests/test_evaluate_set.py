"""The comparison itself: what counts as right, what as a difference, what as unsafe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UsageError
from pipeline.evaluate_set import (
    Expectation,
    compare,
    expectations_in,
    figures,
    figures_by_kind,
    report,
    request_paper,
    table,
    unsafe,
)

TRUTH: dict[str, Any] = {
    "documents": [{"file": "a.pdf", "type": "consultation", "first_page": 1, "last_page": 2}],
    "patient": {"name": "Sample, Ann", "dob": "1950-01-02", "member_id": "ABC 12"},
    "request": {"cpt": ["50593"], "icd10": ["C64.1", "N18.31"]},
    "findings": {
        "tumor_site": "kidney",
        "histology": "clear cell renal cell carcinoma",
        "t": "T1a",
        "m": None,
    },
    "completeness": {"history_and_physical": "present", "identity_conflict": False},
    "policy": {"criterion": "I.C", "outcome": "meets"},
}


def field(value: Any) -> dict[str, Any]:
    return {"value": value}


def case(**changes: Any) -> dict[str, Any]:
    """A case that is right in everything, with `changes` to its findings or its outcome."""
    findings = {
        "tumor_site": "kidney",
        "histology": "renal cell carcinoma, clear cell",
        "t": "T1A",
        "m": None,
    }
    return {
        "status": "complete",
        "documents": [{"file": "a.pdf", "type": "consultation", "first_page": 1, "last_page": 2}],
        "patient": {"name": field("Sample, Ann"), "dob": field("1950-01-02"), "member_id": field("ABC12")},
        "request": {"cpt": [field("50593")], "icd10": [field("C64.1"), field("N18.31")]},
        "findings": {name: field(changes.get(name, value)) for name, value in findings.items()},
        "completeness": {
            "history_and_physical": {"status": "present"},
            "identity_conflict": {"value": False},
        },
        "evaluation": {"outcome": changes.get("outcome", "meets"), "criterion": "I.C"},
    }


def wrong(answer: dict[str, Any], truth: dict[str, Any] = TRUTH) -> dict[str, tuple[Any, Any]]:
    rows = compare(answer, Expectation(Path("x"), truth)).rows
    return {row.name: (row.expected, row.answered) for row in rows if not row.right}


def test_case_that_is_right_has_no_difference() -> None:
    assert wrong(case()) == {}


@pytest.mark.parametrize(
    ("name", "answered"),
    [
        ("t", "T1B"),
        ("t", None),
        ("tumor_site", "lung"),
        ("m", "M0"),
        ("histology", "squamous cell carcinoma"),
    ],
)
def test_wrong_silent_and_spurious_answers_are_differences(name: str, answered: str | None) -> None:
    expected = TRUTH["findings"][name]
    changed = case()
    changed["findings"][name] = field(answered)
    assert wrong(changed) == {f"findings.{name}": (expected, answered)}


def test_document_with_right_pages_and_wrong_type_is_half_right() -> None:
    changed = case()
    changed["documents"][0]["type"] = "progress_note"
    assert wrong(changed) == {"documents.types": ("consultation", "progress_note")}


def test_document_that_is_not_there_is_a_difference() -> None:
    changed = case()
    changed["documents"].append({"file": "a.pdf", "type": "other", "first_page": 3, "last_page": 3})
    assert wrong(changed) == {"documents.pages": (None, "pages 3-3")}


def test_codes_are_compared_one_by_one() -> None:
    changed = case()
    changed["request"]["icd10"] = [field("C64.1"), field("C64.2")]
    comparison = compare(changed, Expectation(Path("x"), TRUTH))
    codes = {
        (row.expected, row.answered): row.right for row in comparison.rows if row.name == "request.icd10"
    }
    assert codes == {("C64.1", "C64.1"): True, ("N18.31", None): False, (None, "C64.2"): False}


def test_a_code_without_a_value_is_no_answer() -> None:
    changed = case()
    changed["request"]["cpt"] = [field(None)]
    assert wrong(changed) == {"request.cpt": ("50593", None)}


def test_patient_and_request_are_counted_by_how_the_paper_came() -> None:
    misread = case()
    misread["request"]["cpt"] = [field("50592")]
    truth = Expectation(Path("x"), TRUTH)
    comparisons = [
        compare(case(), truth, "digital"),
        compare(misread, truth, "fine fax"),
        compare(case(), truth),
    ]
    by_kind = figures_by_kind(comparisons)
    assert list(by_kind) == ["digital", "fine fax"]
    together, *fields = by_kind["fine fax"]
    assert (together.stated, together.answered, together.right) == (6, 6, 5)
    assert {one.name for one in fields} == {
        "patient.name",
        "patient.dob",
        "patient.member_id",
        "request.cpt",
        "request.icd10",
    }
    assert by_kind["digital"][0].precision == 1.0
    assert "request on fine fax" in table(comparisons)
    assert list(report(comparisons)["patient_and_request_by_kind"]) == ["digital", "fine fax"]


def test_the_paper_that_states_the_request() -> None:
    cover = {"file": "a.pdf", "type": "fax_cover", "first_page": 1, "last_page": 1}
    form = {"file": "a.pdf", "type": "pa_request_form", "first_page": 2, "last_page": 2}
    assert request_paper({"documents": [cover, form]}) == ("a.pdf", 2)
    assert request_paper({"documents": [cover]}) == ("a.pdf", 1)
    assert request_paper({}) is None


def test_only_a_wrong_meets_is_unsafe() -> None:
    needing = TRUTH | {"policy": {"criterion": "I.C", "outcome": "needs_information"}}
    overcalled = compare(case(), Expectation(Path("overcalled"), needing))
    undercalled = compare(case(outcome="needs_information"), Expectation(Path("undercalled"), TRUTH))
    assert unsafe([overcalled, undercalled]) == ["overcalled"]


def test_figures_count_precision_recall_and_right_silence() -> None:
    truths = [TRUTH, TRUTH, TRUTH | {"findings": {"t": None}}, TRUTH | {"findings": {"t": None}}]
    cases = [case(), case(t="T3"), case(), case()]
    cases[3]["findings"]["t"] = field(None)
    comparisons = [
        compare(one, Expectation(Path("x"), truth)) for one, truth in zip(cases, truths, strict=True)
    ]
    t = next(one for one in figures(comparisons) if one.name == "findings.t")
    assert (t.rows, t.stated, t.answered, t.right, t.silent) == (4, 2, 3, 1, 1)
    assert (t.precision, t.recall, t.accuracy) == (1 / 3, 1 / 2, 2 / 4)
    assert report(comparisons)["submissions"] == 4
    assert "findings.t" in table(comparisons)


def test_folder_without_expectations_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        expectations_in(tmp_path)


def test_expectations_are_found_beside_their_files(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "expected.json").write_text(json.dumps(TRUTH))
    assert [one.folder.name for one in expectations_in(tmp_path)] == ["one"]
