"""The form as rows: columns, signs that a spreadsheet would run, and no names of people."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from prefill_cases import CATALOG, KIDNEY, case_of, conflicting, evidence, found

from pipeline.domain import Case
from pipeline.prefill import COLUMNS, By, Row, Touch, Touches, csv_text, form_of, rows_as_json, rows_of


def rows(case: Case, touches: Touches | None = None) -> dict[str, Row]:
    return {row.field: row for row in rows_of(form_of(case, CATALOG, touches))}


def table(case: Case) -> dict[str, dict[str, str]]:
    """The CSV read back, by field."""
    text = csv_text(rows_of(form_of(case, CATALOG)))
    return {row["field"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}


def test_a_row_says_value_code_place_and_version() -> None:
    row = table(case_of(KIDNEY))["findings.tumor_site"]
    assert list(row) == list(COLUMNS)
    assert row == {
        "case_id": "0123456789abcdef",
        "field": "findings.tumor_site",
        "value": "kidney",
        "status": "found",
        "candidates": "",
        "code_system": "ICD-O-3",
        "code": "C64.9",
        "confidence": "0.97",
        "origin": "auto-server",
        "corrected_by": "",
        "confirmed_by": "",
        "file": "fax.pdf",
        "page": "1",
        "boxes": "72.00 100.00 301.25 112.00",
        "policy": "cryosurgical-ablation@2023-02-01",
        "model_version": "0.1.0+abcdef012345",
    }


def test_what_is_silent_or_contradictory_has_a_row_without_a_value() -> None:
    found_ = table(case_of({"laterality": conflicting("left", "right")}))
    assert (found_["findings.laterality"]["value"], found_["findings.laterality"]["candidates"]) == (
        "",
        "left; right",
    )
    assert found_["findings.laterality"]["status"] == "conflicting"
    assert (found_["findings.laterality"]["page"], found_["findings.laterality"]["boxes"]) == ("", "")
    silent = found_["findings.intent"]
    assert (silent["value"], silent["status"], silent["origin"], silent["page"]) == ("", "not_found", "", "")


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\uff1d"])
def test_no_cell_is_a_formula(sign: str) -> None:
    bad = f"{sign}HYPERLINK(0)"
    cell = table(case_of({"treatment_area": found(bad)}))["findings.treatment_area"]["value"]
    assert cell == f"'{bad}"
    plain = table(case_of({"treatment_area": found(f"a {bad}")}))["findings.treatment_area"]["value"]
    assert plain == f"a {bad}"


def test_quotes_commas_and_accents_come_back() -> None:
    area = 'left kidney, "lower pole", Zürich'
    assert table(case_of({"treatment_area": found(area)}))["findings.treatment_area"]["value"] == area


def test_json_has_types_and_all_evidence() -> None:
    [row] = [
        one
        for one in rows_as_json(rows_of(form_of(case_of({"airway_obstruction": found(False)}), CATALOG)))
        if one["field"] == "findings.airway_obstruction"
    ]
    assert json.loads(json.dumps(row)) == row
    assert (row["value"], row["confidence"], row["page"], row["code"]) == (False, 0.97, 1, None)
    assert row["boxes"] == [[72.0, 100.0, 301.25, 112.0]]
    assert row["evidence"][0]["quote"] == "some words"


def test_roles_stand_for_people() -> None:
    marked = (evidence(3, extractor="person:nora.k"),)
    case = case_of({**KIDNEY, "intent": replace(found("palliative"), evidence=marked)})
    nora = By("nora.k", "reviewer")
    touches = {
        "findings.intent": Touch(changed=nora, replaced=True),
        "findings.t": Touch(confirmed=nora),
        "findings.n": Touch(rejected=nora),
    }
    found_ = rows(case, touches)
    assert (found_["findings.intent"].origin, found_["findings.intent"].corrected_by) == (
        "override",
        "reviewer",
    )
    assert (found_["findings.t"].origin, found_["findings.t"].confirmed_by) == ("auto-server", "reviewer")
    assert found_["findings.n"].corrected_by == "reviewer"
    told = csv_text(found_.values()) + json.dumps(rows_as_json(found_.values()))
    assert "nora" not in told
    alone = rows(case)["findings.intent"]
    assert (alone.corrected_by, alone.evidence[0].extractor) == ("person", "person")


def test_every_question_has_a_row() -> None:
    form = form_of(case_of(KIDNEY), CATALOG)
    assert [row.field for row in rows_of(form)] == [question.link_id for question in form.asked]
