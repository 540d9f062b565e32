"""The case on paper: the contract's shape, its schema, and faults told by their place."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from pipeline.case_json import case_schema, from_json, to_json
from pipeline.domain import (
    Alternative,
    Box,
    Case,
    CaseDocument,
    CaseFile,
    CasePage,
    Code,
    Completeness,
    CriterionResult,
    Element,
    Evaluation,
    EvaluatorInfo,
    Evidence,
    Field,
    IdentityConflict,
    Met,
    Missing,
    Patient,
    PolicyRef,
    Problem,
    Request,
    Requirement,
    Status,
)
from pipeline.errors import TriageError

WORDS = Evidence("fax.pdf", 1, "d1", 4, 15, "left kidney", (Box(72, 310.5, 301.25, 322),), section="plan")
FULL = Case(
    case_id="case-1",
    status="partial",
    problems=(Problem("fax.pdf", 2, "unreadable_page", "Page 2 cannot be read."),),
    policy=PolicyRef("cryosurgical-ablation", "2023-02-01"),
    files=(CaseFile("fax.pdf", "0" * 64, "application/pdf", 2),),
    pages=(CasePage("fax.pdf", 1, "ocr", 180, False, None, 0.94, 612, 792),),
    documents=(
        CaseDocument("d1", "fax.pdf", "treatment_plan", "18776-5", "Plan", 1, 1, 0.9, text="the left kidney"),
    ),
    patient=Patient(name=Field("Sample, Ada", Status.FOUND, 0.9, evidence=(WORDS,))),
    request=Request(cpt=(Field("50593", Status.FOUND, 1.0, evidence=(WORDS,)),)),
    findings={
        "tumor_site": Field("kidney", Status.FOUND, 0.97, Code("ICD-O-3", "C64.9", "Kidney"), (WORDS,)),
        "airway_obstruction": Field(
            True,
            Status.CONFLICTING,
            0.6,
            evidence=(WORDS,),
            alternatives=(Alternative(False, "other document"),),
        ),
        "behavior": Field(status=Status.UNCERTAIN),
        "stage_group": Field("IB", Status.FOUND, 0.8, evidence=(WORDS,), edition="8"),
        "t": Field("T2A", Status.FOUND, 0.8, evidence=(WORDS,), basis="yp"),
    },
    completeness=Completeness(
        {
            "treatment_plan": Requirement(
                "incomplete", {"treatment_area": Element(Met.UNCLEAR, (WORDS,))}, "d1"
            )
        },
        IdentityConflict(True, (WORDS,)),
    ),
    evaluation=Evaluation(
        EvaluatorInfo("embedded", "1.0", "cryosurgical-ablation@2023-02-01"),
        "needs_information",
        "I.C",
        (CriterionResult("I.C", "met", ("tumor_site",)),),
        (Missing("treatment_plan.treatment_area", "The treatment area."),),
    ),
)
PARKED = Case("case-2", "parked", (Problem("x.pdf", None, "encrypted", "Locked."),), None, ())


@pytest.mark.parametrize("case", [FULL, PARKED], ids=["full", "parked"])
def test_a_case_comes_back_as_it_was_written(case: Case) -> None:
    assert from_json(json.loads(json.dumps(to_json(case)))) == case


@pytest.mark.parametrize("case", [FULL, PARKED], ids=["full", "parked"])
def test_a_written_case_keeps_the_schema(case: Case) -> None:
    schema = case_schema()
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(json.dumps(to_json(case))))


def test_the_shape_is_the_contracts() -> None:
    data = to_json(FULL)
    assert list(data) == [
        "schema_version", "case_id", "status", "problems", "policy", "files", "pages", "documents", "patient",
        "request", "findings", "completeness", "evaluation", "received", "made_by", "information_request",
    ]  # fmt: skip
    assert data["schema_version"] == "1"
    assert data["information_request"] is None
    assert set(data["completeness"]) == {"treatment_plan", "identity_conflict"}
    assert data["completeness"]["treatment_plan"]["elements"]["treatment_area"]["status"] == "unclear"
    assert data["findings"]["tumor_site"]["code"] == {
        "system": "ICD-O-3",
        "code": "C64.9",
        "display": "Kidney",
    }
    assert data["findings"]["airway_obstruction"]["value"] is True
    assert data["findings"]["behavior"]["value"] is None
    assert data["findings"]["t"]["evidence"][0]["boxes"] == [[72.0, 310.5, 301.25, 322.0]]
    assert data["evaluation"]["criteria"][0]["because"] == ["tumor_site"]
    assert to_json(PARKED)["evaluation"] is None


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("status",), "finished", "status"),
        (("findings", "tumor_site", "status"), "Sample, Ada", "findings.tumor_site.status"),
        (("findings", "tumor_site", "evidence"), [], "findings.tumor_site"),
        (("findings", "behavior", "value"), "malignant", "findings.behavior"),
        (("findings", "t", "evidence", 0, "assertion"), "perhaps", "findings.t.evidence.0.assertion"),
        (("completeness", "treatment_plan", "status"), "there", "completeness.treatment_plan.status"),
        (("completeness", "identity_conflict"), "no", "completeness.identity_conflict"),
        (("pages", 0, "page"), "one", "pages.0.page"),
        (("evaluation", "outcome"), "denied", "evaluation.outcome"),
    ],
)
def test_a_fault_is_told_by_its_path_and_never_quoted(path: tuple[Any, ...], value: Any, told: str) -> None:
    data = copy.deepcopy(to_json(FULL))
    inner = data
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(TriageError) as caught:
        from_json(data)
    assert f"{told}: " in str(caught.value)
    for secret in ("Sample", "Ada", "left kidney"):
        assert secret not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("data", [None, [], "case", {}, {"schema_version": "2"}, {"schema_version": "1"}])
def test_what_is_no_case_is_refused(data: Any) -> None:
    with pytest.raises(TriageError):
        from_json(data)


def test_additional_keys_are_passed_over() -> None:
    data = to_json(FULL)
    data["findings"]["tumor_site"]["colour"] = "blue"
    assert from_json({**data, "later": 1}) == FULL


def test_the_schema_refuses_a_misspelt_status() -> None:
    data = to_json(FULL)
    data["completeness"]["treatment_plan"]["status"] = "there"
    with pytest.raises(ValidationError):
        Draft202012Validator(case_schema()).validate(data)
