"""The codes that a tumour's site and histology carry."""

from __future__ import annotations

from pathlib import Path

import pytest
from spacy.language import Language

from pipeline.catalog.findings import load_findings
from pipeline.domain import Alternative, AnnotatedDocument, Document, Evidence, Field, Page, Request, Status
from pipeline.findings import extract_findings
from pipeline.findings.codes import nature_of
from pipeline.findings.diagnosis import disputed_by_codes
from pipeline.findings.site import neoplasms
from pipeline.findings.target import Target
from pipeline.nlp import annotate, load_nlp

MODELS = Path(__file__).parent.parent / "models"
RULES = load_findings(MODELS)


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_nlp(MODELS)


def annotated(nlp: Language, text: str) -> AnnotatedDocument:
    document = Document("d", "pathology_report", "", (Page("f", 1, "text", 0, 1, 1, text, ()),))
    return annotate(nlp, [document])[0]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (
            "FINAL DIAGNOSIS: Left kidney, biopsy: clear cell renal cell carcinoma.",
            ["ICD-O-3 C64.9", "ICD-10-CM C64.2", "SNOMED CT 64033007"],
        ),
        (
            "FINAL DIAGNOSIS: Right kidney, biopsy: oncocytoma.",
            ["ICD-O-3 C64.9", "ICD-10-CM D30.01", "SNOMED CT 64033007"],
        ),
        (
            "FINAL DIAGNOSIS: Skin of left arm, excision: malignant melanoma.",
            ["ICD-O-3 C44.9", "ICD-10-CM C43.9", "SNOMED CT 39937001"],
        ),
        (
            "FINAL DIAGNOSIS: Liver, biopsy: metastatic adenocarcinoma.",
            ["ICD-O-3 C22.0", "ICD-10-CM C78.7", "SNOMED CT 10200004"],
        ),
    ],
)
def test_codes_of_the_site(nlp: Language, text: str, codes: list[str]) -> None:
    found = extract_findings([annotated(nlp, text)], Request(), RULES)["tumor_site"]
    assert [f"{code.system} {code.code}" for code in found.codes] == codes
    assert found.code == found.codes[0]


def test_histology_has_its_morphology_with_the_behaviour_digit(nlp: Language) -> None:
    source = annotated(nlp, "FINAL DIAGNOSIS: Left kidney, biopsy: oncocytoma.")
    found = extract_findings([source], Request(), RULES)["histology"]
    assert [(code.system, code.code) for code in found.codes] == [("ICD-O-3", "8290/0")]


def test_every_tumour_of_a_text_has_its_codes(nlp: Language) -> None:
    source = annotated(nlp, "Right lung: adenocarcinoma. Mother had breast cancer.")
    found = {n.site: [f"{code.system} {code.code}" for code in n.codes] for n in neoplasms(source, RULES)}
    assert found["lung"] == ["ICD-O-3 C34.9", "ICD-10-CM C34.91", "SNOMED CT 39607008", "ICD-O-3 8140/3"]
    assert found["breast"][:1] == ["ICD-O-3 C50.9"]


def test_a_tumour_of_another_organ_is_listed_apart(nlp: Language) -> None:
    source = annotated(nlp, "FINAL DIAGNOSIS: Left kidney, biopsy: oncocytoma. History of melanoma in 2001.")
    found = {n.site: (n.status, [code.code for code in n.codes]) for n in neoplasms(source, RULES)}
    assert found["kidney"] == ("current", ["C64.9", "D30.02", "64033007", "8290/0"])
    assert found[None] == ("history", ["8720/3"])


@pytest.mark.parametrize(
    ("behavior", "morphology", "metastatic", "nature"),
    [
        ("malignant", "8312/3", False, "malignant"),
        ("malignant", "8312/3", True, "secondary"),
        ("premalignant", "8077/2", False, "in_situ"),
        ("premalignant", None, False, None),
        ("malignant", "8000/3", False, "malignant"),
        ("uncertain", None, False, "unspecified"),
        (None, None, False, None),
    ],
)
def test_what_icd_10_cm_is_told(
    behavior: str | None, morphology: str | None, metastatic: bool, nature: str | None
) -> None:
    assert nature_of(behavior=behavior, morphology=morphology, metastatic=metastatic) == nature


def test_every_site_has_codes() -> None:
    coded = {entry.name for entry in RULES.site_codes.site}
    assert set(RULES.topography) - coded == {"other"}


@pytest.mark.parametrize(
    ("codes", "said", "reason", "status"),
    [
        (["D04.71"], "premalignant", "outweighed", Status.CONFLICTING),
        (["D23.71"], "benign", "outweighed", Status.CONFLICTING),
        (["D04.71"], "benign", "outweighed", Status.FOUND),
        (["D04.71"], "premalignant", "other_lesion", Status.FOUND),
        (["C44.722"], "premalignant", "outweighed", Status.FOUND),
        (["D04.71", "C44.722"], "premalignant", "outweighed", Status.FOUND),
        (["D05.11"], "premalignant", "outweighed", Status.FOUND),  # of another organ
        ([], "premalignant", "outweighed", Status.FOUND),
    ],
)
def test_malignant_against_the_requests_code_and_another_paper_is_a_conflict(
    codes: list[str], said: str, reason: str, status: Status
) -> None:
    """One misread word, "in seit", made an invasive cancer of Bowen disease that three papers called so."""
    shown = (
        Evidence(file="f", page=1, boxes=(), quote="x", document="d1", start=0, end=1, extractor="rule:x"),
    )
    field = Field("malignant", Status.FOUND, 0.9, evidence=shown, alternatives=(Alternative(said, reason),))
    request = Request(icd10=tuple(Field(code, Status.FOUND, 0.9, evidence=shown) for code in codes))
    target = Target(site="skin", side=None, words=frozenset())
    assert disputed_by_codes(field, request, target, RULES.target).status is status
