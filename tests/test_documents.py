"""Pages become documents: starts, continuations, types, missing pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog.documents import load_documents
from pipeline.documents import classify_text, split_documents
from pipeline.domain import Barcode, Box, Page

TYPES = load_documents(Path(__file__).parents[1] / "models")

COVER = """Elmfield Kidney Center
FAX COVER SHEET
TO: Bayside Health Plan      FAX: 555-0140
FROM: Odette                 PAGES: 5
Confidential. If received in error please notify the sender."""

FORM = """BAYSIDE HEALTH PLAN
PRIOR AUTHORIZATION REQUEST
Member name   Thornbury, Agnes        Member ID  BAY 123456789
CPT           50593                   ICD-10     C64.2
[X] Standard  [ ] Expedited           Place of service  outpatient"""

CONSULT_1 = """Elmfield Kidney Center
THORNBURY, AGNES      MRN 700123      DOB 04/05/1950      Page 1 of 2
CONSULTATION                          Date of service 06/02/2026
REASON FOR CONSULTATION: left renal mass.
HISTORY OF PRESENT ILLNESS: A woman of 76 with a mass found by chance.
PAST MEDICAL HISTORY: hypertension.
FAMILY HISTORY: none."""

CONSULT_2 = """Elmfield Kidney Center
THORNBURY, AGNES      MRN 700123      DOB 04/05/1950      Page 2 of 2
PHYSICAL EXAMINATION: Neck supple. Lungs clear. Abdomen soft.
PLAN: percutaneous cryoablation of the left mass.
Electronically signed: Rhoda Pell, MD"""

PATHOLOGY_1 = """WESTMERE LABORATORY            SURGICAL PATHOLOGY REPORT
Patient: THORNBURY, AGNES   Case WM26-100   DOB 04/05/1950   Page 1 of 2
SPECIMEN: kidney, left, core biopsy
GROSS: three tan cores, entirely submitted."""

PATHOLOGY_2 = """WESTMERE LABORATORY            SURGICAL PATHOLOGY REPORT
Patient: THORNBURY, AGNES   Case WM26-100   DOB 04/05/1950   Page 2 of 2
MICROSCOPIC: nests of clear cells.
DIAGNOSIS: clear cell renal cell carcinoma.
Signed: Ivo Brandt, MD"""

CT = """ELMFIELD RADIOLOGY
Patient: THORNBURY, AGNES     DOB 04/05/1950    Accession E-55
EXAM: CT ABDOMEN WITHOUT AND WITH CONTRAST
TECHNIQUE: three phases.  COMPARISON: none.
FINDINGS: 2.2 cm enhancing mass, lower pole of the left kidney.
IMPRESSION: suspicious renal mass."""

HANDOUT = """Freezing a tumor: a sheet for our patients
You will have a scan on the day. Most people go home the next morning.
Call us if you have a fever. Bring your medicines."""

PLAN = """ABLATION TREATMENT PLAN
Thornbury, Agnes    MRN 700123    06/09/2026
Procedure       percutaneous cryoablation
Treatment area  left kidney, lower pole, 2.2 cm
Probes          two, 17 gauge
Anesthesia      general"""


def page(number: int, text: str, file: str = "fax.pdf") -> Page:
    return Page(file, number, "text", 0, 612, 792, text, ())


def pages(*texts: str) -> list[Page]:
    return [page(number, text) for number, text in enumerate(texts, 1)]


def split(*texts: str) -> list[tuple[str, tuple[int, ...]]]:
    documents, _ = split_documents(pages(*texts), TYPES)
    return [(document.type, tuple(page.number for page in document.pages)) for document in documents]


def test_a_packet() -> None:
    assert split(COVER, FORM, CONSULT_1, CONSULT_2, CT, PATHOLOGY_1, PATHOLOGY_2, PLAN, HANDOUT) == [
        ("fax_cover", (1,)),
        ("pa_request_form", (2,)),
        ("consultation", (3, 4)),
        ("imaging_report", (5,)),
        ("pathology_report", (6, 7)),
        ("treatment_plan", (8,)),
        ("other", (9,)),
    ]


def test_interleaved_documents_are_put_together_again() -> None:
    assert split(CONSULT_1, PATHOLOGY_1, CONSULT_2, PATHOLOGY_2) == [
        ("consultation", (1, 3)),
        ("pathology_report", (2, 4)),
    ]


def test_pages_in_wrong_order_are_read_in_the_right_one() -> None:
    assert split(FORM, CONSULT_2, CONSULT_1, CT) == [
        ("pa_request_form", (1,)),
        ("consultation", (3, 2)),
        ("imaging_report", (4,)),
    ]


def test_missing_page_is_told() -> None:
    first = CONSULT_1.replace("Page 1 of 2", "Page 1 of 3")
    third = CONSULT_2.replace("Page 2 of 2", "Page 3 of 3")
    documents, problems = split_documents(pages(FORM, first, third, CT), TYPES)
    assert [document.type for document in documents] == ["pa_request_form", "consultation", "imaging_report"]
    assert [(problem.page, problem.code) for problem in problems] == [(2, "missing_page")]
    assert "page 2 of 3" in problems[0].message
    assert "THORNBURY" not in problems[0].message


def test_a_complete_document_misses_nothing() -> None:
    assert split_documents(pages(CONSULT_1, CONSULT_2), TYPES)[1] == ()


def test_the_fax_machines_page_count_is_not_the_documents() -> None:
    banner = "05/01/2026 09:1{0}  FROM: 555-0101  TO: 555-0199   PAGE 00{0}/004\n\n"
    cover = COVER.replace("PAGES: 5", "PAGES: 4")
    texts = [banner.format(number) + text for number, text in enumerate((cover, FORM, CT, PLAN), 1)]
    documents, problems = split_documents(pages(*texts), TYPES)
    assert [document.type for document in documents] == [
        "fax_cover",
        "pa_request_form",
        "imaging_report",
        "treatment_plan",
    ]
    assert problems == ()


def test_a_page_that_goes_on_without_a_number() -> None:
    rest = "the mass has grown since. She has no pain.\nPHYSICAL EXAMINATION: abdomen soft, lungs clear."
    assert split(CONSULT_1.replace("Page 1 of 2", ""), rest) == [("consultation", (1, 2))]


HEADED = "THORNBURY, AGNES     MRN 700123     06/02/2026"


@pytest.mark.parametrize("head", [HEADED, HEADED + "     CONSULT", "Elmfield Kidney Center\n" + HEADED])
def test_a_repeated_head_goes_on(head: str) -> None:
    first = CONSULT_1.replace("Page 1 of 2", "")
    assert split(first, head + "\nBP 130/70. Lungs clear. Abdomen soft.") == [("consultation", (1, 2))]


@pytest.mark.parametrize(
    "head",
    [HEADED + "\nCRYO PLAN", HEADED.replace("06/02", "07/09") + "\nOFFICE NOTE", HEADED + "\nDear Dr. Holt,"],
    ids=["title", "day", "salutation"],
)
def test_a_repeated_head_with_something_new_starts(head: str) -> None:
    first = CONSULT_1.replace("Page 1 of 2", "")
    assert [numbers for _, numbers in split(first, head + "\nBP 130/70. Lungs clear.")] == [(1,), (2,)]


@pytest.mark.parametrize(
    ("one", "two"),
    [("sheet 1 / 2", "sheet 2 / 2"), ("page one of two", "page two of two"), ("", "SECOND PAGE")],
)
def test_page_numbers_in_other_words(one: str, two: str) -> None:
    pair = CONSULT_1.replace("Page 1 of 2", one), CONSULT_2.replace("Page 2 of 2", two)
    assert split(*pair) == [("consultation", (1, 2))]


def test_a_date_behind_sheet_is_no_page_number() -> None:
    cover = COVER.replace("FAX COVER SHEET", "Fax sheet     19 May 2026")
    assert [numbers for _, numbers in split(cover, FORM, CT)] == [(1,), (2,), (3,)]


def test_two_reports_of_one_laboratory_are_two_documents() -> None:
    first = PATHOLOGY_1.replace("Page 1 of 2", "")
    second = first.replace("WM26-100", "WM26-222").replace("core biopsy", "second biopsy")
    assert split(first, second) == [("pathology_report", (1,)), ("pathology_report", (2,))]


def test_blank_pages_and_copies_belong_to_no_document() -> None:
    blank = Page("fax.pdf", 2, "ocr", 0, 612, 792, "", (), blank=True)
    copy = Page("fax.pdf", 4, "ocr", 0, 612, 792, CONSULT_1, (), duplicate_of=("fax.pdf", 1))
    documents, _ = split_documents([page(1, CONSULT_1), blank, page(3, CONSULT_2), copy], TYPES)
    assert [[page.number for page in document.pages] for document in documents] == [[1, 3]]


def test_a_document_never_spans_files() -> None:
    documents, _ = split_documents([page(1, CONSULT_1, "a.pdf"), page(1, CT, "b.pdf")], TYPES)
    assert [document.file for document in documents] == ["a.pdf", "b.pdf"]


TEXTS = {
    "new patient": (
        "history_and_physical",
        "Initial visit\nCC: lump\nHPI: a lump for a year\nPMH: none\nROS: negative\nPE\nNeck supple",
    ),
    "no title": (
        "history_and_physical",
        "HX\nHere for a sore.\nMeds: none\nPE\nScalp clear. Nodes none.\nIMP\nkeratosis",
    ),
    "title before reason": (
        "history_and_physical",
        "HISTORY AND PHYSICAL\nREASON FOR CONSULTATION: mass\nHPI: a mass\nPMH: none\nEXAM: lungs clear",
    ),
    "letter with examination": (
        "consultation",
        "Dear Dr. Holt,\nThank you for referring Mr. Vane.\nPast medical history: gout.\n"
        "Allergies: none.\nOn examination the abdomen is soft.",
    ),
    "soap": (
        "progress_note",
        "OFFICE NOTE\nS: here for follow up\nO: BP 120/80\nA: stable\nP: recheck in 3 months",
    ),
    "a call under another title": (
        "progress_note",
        "H&P UPDATE\nTELEPHONE ENCOUNTER\nSpoke with patient by phone. No new complaints.",
    ),
    "discharge": (
        "discharge_summary",
        "DISCHARGE DIAGNOSIS: sepsis\nHOSPITAL COURSE: treated\nDISCHARGE MEDICATIONS: none",
    ),
    "operation": (
        "operative_report",
        "PREOPERATIVE DIAGNOSIS: mass\nPROCEDURE PERFORMED: biopsy\nThe patient was prepped and draped.",
    ),
    "laboratory": (
        "laboratory_report",
        "LABORATORY REPORT\nTest     Result   Reference range\nHemoglobin 13  g/dL\nCreatinine 1.0 mg/dL",
    ),
    "board": (
        "tumor_board_note",
        "THORACIC TUMOR BOARD\nPresenter: Wick\nCONSENSUS: stage IB\nRECOMMENDATION: ablation",
    ),
    "consent": (
        "consent_form",
        "CONSENT FOR PROCEDURE\nI authorize Dr. Wick. I understand the risks.\nPatient signature ____",
    ),
    "argument": (
        "letter_of_medical_necessity",
        "To whom it may concern:\nThis letter supports cryoablation for my patient.\n"
        "It is medically necessary.\nSincerely",
    ),
    "payer's letter": (
        "other",
        "NOTICE OF RECEIPT\nWe received a request. Please send these within 14 calendar days.\n"
        "Utilization Management",
    ),
    "portal message": (
        "other",
        "Secure message\nYour results are in. You will hear from us. Call us with questions.",
    ),
    "emergency": (
        "emergency_note",
        "CHIEF COMPLAINT: fall\nHPI: brought in by ambulance\nEMERGENCY DEPARTMENT COURSE: observed",
    ),
    "superbill": (
        "pa_request_form",
        "PRE-AUTH SUPERBILL\nINS BAYSIDE   ID BAY 1\nX 17281 destruction\n17282 destruction\nPROV WICK MD",
    ),
}


@pytest.mark.parametrize(("kind", "text"), TEXTS.values(), ids=TEXTS)
def test_type_of_a_text(kind: str, text: str) -> None:
    found, confidence = classify_text(text, TYPES)
    assert found == kind
    assert 0 < confidence <= 1


SHEET = "\nPell, Ruth   4/5/1950\n"
ASKS = SHEET + "card no ... QRS 771-20\nservice ... cryo of kidney\ncode ...... 50593\ndx ........ C64.2"
PLANS = SHEET + "what    perc cryo\narea    left lower pole, 2.4 cm\nprobes  2\nhold    asa 5 d\nafter   home"
STORY = SHEET + "STORY: a mass seen by chance.\nPAST: none.\nMEDS: none.\nEXAM: BP 130/70. Lungs clear."
TISSUE = SHEET + "needle cores x3\nclear cell renal cell carcinoma\nPAX8 +  CA-IX +  CK7 -\ngross: 1.2 cm"
SENDS = SHEET + "to    Bayside Plan   555-0111\nfrom  Odette\npages 6\nsending: form, visit, CT, path, plan"

# Papers by the many names that offices give them.
NAMES = {
    "pa_request_form": (
        ASKS,
        ["SLIP FOR PRIOR APPROVAL", "Pre-service worksheet", "NOTIFICATION OF PLANNED PROCEDURE"],
        ["ORDER / CHARGE SHEET", "COVERAGE DETERMINATION REQUEST", "P R E C E R T   F O R M"],
    ),
    "treatment_plan": (
        PLANS,
        ["CRYO PLAN", "Ablation day sheet", "IR order set", "Therapy proposal"],
        ["OPERATIVE PLAN", "PLAN", "CASE SHEET"],
    ),
    "history_and_physical": (
        STORY,
        ["NEW PATIENT", "H & P", "Full work-up"],
        ["PRE-PROCEDURE CLEARANCE", "First visit"],
    ),
    "pathology_report": (TISSUE, ["TISSUE REPORT", "Needle biopsy diagnosis"], ["Dermpath"]),
    "fax_cover": (SENDS, ["Telefax", "FAX LEAD SHEET"], ["T R A N S M I T T A L"]),
}
NAMED = [(kind, name + body) for kind, (body, *lists) in NAMES.items() for names in lists for name in names]


@pytest.mark.parametrize(("kind", "text"), NAMED, ids=lambda value: value.split("\n")[0])
def test_papers_by_their_many_names(kind: str, text: str) -> None:
    assert classify_text(text, TYPES)[0] == kind


def test_a_payer_called_plan_titles_no_treatment_plan() -> None:
    assert classify_text("UNION BENEFIT PLAN\nservice request" + ASKS, TYPES)[0] == "pa_request_form"


def test_every_type_of_the_contract_is_known() -> None:
    assert " ".join(sorted(TYPES)) == (
        "consent_form consultation discharge_summary emergency_note fax_cover history_and_physical "
        "imaging_report laboratory_report letter letter_of_medical_necessity operative_report other "
        "pa_request_form pathology_report progress_note treatment_plan tumor_board_note"
    )
    assert TYPES.loinc("history_and_physical") == "34117-2"
    assert TYPES.loinc("fax_cover") is None


def test_title_and_date_of_service() -> None:
    document = split_documents(pages(CONSULT_1, CONSULT_2), TYPES)[0][0]
    assert (document.title, document.service_date) == ("CONSULTATION", "2026-06-02")


TITLES = [
    ("CONSULTATION", "CONSULTATION"),
    ("DEPARTMENT OF UROLOGY - CONSULTATION", "DEPARTMENT OF UROLOGY - CONSULTATION"),
    ("Consultation note:", "Consultation note"),
    ("Planning sheet - office cryo", "Planning sheet - office cryo"),
    ("Mr. Vane returned for a consultation about his kidney.", None),
    ("see the consultation note", None),
    ("Please send the consultation", None),
    ("Consultation 06/02/2026, CT 05/04/2026.", None),
    ("Phone: consultation desk", None),
]


@pytest.mark.parametrize(("line", "title"), TITLES)
def test_a_title_is_a_heading_or_none(line: str, title: str | None) -> None:
    text = f"{line}\nPatient: Thornbury, Agnes\nSeen today. Lungs clear. She feels well."
    document = split_documents(pages(text), TYPES)[0][0]
    assert document.title == (title or TYPES[document.type].title)


def test_the_first_day_is_no_birth_date_whose_label_was_lost() -> None:
    head = "OFFICE NOTE\nThornbury, Agnes   04/05/1950   MRN 700123\n06/02/2026\nSeen today 06/02/2026."
    assert split_documents(pages(head), TYPES)[0][0].service_date == "2026-06-02"


def test_words_of_a_separate_sheet_make_no_separator() -> None:
    page = Page("f.pdf", 1, "ocr", 0, 612, 792, CONSULT_1 + "\nThe plan is on a separate sheet.", ())
    assert split_documents([page], TYPES)[0][0].type == "consultation"


@pytest.mark.parametrize(
    "barcoded", [True, False], ids=["separator", "no barcode: a page without words of its own"]
)
def test_a_barcode_and_hardly_a_word_part_documents(barcoded: bool) -> None:
    codes = (Barcode("BATCH-0004", Box(100, 100, 300, 160)),) if barcoded else ()
    sheet = Page("fax.pdf", 2, "ocr", 0, 612, 792, "0004", (), barcodes=codes)
    rest = CONSULT_2.replace("Page 2 of 2", "")
    first = CONSULT_1.replace("Page 1 of 2", "")
    documents, _ = split_documents([page(1, first), sheet, page(3, CT), page(4, rest)], TYPES)
    found = [(document.type, tuple(page.number for page in document.pages)) for document in documents]
    assert (("other", (2,)) in found) is barcoded


def test_a_barcode_on_a_page_of_words_parts_nothing() -> None:
    codes = (Barcode("MRN700123", Box(100, 100, 300, 160)),)
    texts = (CONSULT_1.replace("Page 1 of 2", ""), CONSULT_2.replace("Page 2 of 2", "continued"))
    pages = [
        Page("fax.pdf", n, "ocr", 0, 612, 792, text, (), barcodes=codes) for n, text in enumerate(texts, 1)
    ]
    assert [len(document.pages) for document in split_documents(pages, TYPES)[0]] == [2]


def test_misread_titles_are_recognised() -> None:
    misread = "TELEPHOME ENCOUNIER\nPatlent called in. Call duralion 5 min."
    document = split_documents([Page("f.pdf", 1, "ocr", 0, 612, 792, misread, ())], TYPES)[0][0]
    assert document.type == "progress_note"
