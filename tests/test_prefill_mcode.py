"""What is found of the tumour as mCODE: only what stands, with the words that show it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from prefill_cases import CATALOG, KIDNEY, case_of, cases, conflicting, found

from pipeline.domain import Case, Code, Field, Request
from pipeline.fhir import check_resource, written
from pipeline.prefill import By, Touch, Touches, form_of, mcode_bundle

AT = datetime(2026, 8, 7, 9, 30, tzinfo=UTC)
MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition"
SITE = Code("ICD-O-3", "C41.9", "Bone"), Code("ICD-10-CM", "C79.51", "Secondary malignant neoplasm of bone")
METASTASIS = {
    **KIDNEY,
    "tumor_site": found("bone", *SITE),
    "origin": found("metastatic"),
    "primary_site": found("kidney", Code("ICD-O-3", "C64.9", "Kidney")),
}


def bundle(case: Case, touches: Touches | None = None) -> dict[str, Any]:
    """The valid bundle of a case."""
    resource = mcode_bundle(form_of(case, CATALOG, touches), CATALOG, at=AT)
    assert check_resource(resource, CATALOG.profiles) == []
    return resource


def of(resource: dict[str, Any], kind: str, profile: str = "") -> list[dict[str, Any]]:
    """The resources of a kind and profile."""
    return [
        one["resource"]
        for one in resource["entry"]
        if one["resource"]["resourceType"] == kind
        and (not profile or one["resource"]["meta"]["profile"] == [f"{MCODE}/{profile}"])
    ]


def codes(concept: dict[str, Any]) -> list[str]:
    return [one["code"] for one in concept.get("coding", ())]


def extension(resource: dict[str, Any], name: str) -> dict[str, Any] | None:
    found_ = [one for one in resource.get("extension", ()) if one["url"].endswith(f"/{name}")]
    return found_[0]["valueCodeableConcept"] if found_ else None


@settings(max_examples=15)
@given(case=cases())
def test_any_case_gives_a_valid_bundle_whose_references_resolve(case: Case) -> None:
    resource = bundle(case)
    text = written(resource)
    assert written(json.loads(text)) == text
    assert json.loads(text) == resource
    urls = [one["fullUrl"] for one in resource["entry"]]
    assert len(urls) == len(set(urls))
    assert set(_references(resource)) <= set(urls)
    shown = {one["target"][0]["reference"] for one in of(resource, "Provenance")}
    rest = {
        one["fullUrl"]
        for one in resource["entry"]
        if one["resource"]["resourceType"] not in ("Provenance", "Patient")
    }
    assert rest <= shown


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["reference"]] if isinstance(value.get("reference"), str) else []
        return own + [one for part in value.values() for one in _references(part)]
    return [one for part in value for one in _references(part)] if isinstance(value, list) else []


def test_a_primary_cancer_with_its_side_histology_and_stage() -> None:
    resource = bundle(case_of(KIDNEY))
    [condition] = of(resource, "Condition")
    assert condition["meta"]["profile"] == [f"{MCODE}/mcode-primary-cancer-condition"]
    assert codes(condition["code"]) == ["363346000", "C64.2"]
    histology = extension(condition, "mcode-histology-morphology-behavior")
    assert histology is not None
    assert (codes(histology), histology["text"]) == (["8310/3"], "clear cell renal cell carcinoma")
    [site] = condition["bodySite"]
    assert codes(site) == ["C64.9", "64033007"]
    side = extension(site, "mcode-laterality-qualifier")
    assert side is not None
    assert codes(side) == ["7771000"]
    [group] = of(resource, "Observation", "mcode-tnm-stage-group")
    assert codes(group["valueCodeableConcept"]) == ["1222723001"]
    assert codes(group["method"]) == ["897275008"]
    assert len(group["hasMember"]) == 3
    [t] = of(resource, "Observation", "mcode-tnm-primary-tumor-category")
    assert (codes(t["code"]), codes(t["valueCodeableConcept"])) == (["399504009"], ["1228892002"])
    [m] = of(resource, "Observation", "mcode-tnm-distant-metastases-category")
    assert (codes(m["code"]), codes(m["valueCodeableConcept"])) == (["277208005"], [])  # no prefix is stated
    assert m["valueCodeableConcept"]["text"] == "M0"


def test_a_stage_without_an_edition_names_no_method_and_a_derived_one_is_none() -> None:
    [group] = of(
        bundle(case_of({**KIDNEY, "stage_group": found("I")})), "Observation", "mcode-tnm-stage-group"
    )
    assert "coding" not in group["method"]
    assert group["method"]["extension"][0]["valueCode"] == "unknown"
    resource = bundle(case_of({**KIDNEY, "stage_group": Field()}))
    assert of(resource, "Observation", "mcode-tnm-stage-group") == []
    assert len(of(resource, "Observation")) == 3


def test_a_metastasis_leads_to_its_primary() -> None:
    resource = bundle(case_of(METASTASIS))
    [primary] = of(resource, "Condition", "mcode-primary-cancer-condition")
    [secondary] = of(resource, "Condition", "mcode-secondary-cancer-condition")
    assert codes(secondary["code"]) == ["128462008", "C79.51"]
    related = [one for one in secondary["extension"] if one["url"].endswith("/condition-related")]
    [entry] = [one for one in resource["entry"] if one["resource"] is primary]
    assert related[0]["valueReference"] == {"reference": entry["fullUrl"]}
    assert codes(primary["bodySite"][0]) == ["C64.9"]
    assert "extension" not in primary["bodySite"][0]  # the side is the metastasis's
    assert extension(primary, "mcode-histology-morphology-behavior") is not None
    assert extension(secondary, "mcode-histology-morphology-behavior") is None  # 8310/3 is of the primary
    assert all(one["focus"] == [{"reference": entry["fullUrl"]}] for one in of(resource, "Observation"))


def test_a_metastasis_of_an_unknown_primary_stands_alone_and_unstaged() -> None:
    resource = bundle(case_of({**METASTASIS, "primary_site": Field()}))
    assert [one["meta"]["profile"] for one in of(resource, "Condition")] == [
        [f"{MCODE}/mcode-secondary-cancer-condition"]
    ]
    assert of(resource, "Observation") == []


@pytest.mark.parametrize(
    ("changes", "disorder"),
    [
        ({}, ["363346000", "C64.2"]),
        ({"origin": Field()}, ["363346000", "C64.2"]),
        (
            {"behavior": found("uncertain"), "histology": found("x", Code("ICD-O-3", "8140/1"))},
            ["55342001", "C64.2"],
        ),
        (
            {"behavior": found("premalignant"), "histology": found("x", Code("ICD-O-3", "8070/2"))},
            ["55342001", "C64.2"],
        ),
        ({"behavior": found("benign"), "histology": found("oncocytoma", Code("ICD-O-3", "8290/0"))}, None),
        ({"behavior": found("benign")}, None),  # whatever the morphology says
        ({"behavior": Field(), "histology": Field()}, None),
        ({"behavior": conflicting("malignant", "benign"), "histology": Field()}, None),
        ({"tumor_site": Field()}, None),
    ],
)
def test_what_counts_as_a_cancer(changes: dict[str, Field], disorder: list[str] | None) -> None:
    found_ = of(bundle(case_of({**KIDNEY, **changes})), "Condition")
    assert [codes(one["code"]) for one in found_] == ([disorder] if disorder else [])


def test_the_procedure_is_asked_for_and_not_done() -> None:
    resource = bundle(case_of(KIDNEY))
    assert of(resource, "Procedure") == []
    [request] = of(resource, "ServiceRequest")
    assert (request["status"], request["intent"]) == ("unknown", "plan")
    assert codes(request["code"]) == ["50593"]
    intent = extension(request, "mcode-procedure-intent")
    assert intent is not None
    assert codes(intent) == ["373808002"]
    palliative = of(bundle(case_of({**KIDNEY, "intent": found("palliative")})), "ServiceRequest")[0]
    assert codes(extension(palliative, "mcode-procedure-intent") or {}) == ["363676003"]
    silent = of(
        bundle(case_of({**KIDNEY, "intent": conflicting("curative", "palliative")})), "ServiceRequest"
    )[0]
    assert extension(silent, "mcode-procedure-intent") is None
    assert of(bundle(case_of(request=Request())), "ServiceRequest") == []


def test_provenance_names_pages_and_people() -> None:
    nora = By("nora", "reviewer", AT)
    touches = {"findings.t": Touch(changed=nora, replaced=True), "findings.n": Touch(confirmed=nora)}
    resource = bundle(case_of(KIDNEY), touches)
    by_target = {one["target"][0]["reference"]: one for one in of(resource, "Provenance")}
    urls = {
        one["resource"]["meta"]["profile"][0].rpartition("/")[2]: one["fullUrl"]
        for one in resource["entry"]
        if one["resource"]["resourceType"] == "Observation"
    }
    agents = {
        name: [codes(agent["type"])[0] for agent in by_target[url]["agent"]] for name, url in urls.items()
    }
    assert agents["mcode-tnm-primary-tumor-category"] == ["assembler", "author"]
    assert agents["mcode-tnm-regional-nodes-category"] == ["assembler", "verifier"]
    assert agents["mcode-tnm-distant-metastases-category"] == ["assembler"]
    statuses = {
        one["meta"]["profile"][0].rpartition("/")[2]: one["status"] for one in of(resource, "Observation")
    }
    assert statuses["mcode-tnm-primary-tumor-category"] == "final"
    assert statuses["mcode-tnm-distant-metastases-category"] == "preliminary"
    [entity] = by_target[urls["mcode-tnm-primary-tumor-category"]]["entity"]
    assert entity["what"]["identifier"]["value"] == "0123456789abcdef/d1"
    page = [part for part in entity["extension"][0]["extension"] if part["url"] == "page"]
    assert page == [{"url": "page", "valuePositiveInt": 1}]


def test_a_fault_in_a_bundles_entry_is_found() -> None:
    resource = bundle(case_of(KIDNEY))
    [group] = of(resource, "Observation", "mcode-tnm-stage-group")
    del group["method"]
    [fault] = check_resource(resource, CATALOG.profiles)
    assert fault.endswith("method: there must be 1, there are 0")
    assert fault.startswith("entry.")
