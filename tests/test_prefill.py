"""The filled form: what it asks, what it answers, whose answers they are."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from prefill_cases import CATALOG, KIDNEY, POLICY, SETTINGS, case_of, cases, conflicting, evidence, found

from pipeline.catalog.digest import knowledge_digest
from pipeline.domain import Alternative, Case, Field, Maker, Met, Status
from pipeline.errors import UsageError
from pipeline.fhir import check_resource, written
from pipeline.prefill import (
    By,
    Form,
    Source,
    Touch,
    asked_of,
    form_of,
    questionnaire,
    questionnaire_response,
)

AT = datetime(2026, 8, 7, 9, 30, tzinfo=UTC)
ORIGIN = "http://hl7.org/fhir/us/davinci-dtr/StructureDefinition/information-origin"
OURS = "https://payer.example.org/fhir/StructureDefinition"
POLICIES = [policy for versions in CATALOG.policies.versions.values() for policy in versions]


def response(form: Form) -> dict[str, Any]:
    return questionnaire_response(form, CATALOG, at=AT)


def items(resource: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The items that ask something, by link id."""
    return {item["linkId"]: item for group in resource["item"] for item in group["item"]}


def parts(element: dict[str, Any], url: str) -> list[dict[str, Any]]:
    return [one for one in element.get("extension", ()) if one["url"] == url]


def origin(answer: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """(source, the parts of the author)."""
    [found_] = parts(answer, ORIGIN)
    [source] = parts(found_, "source")
    author = parts(found_, "author")
    return source["valueCode"], author[0]["extension"] if author else []


# --------------------------------------------------------------------------- what is asked


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.ruleset)
def test_every_policy_has_a_questionnaire(policy: Any) -> None:
    resource = questionnaire(policy, CATALOG)
    assert check_resource(resource, CATALOG.profiles) == []
    text = written(resource)
    assert written(json.loads(text)) == text
    assert json.loads(text) == resource
    assert (resource["url"], resource["version"]) == (
        f"{CATALOG.prefill.canonical}/Questionnaire/{policy.id}",
        policy.version,
    )
    link_ids = list(items(resource))
    assert len(link_ids) == len(set(link_ids))
    assert {f"findings.{name}" for name in CATALOG.fields} <= set(link_ids)
    asked_elements = {
        f"elements.{one.name}.{name}" for one in policy.required_documents for name in one.elements
    }
    assert {name for name in link_ids if name.startswith("elements.")} == asked_elements


def test_the_policy_says_which_findings_it_turns_on() -> None:
    groups = {
        policy.id: {
            group.link_id: [one.link_id for one in group.questions]
            for group in asked_of(policy, CATALOG).groups
        }
        for policy in POLICIES
    }
    kidney = groups["cryosurgical-ablation"]
    assert {"findings.lung_type", "findings.airway_obstruction"} <= set(kidney["findings"])
    assert "findings.laterality" in kidney["other_findings"]
    bones = groups["example-bone-metastasis"]
    assert "findings.lung_type" in bones["other_findings"]
    assert "findings.primary_site" in bones["findings"]


def test_a_question_offers_what_the_knowledge_lists() -> None:
    found_ = items(questionnaire(POLICY, CATALOG))
    intent = [one["valueCoding"]["code"] for one in found_["findings.intent"]["answerOption"]]
    assert intent == list(CATALOG.fields["intent"].values)
    assert found_["findings.t"]["type"] == "open-choice"
    assert found_["findings.airway_obstruction"]["type"] == "boolean"
    assert found_["findings.derived_stage_group"]["readOnly"] is True
    assert found_["request.cpt"]["answerValueSet"] == "#cpt"


# --------------------------------------------------------------------------- any case


@settings(max_examples=12)
@given(case=cases())
def test_any_case_gives_a_valid_response_that_guesses_nothing(case: Case) -> None:
    form = form_of(case, CATALOG)
    resource = response(form)
    assert check_resource(resource, CATALOG.profiles) == []
    text = written(resource)
    assert written(json.loads(text)) == text
    assert json.loads(text) == resource
    for item in items(resource).values():
        if "answer" not in item:
            assert parts(item, "http://hl7.org/fhir/StructureDefinition/data-absent-reason")
            assert parts(item, f"{OURS}/answer-status")
        for answer in item.get("answer", ()):
            source, author = origin(answer)
            assert bool(author) == (source != "auto-server")  # dtrx-1
            if source == "auto-server":
                places = [one for one in parts(answer, f"{OURS}/evidence") if parts(one, "page")]
                assert any(parts(place, "box") for place in places)


@settings(max_examples=25)
@given(case=cases())
def test_only_what_stands_is_an_answer(case: Case) -> None:
    form = form_of(case, CATALOG)
    for name, field in case.findings.items():
        [answer] = form.of(f"findings.{name}")
        if field.status is not Status.FOUND:
            assert answer.value is None
            assert answer.status == field.status.value
        elif answer.value is not None:
            assert (answer.value, answer.evidence) == (field.value, field.evidence)
        else:
            assert not any(one.boxes for one in field.evidence)


def test_evidence_is_the_cases_own() -> None:
    case = case_of(KIDNEY)
    [answer] = items(response(form_of(case, CATALOG)))["findings.tumor_site"]["answer"]
    [place] = parts(answer, f"{OURS}/evidence")
    said = {
        part["url"]: next(v for k, v in part.items() if k.startswith("value"))
        for part in place["extension"]
        if part["url"] != "box"
    }
    assert said == {
        "file": "fax.pdf",
        "page": 1,
        "document": "d1",
        "start": 10,
        "end": 20,
        "assertion": "present",
        "source": "text",
    }
    [box] = parts(place, "box")
    assert [edge["valueDecimal"] for edge in box["extension"]] == [72.0, 100.0, 301.25, 112.0]
    assert answer["valueCoding"] == {
        "system": "https://payer.example.org/fhir/CodeSystem/tumor-site",
        "code": "kidney",
        "display": "kidney",
    }
    codes = [one["valueCoding"]["code"] for one in parts(answer, f"{OURS}/code")]
    assert codes == ["C64.9", "C64.2", "64033007"]


# --------------------------------------------------------------------------- no answer


def test_a_conflict_has_no_answer_and_shows_both_sides() -> None:
    item = items(response(form_of(case_of({"laterality": conflicting("left", "right")}), CATALOG)))[
        "findings.laterality"
    ]
    assert "answer" not in item
    [status] = parts(item, f"{OURS}/answer-status")
    assert status["valueCode"] == "conflicting"
    sides = parts(item, f"{OURS}/candidate")
    assert [parts(one, "value")[0]["valueCoding"]["code"] for one in sides] == ["left", "right"]
    assert [parts(parts(one, f"{OURS}/evidence")[0], "page")[0]["valuePositiveInt"] for one in sides] == [
        1,
        2,
    ]


def test_what_is_missing_is_not_answered_with_no() -> None:
    found_ = items(response(form_of(case_of(KIDNEY), CATALOG)))
    area = found_["elements.treatment_plan.treatment_area"]
    assert "answer" not in area
    assert parts(area, f"{OURS}/answer-status")[0]["valueCode"] == "missing"
    assert found_["elements.treatment_plan.procedure"]["answer"][0]["valueBoolean"] is True


def test_who_is_not_known_is_said_to_be_absent() -> None:
    nobody = case_of(KIDNEY)
    nobody = replace(nobody, patient=replace(nobody.patient, name=Field(), member_id=Field(), dob=Field()))
    resource = response(form_of(nobody, CATALOG))
    assert check_resource(resource, CATALOG.profiles) == []
    [patient] = [one for one in resource["contained"] if one["resourceType"] == "Patient"]
    absent = [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
    assert patient["name"] == [{"extension": absent}]
    assert patient["identifier"][0]["_value"] == {"extension": absent}
    assert "birthDate" not in patient
    assert resource["extension"][0]["valueReference"] == {"extension": absent, "type": "Coverage"}


def test_a_case_without_a_policy_has_no_form() -> None:
    with pytest.raises(UsageError, match="no policy"):
        form_of(replace(case_of(), policy=None), CATALOG)


# --------------------------------------------------------------------------- whose answer it is

NORA = By("nora", "reviewer", AT)


@pytest.mark.parametrize(
    ("touch", "source", "author"),
    [
        (None, "auto-server", []),
        (Touch(confirmed=NORA), "auto-server", []),
        (Touch(changed=NORA, replaced=True), "override", ["reviewer", "nora"]),
        (Touch(changed=NORA), "manual", ["reviewer", "nora"]),
    ],
)
def test_an_answer_says_where_it_comes_from(touch: Touch | None, source: str, author: list[str]) -> None:
    form = form_of(case_of(KIDNEY), CATALOG, {"findings.intent": touch} if touch else {})
    [answer] = items(response(form))["findings.intent"]["answer"]
    said, by = origin(answer)
    assert said == source
    assert [
        part["valueCodeableConcept"]["coding"][0]["code"]
        if part["url"] == "role"
        else part["valueReference"]["identifier"]["value"]
        for part in by
    ] == author
    confirmed = parts(answer, f"{OURS}/confirmed")
    assert bool(confirmed) == (touch is not None and touch.confirmed is not None)


def test_a_case_alone_shows_what_a_person_gave() -> None:
    marked = evidence(3, extractor="person:nora")
    before = Alternative("palliative", "overridden", (evidence(1),))
    changed = replace(found("curative"), evidence=(marked,), alternatives=(before,))
    entered = replace(found("left"), evidence=(marked,))
    form = form_of(case_of({"intent": changed, "laterality": entered}), CATALOG)
    assert [form.of(f"findings.{name}")[0].source for name in ("intent", "laterality")] == [
        Source.OVERRIDE,
        Source.MANUAL,
    ]
    assert form.of("findings.intent")[0].author == By("nora")


def test_an_element_that_a_person_calls_missing_is_answered_with_no() -> None:
    form = form_of(case_of(KIDNEY), CATALOG, {"elements.treatment_plan.treatment_area": Touch(changed=NORA)})
    [answer] = form.of("elements.treatment_plan.treatment_area")
    assert (answer.value, answer.status, answer.source) == (False, Met.MISSING.value, Source.MANUAL)
    assert check_resource(response(form), CATALOG.profiles) == []


def test_codes_follow_a_corrected_side_and_site() -> None:
    marked = (evidence(3, extractor="person:nora"),)
    other_side = case_of({**KIDNEY, "laterality": replace(found("right"), evidence=marked)})
    codes = {one.system: one.code for one in form_of(other_side, CATALOG).of("findings.tumor_site")[0].codes}
    assert codes == {"ICD-O-3": "C64.9", "ICD-10-CM": "C64.1", "SNOMED CT": "64033007"}
    other_site = case_of({**KIDNEY, "tumor_site": replace(found("lung"), evidence=marked)})
    codes = {one.system: one.code for one in form_of(other_site, CATALOG).of("findings.tumor_site")[0].codes}
    assert codes == {"ICD-O-3": "C34.9", "ICD-10-CM": "C34.92", "SNOMED CT": "39607008"}
    untouched = form_of(case_of(KIDNEY), CATALOG).of("findings.tumor_site")[0].codes
    assert untouched == KIDNEY["tumor_site"].codes


def test_a_case_says_what_made_it() -> None:
    assert Maker("0.1.0", "abcdef012345").name == "0.1.0+abcdef012345"


@pytest.mark.parametrize(
    ("edited", "another"),
    [
        ("sites.toml", True),
        ("policies/cryosurgical-ablation/2023-02-01/policy.toml", True),
        ("new.toml", True),
        ("letters/plan.toml", False),
        ("fhir/mcode.toml", False),
        (".sites.toml.swp", False),
    ],
)
def test_another_knowledge_has_another_digest(edited: str, another: bool, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        shutil.copytree(SETTINGS.models_dir, folder, ignore=shutil.ignore_patterns("ner"))
    with (there / edited).open("a", encoding="utf-8") as file:
        file.write("# one more line\n")
    assert (knowledge_digest(here) != knowledge_digest(there)) is another
