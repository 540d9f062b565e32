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
    PolicyRef,
    Problem,
    Request,
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
        "stage_group": Field(),
        "t": Field(),
        "n": Field("N0", Status.FOUND, 0.9, evidence=(EVIDENCE,), basis="p"),
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
        "Case abc: 4 pages in 1 file, all read",
        "consultation                 pages 3-4",
        "other                        pages 1-2  (another patient)",
        "page 2: arrived turned, shown upright (180 degrees)",
        "tumor site             kidney",
        'page 3: "2.1 cm mass of the left kidney"',
        "not breast (a relative's)",
        "airway obstruction     no",
        "N                      N0 (pathological)",
        "not stated: name, date of birth, member number, CPT, ICD-10-CM",
        "not stated: stage group, T",
        "treatment plan               incomplete",
        "treatment area             missing",
        "pages of another patient are in the packet",
        "outcome    More information is needed before a review",
        "I.F.1 unknown; settled by stage group or T and N",
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
        "Case abc: 0 pages in 1 file, parked",
        "  ! fax.pdf: The PDF is locked with a password.",
    ]


def test_conflict_is_marked_and_both_sides_are_shown() -> None:
    sides = replace(
        KIDNEY, status=Status.CONFLICTING, alternatives=(Alternative("lung", "conflicting", (EVIDENCE,)),)
    )
    lines = summarize(replace(CASE, findings={"tumor_site": sides}))
    assert "kidney  CONFLICT" in lines
    assert "or lung (the packet says both)" in lines
    assert lines.count('page 3: "2.1 cm mass of the left kidney"') == 2


def test_what_matters_to_no_open_criterion_is_not_listed_as_silent() -> None:
    assert "intent" not in summarize(CASE)
    assert "not stated: intent" in summarize(replace(CASE, findings={"intent": Field()}, evaluation=None))


def test_of_several_files_the_file_is_named() -> None:
    two = replace(CASE, files=(*CASE.files, CaseFile("labs.tif", "1", "image/tiff", 1)))
    lines = summarize(two)
    assert 'page 3 of fax.pdf: "2.1 cm mass of the left kidney"' in lines
    assert "page 2 of fax.pdf: arrived turned" in lines
    assert " of fax.pdf" not in summarize(CASE)


def test_codes_of_the_request_with_their_names_and_doubts() -> None:
    code = Field("C64.1", Status.FOUND, 0.97, Code("ICD-10-CM", "C64.1", "Of the right kidney"), (EVIDENCE,))
    doubt = Field(
        status=Status.UNCERTAIN,
        evidence=(EVIDENCE,),
        alternatives=(Alternative("80593", "as_printed", (EVIDENCE,)),),
    )
    lines = summarize(replace(CASE, request=Request(cpt=(doubt,), icd10=(code, code))))
    assert "CPT                    uncertain" in lines
    assert "printed: 80593 (where the code is asked for)" in lines
    assert "ICD-10-CM 2            C64.1  Of the right kidney" in lines
    assert "NPI" not in lines


@pytest.mark.parametrize(
    ("numbers", "words"),
    [((3,), "page 3"), ((3, 4, 5), "pages 3-5"), ((3, 5), "pages 3, 5"), ((5, 4), "pages 4-5")],
)
def test_pages_of(numbers: tuple[int, ...], words: str) -> None:
    assert pages_of(numbers) == words
