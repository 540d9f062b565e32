"""Headings as notes write them: own line, inline, run together; and words that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog.sections import SectionRules, load_sections
from pipeline.nlp.sections import find_sections

RULES: SectionRules = load_sections(Path(__file__).parent.parent / "models")


def names(text: str) -> list[str]:
    return [section.name for section in find_sections(text, RULES)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HPI: cough for 2 weeks", ["history_of_present_illness"]),
        ("HISTORY OF PRESENT ILLNESS: A mass.", ["history_of_present_illness"]),
        ("PAST MEDICAL HISTORY:  COPD", ["past_medical_history"]),
        (
            "PMHx: HTN\nPSHx: none\nFHx: none",
            ["past_medical_history", "past_surgical_history", "family_history"],
        ),
        (
            "S: feels well\nO: BP 120/70\nA: renal mass\nP: ablation",
            ["history_of_present_illness", "physical_exam", "assessment", "plan"],
        ),
        ("IMP\n1. Mass", ["impression"]),
        ("PLAN   Cryosurgery of the lesion", ["plan"]),
        ("FINAL DIAGNOSIS\nKIDNEY, RIGHT:", ["final_diagnosis"]),
        ("Diagnosis: melanoma", ["final_diagnosis"]),
        ("IMPRESSION:\n1. Mass.", ["impression"]),
        ("EXAM (waist up)\nScalp clear", ["physical_exam"]),
        ("ADDENDUM 05/20/2026\nBiopsy back", ["addendum"]),
        ("LABS 07/27/2026: Hgb 13", ["laboratory"]),
        ("SYNOPTIC SUMMARY (kidney biopsy)\nGrade 2", ["synoptic"]),
        ("GROSS: three cores", ["gross"]),
        ("CLINICAL HX:  3 cm mass", ["clinical_history"]),
        ("TREATMENT PLAN\n  Intent: curative", ["treatment_plan"]),
        ("Assessment/Plan: observe", ["assessment_and_plan"]),
        ("A/P: observe", ["assessment_and_plan"]),
        (
            "INDICATION: mass\nTECHNIQUE: CT\nCOMPARISON: none\nFINDINGS: mass\nIMPRESSION: mass",
            ["indication", "exam_description", "comparison", "findings", "impression"],
        ),
        ("EXAM: CT ABDOMEN WITH CONTRAST", ["exam_description"]),
        ("EXAM: BP 120/70", ["physical_exam"]),
        ("PROBLEM LIST\n  COPD", ["problem_list"]),
        ("STAGING: cT1aN0M0", ["staging"]),
        ("Recommendations:\n1. Biopsy", ["recommendation"]),
        ("CHIEF COMPLAINT:  RIGHT KIDNEY CANCER", ["chief_complaint"]),
        ("Smith, J. MD\nFAMILY HISTORY: none", ["preamble", "family_history"]),
        (
            "He is well. FAMILY HISTORY: none. SOCIAL HISTORY: smoker.",
            ["preamble", "family_history", "social_history"],
        ),
        ("Some words. GROSS DESCRIPTION. A kidney.", ["preamble", "gross"]),
        ("Bladder tumor.,PROCEDURE: resection", ["preamble", "procedure"]),
        ("PREOPERATIVE DIAGNOSIS: , Bladder tumor.", ["preoperative_diagnosis"]),
        (
            "Past medical history: gout. Operations: hernia. Medications: none.",
            ["past_medical_history", "past_surgical_history", "medications"],
        ),
    ],
)
def test_headings(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "The plan was discussed with him.",
        "He has a history of gout.",
        "Findings were discussed.",
        "cc: Dr. Miller",
        "Lesion on the left cheek: 8 mm.",
        "Impressive recovery.",
        "allergies to pollen in spring",
        "a: b",
    ][:6],
)
def test_running_text_has_no_sections(text: str) -> None:
    assert names(text) == ["preamble"]


def test_a_field_of_a_plan_does_not_end_the_plan() -> None:
    text = "TREATMENT PLAN\n  Procedure: cryoablation\n  Technique: prone\n  Anesthesia: general"
    assert names(text) == ["treatment_plan"]


def test_sections_cover_the_text_without_gaps() -> None:
    text = "Note\n\nHPI: cough.\nPMH: COPD.\nPLAN\nrest"
    sections = find_sections(text, RULES)
    assert [s.start for s in sections[1:]] == [s.end for s in sections[:-1]]
    assert sections[-1].end == len(text)
    assert text[sections[1].body : sections[1].end].strip() == "cough."


def test_empty_text_has_none() -> None:
    assert find_sections("", RULES) == ()


def test_at_least_thirty_families() -> None:
    assert len(RULES.section) >= 30
