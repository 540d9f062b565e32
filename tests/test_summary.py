"""The summary says what a nurse needs, and says unknown where nothing is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain import (
    Alternative,
    Box,
    Case,
    CaseDocument,
    CaseFile,
    CasePage,
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
    PolicyRef,
    Problem,
    Requirement,
    Status,
)
from pipeline.summary import pages_of, summarize

TEXT = "2.1 cm mass of the left kidney"
EVIDENCE = Evidence("fax.pdf", 3, "d1", 0, len(TEXT), TEXT, (Box(1, 2, 3, 4),))
KIDNEY = Field(
    "kidney", Status.FOUND, 0.9, evidence=(EVIDENCE,), alternatives=(Alternative("breast", "family"),)
)
CASE = Case(
    case_id="abc",
    status="complete",
    problems=(),
    policy=PolicyRef("p", "1"),
    files=(CaseFile("fax.pdf", "0", "application/pdf", 4),),
    pages=tuple(
        CasePage("fax.pdf", n, "ocr", 180 * (n == 2), False, None, 0.9, 612, 792) for n in (1, 2, 3, 4)
    ),
    documents=(
        CaseDocument("d1", "fax.pdf", "consultation", "11488-4", "CONSULT", 3, 4, 0.9, (3, 4), text=TEXT),
        CaseDocument("d2", "fax.pdf", "other", None, "", 1, 2, 0.9, (1, 2), belongs_to_patient=False),
    ),
    findings={
        "tumor_site": KIDNEY,
        "intent": Field(),
        "airway_obstruction": Field(False, Status.FOUND, 0.9, evidence=(EVIDENCE,)),
    },
    completeness=Completeness(
        {"treatment_plan": Requirement("incomplete", {"treatment_area": Element(Met.MISSING)}, "d1")},
        IdentityConflict(True, (EVIDENCE,)),
    ),
    evaluation=Evaluation(
        EvaluatorInfo("embedded", "1", "p@1"),
        "needs_information",
        "I.C",
        (
            CriterionResult("I.A", "not_met", ("tumor_site",)),
            CriterionResult("I.C", "met", ("tumor_site",)),
            CriterionResult("I.F.1", "unknown", (), ("stage_group", "t+n")),
        ),
        (Missing("treatment_area", "The treatment plan does not say what will be treated."),),
    ),
)


@pytest.mark.parametrize(
    "line",
    [
        "Case abc: complete, 4 pages in 1 file",
        "consultation                 pages 3-4",
        "other                        pages 1-2  (another patient)",
        "page 2: arrived turned, shown upright (180 degrees)",
        "tumor site             kidney",
        'page 3: "2.1 cm mass of the left kidney"',
        "not breast (family)",
        "airway obstruction     no",
        "not stated: intent",
        "treatment plan               incomplete",
        "treatment area             missing",
        "pages of another patient are in the packet",
        "outcome    More information is needed before a review",
        "I.F.1 unknown; settled by stage group or t+n",
        "I.C met by tumor site",
        "not met: I.A",
        "missing: The treatment plan does not say what will be treated.",
    ],
)
def test_summary_says(line: str) -> None:
    assert line in summarize(CASE)


def test_summary_of_a_parked_case_gives_the_reason_and_nothing_else() -> None:
    problem = Problem("fax.pdf", None, "encrypted", "The PDF is locked with a password.")
    parked = Case("abc", "parked", (problem,), None, CASE.files)
    assert summarize(parked).splitlines() == [
        "Case abc: parked, 0 pages in 1 file",
        "  ! fax.pdf: The PDF is locked with a password.",
    ]


def test_conflict_is_marked_and_both_sides_are_shown() -> None:
    sides = replace(
        KIDNEY, status=Status.CONFLICTING, alternatives=(Alternative("lung", "conflicting", (EVIDENCE,)),)
    )
    lines = summarize(replace(CASE, findings={"tumor_site": sides}))
    assert "kidney  CONFLICT" in lines
    assert "lung (conflicting)" in lines


@pytest.mark.parametrize(
    ("numbers", "words"),
    [((3,), "page 3"), ((3, 4, 5), "pages 3-5"), ((3, 5), "pages 3, 5"), ((5, 4), "pages 4-5")],
)
def test_pages_of(numbers: tuple[int, ...], words: str) -> None:
    assert pages_of(numbers) == words
