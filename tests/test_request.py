"""What is asked for: ticked, not corrected away, not only named."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog.request import load_request
from pipeline.domain import Document, Page, Request, Status
from pipeline.request import read_request

RULES = load_request(Path(__file__).parents[1] / "models")


def document(number: int, kind: str, text: str, source: str = "text", own: bool | None = True) -> Document:
    page = Page("fax.pdf", number, source, 0, 612, 792, text, ())  # type: ignore[arg-type]  # a literal
    return Document(f"d{number}", kind, "", (page,), belongs_to_patient=own)


def read(text: str, kind: str = "pa_request_form", source: str = "text") -> Request:
    return read_request([document(1, kind, text, source)], RULES)


def codes(text: str, source: str = "text") -> tuple[list[object], list[object]]:
    request = read(text, source=source)
    return [field.value for field in request.cpt], [field.value for field in request.icd10]


FORMS = [
    ("CPT 50593    ICD-10 C64.1", ["50593"], ["C64.1"]),
    ("Procedure code(s) .. 50593\nDx code(s) ......... C64.1, R31.0", ["50593"], ["C64.1", "R31.0"]),
    ("LINE  CODE   TEXT\n 1    32994  Lung tumor\n 2    77013  CT guidance", ["32994", "77013"], []),
    ("cpt ..... 57511\nicd-10 .. D06.9", ["57511"], ["D06.9"]),
    ("CPT   55873\nDiagnosis  C61", ["55873"], ["C61"]),
    ("Diagnosis   1) D17.71 benign neoplasm\n            2) R31.0 hematuria", [], ["D17.71", "R31.0"]),
    ("CPT 0581T\nDx C50412", ["0581T"], ["C50.412"]),
    ("Procedure: 67299 (unlisted)\nComparison code for pricing: 67208 (we do not bill this)", ["67299"], []),
    ("Code keyed     0581T  malignant\nCorrected to   19105  fibroadenoma", ["19105"], []),
    ("PROPOSED\n  X  17281  face   C44.319\n     17282  larger\n     17000  other", ["17281"], ["C44.319"]),
    ("REQUESTED (X = yes)\n[X] 66999 UNLISTED\nDX\nC69.41 CILIARY BODY", ["66999"], ["C69.41"]),
    ("CPT\n [X] 50593  percutaneous\n [ ] 50542  laparoscopic\n [ ] 50250  open", ["50593"], []),
    ("REQUESTED\n[ ] 43211 resection\n[X] 43229 ablation\nDX\nC15.5 ESOPHAGUS", ["43229"], ["C15.5"]),
    ("CPT\n[ ] 50593\n[ ] 50542", [], []),
    ("_X_ 17272  scalp, 1.1 to 2.0        17282  face, 1.1 to 2.0", ["17272"], []),
    ("X  50593, 77013", ["50593", "77013"], []),
    ("CPT\n 50592  rf (crossed out)\n XX 50593  cryo\n 50542  lap", ["50593"], []),
    ("  17260   to 0.5 cm\n  17262   to 2.0 cm    <-- this one\n  17263   to 3.0 cm", ["17262"], []),
    ("* 17262   to 2.0 cm\n  17263   to 3.0 cm", ["17262"], []),
    ("We bill 50593; 50592 was denied last year.\nDx C64.1", ["50593"], ["C64.1"]),
    ("Proc code: 50542 (lap) changed to 50593 (perc)", ["50593"], []),
    ("CPT code(s) 57511-59   ICD-10: N87.1", ["57511"], ["N87.1"]),
    ("Procedure  cryo\n  Policy ..... QRS 4400 71926 B\n  Code ....... 32994", ["32994"], []),
    ("Breast cryo 19105\nfibroadenoma D24.2", ["19105"], ["D24.2"]),
    ("CPT 31641   Dx C34.02 main bronchus\nSection 4  tel 555-01234 ext 50593", ["31641"], ["C34.02"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "cpt", "icd10"), FORMS, ids=range(len(FORMS)))
def test_codes_asked_for(text: str, cpt: list[str], icd10: list[str]) -> None:
    found = codes(text)
    assert found[0][: len(cpt)] == cpt
    assert found == (cpt, icd10)


NEAR = [
    "Phone 614-555-0118   Fax 614-555-0119   ZIP 50593-0001",
    "Group no. 32994-01      Case # 26-0715-3390",
    "DOS 09/29/2026   POS 24   T 1a   N x   M 0   Stage III   [ ] I [ ] II [ ] III",
    "Size 2.2 cm, T2b N0 M0, D5W 500 mL, Gleason 3+4",
]


@pytest.mark.parametrize("text", NEAR)
def test_other_numbers_are_no_codes(text: str) -> None:
    assert codes(text) == ([], [])


@pytest.mark.parametrize(
    ("text", "cpt", "icd10"),
    [
        ("CPT  5O593\nDx  135.0  N186", ["50593"], ["I35.0", "N18.6"]),
        ("CPT  O581T\nDx  C50.4l2", ["0581T"], ["C50.412"]),
        ("CPT  17262\nDx  C44 42", ["17262"], ["C44.42"]),
    ],
)
def test_misread_codes(text: str, cpt: list[str], icd10: list[str]) -> None:
    assert codes(text, source="ocr") == (cpt, icd10)


def test_form_before_cover_before_letter() -> None:
    cover = document(1, "fax_cover", "FAX\nCPT: 50542   C64.2")
    form = document(2, "pa_request_form", "CPT  50593")
    letter = document(3, "letter_of_medical_necessity", "Code: 20983    Dx C79.51")
    request = read_request([cover, form, letter], RULES)
    assert [field.value for field in request.cpt] == ["50593"]
    assert [field.value for field in request.icd10] == ["C64.2"]
    assert request.cpt[0].evidence[0].document == "d2"


def test_notes_and_other_patients_ask_for_nothing() -> None:
    note = document(1, "progress_note", "BILLED  CPT 17000  Dx L57.0")
    other = document(2, "pa_request_form", "CPT 50593", own=False)
    assert read_request([note, other], RULES) == Request()


URGENCY = [
    ("[ ] Standard   [X] Expedited", True),
    ("[X] Standard   [ ] Expedited (attach rationale)", False),
    ("H. URGENCY   [X] Routine   [ ] Urgent - delay could jeopardize life", False),
    ("REVIEW   [ ] STANDARD   [X] EXPEDITED - PAIN", True),
    ("Urgency   Standard", False),
    ("urgent [X]   routine [ ]", True),
    ("urgent [ ]   routine [X]", False),
    ("Standard ___   Urgent _X_", True),
    ("URGENT?  N", False),
    ("[ ] Standard   [ ] Expedited", None),
    ("He went to urgent care in May.", None),
]


@pytest.mark.parametrize(("text", "expedited"), URGENCY)
def test_urgency(text: str, expedited: bool | None) -> None:
    assert read(text).expedited.value is expedited


@pytest.mark.parametrize("text", ["EXPEDITED REVIEW REQUEST (24 HOURS)", "*** URGENT ***\nCPT 50593", "STAT"])
def test_a_word_without_a_mark_is_for_a_person(text: str) -> None:
    expedited = read(text).expedited
    assert (expedited.status, expedited.value) == (Status.UNCERTAIN, None)
    assert expedited.evidence[0].quote.upper() in text


@pytest.mark.parametrize(
    ("text", "expedited"),
    [
        ("Expedited review?   [ ] Yes   [X] No", False),
        ("Is it urgent?  (x) Yes  ( ) No", True),
        ("Is it urgent?  [ ] Yes  [ ] No", None),
    ],
)
def test_urgency_asked_with_boxes_for_yes_and_no(text: str, expedited: bool | None) -> None:
    assert read(text).expedited.value is expedited


def test_both_boxes_ticked_is_for_a_person() -> None:
    assert read("[X] Standard   [X] Expedited").expedited.status is Status.UNCERTAIN
