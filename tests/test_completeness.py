"""Required documents by what they hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline.catalog.elements import load_elements
from pipeline.catalog.sections import load_sections
from pipeline.completeness import check_completeness
from pipeline.domain import (
    AnnotatedDocument,
    Document,
    Field,
    IdentityConflict,
    Met,
    Page,
    Requirement,
    Status,
)
from pipeline.elements import note_flags
from pipeline.evidence import evidence_for
from pipeline.nlp.sections import find_sections

MODELS = Path(__file__).parents[1] / "models"
RULES = load_elements(MODELS)
SECTIONS = load_sections(MODELS)


@dataclass(frozen=True)
class Required:
    name: str
    accepted_types: tuple[str, ...]
    elements: tuple[str, ...]


HISTORY_AND_PHYSICAL = Required(
    "history_and_physical",
    ("history_and_physical", "consultation", "progress_note", "letter"),
    ("history", "physical_exam"),
)
TREATMENT_PLAN = Required(
    "treatment_plan",
    ("treatment_plan", "history_and_physical", "consultation", "progress_note"),
    ("procedure", "treatment_area"),
)

HISTORY = """HPI: A woman of 70 with a mass of the left kidney found by chance on a scan in May.
PMH: hypertension, gout.
FH: none.
"""
EXAMINATION = """PHYSICAL EXAM: BP 130/70, pulse 70.
Neck: supple. Lungs: clear. Abdomen: soft, no mass.
"""


def annotated(kind: str, text: str, number: int = 1, own: bool | None = True) -> AnnotatedDocument:
    page = Page("fax.pdf", number, "text", 0, 612, 792, text, ())
    document = Document(f"d{number}", kind, "", (page,), belongs_to_patient=own)
    return AnnotatedDocument(document, find_sections(text, SECTIONS), ())


def check(
    requirement: Required, *documents: AnnotatedDocument, findings: dict[str, Field] | None = None
) -> Requirement:
    none = IdentityConflict(False)
    return check_completeness(documents, [requirement], findings or {}, none, RULES).documents[
        requirement.name
    ]


def area(document: AnnotatedDocument, words: str) -> dict[str, Field]:
    start = document.document.text.index(words)
    evidence = evidence_for(document.document, start, start + len(words), extractor="test")
    return {"treatment_area": Field(words, Status.FOUND, 0.9, evidence=(evidence,))}


# --------------------------------------------------------------------------- history and physical

NOTES = {
    "both": ("history_and_physical", HISTORY + EXAMINATION, "present"),
    "consultation": ("consultation", "CONSULTATION\n" + HISTORY + EXAMINATION, "present"),
    "office note": ("progress_note", "OFFICE VISIT\n" + HISTORY + EXAMINATION, "present"),
    "no examination": ("history_and_physical", HISTORY + "PLAN: ablation", "incomplete"),
    "vital signs alone": (
        "history_and_physical",
        HISTORY + "PHYSICAL EXAM: BP 130/70, pulse 70, temp 36.6, weight 70 kg",
        "incomplete",
    ),
    "deferred": ("history_and_physical", HISTORY + "PHYSICAL EXAM: deferred\nPLAN: scan", "incomplete"),
    "template": (
        "history_and_physical",
        HISTORY + "PHYSICAL EXAM:\nNeck: ***\nLungs: ***\nAbdomen: ***\nPLAN: scan",
        "incomplete",
    ),
    "intake form": (
        "history_and_physical",
        "HPI: see intake form\nPMH: see intake form\nFH: see intake form\n" + EXAMINATION,
        "incomplete",
    ),
    "video visit": (
        "consultation",
        "VIDEO VISIT\n" + HISTORY + "EXAM: General: no distress, speaking freely. Psych: calm mood.\n",
        "incomplete",
    ),
    "telephone": (
        "progress_note",
        "TELEPHONE ENCOUNTER\nPatient called in. Pain worse since May.\nMEDICATIONS: none\nALLERGIES: none",
        "missing",
    ),
    "interval visit": (
        "progress_note",
        "S: Here to go over the scan. No blood in the urine.\nO: BP 124/70, weight 162.\nA: stable\nP: scan",
        "missing",
    ),
    "a scan": ("imaging_report", "FINDINGS: Lungs clear. Neck normal. Abdomen normal.", "missing"),
}


@pytest.mark.parametrize(("kind", "text", "status"), NOTES.values(), ids=NOTES)
def test_history_and_physical(kind: str, text: str, status: str) -> None:
    assert check(HISTORY_AND_PHYSICAL, annotated(kind, text)).status == status


def test_examination_in_a_letter() -> None:
    letter = (
        "Dear Dr. Holt,\n\nThank you for sending Mr. Vane, a 66-year-old man with blurred vision.\n"
        "Past medical history: gout. Family: none.\n\n"
        "On examination, BCVA 20/30, IOP 15. Chest clear, abdomen soft, no nodes.\n"
    )
    assert check(HISTORY_AND_PHYSICAL, annotated("consultation", letter)).status == "present"


def test_another_patients_paper_serves_for_nothing() -> None:
    other = annotated("history_and_physical", HISTORY + EXAMINATION, own=False)
    found = check(HISTORY_AND_PHYSICAL, other)
    assert (found.status, found.document) == ("missing", None)
    assert {element.status for element in found.elements.values()} == {Met.MISSING}


def test_elements_in_two_documents_are_for_a_person() -> None:
    told = annotated("consultation", HISTORY + "PLAN: scan", 1)
    examined = annotated("history_and_physical", EXAMINATION, 2)
    assert check(HISTORY_AND_PHYSICAL, told, examined).status == "unclear"


def test_the_complete_document_is_named_with_its_words() -> None:
    partial = annotated("history_and_physical", HISTORY, 1)
    whole = annotated("consultation", HISTORY + EXAMINATION, 2)
    found = check(HISTORY_AND_PHYSICAL, partial, whole)
    assert (found.status, found.document) == ("present", "d2")
    for element in found.elements.values():
        assert element.status is Met.MET
        for evidence in element.evidence:
            assert evidence.page == 2
            assert evidence.quote == whole.document.text[evidence.start : evidence.end]


LOOKED_FOR = [
    (HISTORY + "PHYSICAL EXAM: deferred\nPLAN: scan", 1, ["PHYSICAL EXAM: deferred"]),
    (HISTORY + "VITALS: BP 130/70, pulse 70\nPLAN: scan", 1, ["VITALS: BP 130/70, pulse 70"]),
    (HISTORY + "PLAN: scan", 1, []),
]


@pytest.mark.parametrize(("text", "page", "words"), LOOKED_FOR, ids=["deferred", "vital signs", "nothing"])
def test_a_missing_examination_shows_where_one_would_look(text: str, page: int, words: list[str]) -> None:
    pages = tuple(
        Page("fax.pdf", number, "text", 0, 612, 792, part, ())
        for number, part in enumerate((text, "ASSESSMENT: mass."), 1)
    )
    document = Document("d1", "history_and_physical", "", pages)
    found = check(
        HISTORY_AND_PHYSICAL, AnnotatedDocument(document, find_sections(document.text, SECTIONS), ())
    )
    missing = found.elements["physical_exam"]
    assert (missing.status, missing.page) == (Met.MISSING, page)
    assert [evidence.quote for evidence in missing.evidence] == words


def test_a_missing_document_has_no_page() -> None:
    assert {element.page for element in check(HISTORY_AND_PHYSICAL).elements.values()} == {None}


def test_the_story_shows_a_history_not_the_letterhead() -> None:
    letter = (
        "ELMFIELD KIDNEY CENTER\n12 Mill Lane\n\nDear Dr. Holt,\n\n"
        "Thank you for sending Mr. Vane, a 66-year-old man who presented with blood in his urine.\n"
        "Past medical history: gout.\n"
    )
    found = check(HISTORY_AND_PHYSICAL, annotated("consultation", letter))
    assert found.elements["history"].evidence[0].quote.startswith("Thank you for sending Mr. Vane")


# --------------------------------------------------------------------------- treatment plan

PLAN = "TREATMENT PLAN\nProcedure: percutaneous cryoablation\nTreatment area: left kidney, lower pole\n"


def test_plan_of_its_own() -> None:
    plan = annotated("treatment_plan", PLAN)
    found = check(TREATMENT_PLAN, plan, findings=area(plan, "left kidney, lower pole"))
    assert (found.status, found.document) == ("present", "d1")


def test_the_title_shows_a_procedure_only_where_nothing_else_does() -> None:
    for text, words in (
        ("CRYO PLAN\nProcedure: cryoablation\n", "cryoablation"),
        ("CRYO PLAN\n", "CRYO PLAN"),
    ):
        plan = annotated("treatment_plan", text + "Treatment area: left kidney, lower pole\n")
        titled = replace(plan, document=replace(plan.document, title="CRYO PLAN"))
        found = check(TREATMENT_PLAN, titled, findings=area(titled, "left kidney, lower pole"))
        assert [evidence.quote for evidence in found.elements["procedure"].evidence] == [words]


def test_plan_inside_a_note() -> None:
    note = annotated("progress_note", HISTORY + "PLAN: cryoablation of lesion A")
    assert check(TREATMENT_PLAN, note, findings=area(note, "lesion A")).status == "present"


def test_plan_without_area_is_incomplete_and_shows_the_blank_line() -> None:
    text = "PLAN OF CARE\n* percutaneous cryoablation\n* target: ____________ (MD to fill in)\n"
    found = check(TREATMENT_PLAN, annotated("treatment_plan", text))
    assert found.status == "incomplete"
    assert found.elements["procedure"].status is Met.MET
    missing = found.elements["treatment_area"]
    assert missing.status is Met.MISSING
    assert [evidence.quote[:6] for evidence in missing.evidence] == ["target"]


TALK = [
    "PLAN: refer to interventional radiology, evaluation for cryoablation",
    "PLAN: options are surgery, cryoablation and observation; to be decided",
    "FAMILY HISTORY: father had cryoablation",
    "PLAN: no cryoablation, scan in 6 months",
]


@pytest.mark.parametrize("text", TALK, ids=["referral", "options", "father", "denied"])
def test_a_procedure_that_is_only_talked_of_is_no_plan(text: str) -> None:
    note = annotated("consultation", HISTORY + text)
    assert check(TREATMENT_PLAN, note).status == "missing"


def test_area_that_cannot_be_read_is_unclear() -> None:
    plan = annotated("treatment_plan", PLAN)
    evidence = area(plan, "left kidney, lower pole")["treatment_area"].evidence
    found = check(
        TREATMENT_PLAN, plan, findings={"treatment_area": Field(status=Status.UNCERTAIN, evidence=evidence)}
    )
    assert found.status == "unclear"


def test_conflict_of_identity_is_handed_on() -> None:
    conflict = IdentityConflict(True)
    assert check_completeness([], [], {}, conflict, RULES).identity_conflict is conflict


# --------------------------------------------------------------------------- flags of one note

NOTE, OPERATION, SCAN = "progress_note", "operative_report", "imaging_report"
TOLD = (
    "INDICATIONS: A man of 60 who presented with blood in his urine in March. A scan showed a mass of the "
    "bladder wall. He has had two resections since, each for a tumor that had come back within the year, "
    "and now passes clots again.\n"
)
RISKS = (
    "INDICATIONS: Bladder tumor since March. The risks of bleeding, infection and perforation, the benefits "
    "and the alternatives were explained to him at length; his questions were answered and he agreed.\n"
)
FLAGS = [
    (NOTE, HISTORY + EXAMINATION + "PLAN: start lisinopril 10 mg.", (True, True, True)),
    (NOTE, HISTORY, (True, False, False)),
    (NOTE, EXAMINATION, (False, True, False)),
    (NOTE, "IMPRESSION: no fracture.", (False, False, False)),
    (NOTE, "He plans to visit his sister in May.", (False, False, False)),
    (SCAN, TOLD + "FINDINGS: Lungs clear. Abdomen soft tissue normal.", (False, False, False)),
    (OPERATION, TOLD + "PROCEDURE: The bladder was entered.", (True, False, False)),
    (OPERATION, RISKS + "PROCEDURE: The bladder was entered.", (False, False, False)),
    (OPERATION, "FINDINGS: tumor. He is to undergo radiation.", (False, False, True)),
    (OPERATION, "FINDINGS: tumor. He underwent radiation.", (False, False, False)),
]


@pytest.mark.parametrize(("kind", "text", "flags"), FLAGS)
def test_flags(kind: str, text: str, flags: tuple[bool, bool, bool]) -> None:
    assert note_flags(text, find_sections(text, SECTIONS), RULES, kind=kind) == flags
