"""Codes against their books, the words beside them and the papers: told, marked, never repaired."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog.procedure_codes import load_procedure_codes
from pipeline.catalog.request import load_request
from pipeline.catalog.target import load_target
from pipeline.catalog.treatment import load_treatment
from pipeline.domain import Box, Document, Evidence, Field, Page, Problem, Request, Status, Word
from pipeline.nlp import annotate, load_nlp
from pipeline.request import check_request, read_request

MODELS = Path(__file__).parents[1] / "models"
RULES = load_request(MODELS)
TARGET = load_target(MODELS)
CODES = load_procedure_codes(MODELS)
NLP = load_nlp(MODELS)
WORDS = Evidence("fax.pdf", 9, "d9", 0, 4, "said")


def paper(number: int, text: str, kind: str = "pa_request_form", source: str = "text") -> Document:
    page = Page("fax.pdf", number, source, 0, 612, 792, text, ())  # type: ignore[arg-type]  # a literal
    return Document(f"d{number}", kind, "", (page,))


def checked(*papers: Document, **findings: str) -> tuple[Request, tuple[Problem, ...]]:
    request = read_request(papers, RULES)
    told = {name: Field(value, Status.FOUND, 0.9, evidence=(WORDS,)) for name, value in findings.items()}
    return check_request(annotate(NLP, papers), request, told, RULES, TARGET.site_of_icd10)


def codes_of(problems: tuple[Problem, ...]) -> list[str]:
    return [problem.code for problem in problems]


# --------------------------------------------------------------------------- procedure codes


def test_a_misread_code_that_its_description_contradicts_has_no_value() -> None:
    form = paper(2, "CPT  80593   Cryoablation of renal tumor, percutaneous\nDx  C64.1", source="ocr")
    request, problems = checked(form)
    [code] = request.cpt
    assert (code.status, code.value) == (Status.UNCERTAIN, None)
    assert [other.value for other in code.alternatives] == ["80593"]
    assert code.evidence[0].quote == "80593"
    assert [(p.code, p.file, p.page) for p in problems] == [("code_contradicts_words", "fax.pdf", 2)]


def test_another_place_that_agrees_with_the_description_is_shown_beside_it() -> None:
    form = paper(2, "CPT  80593   Cryoablation of renal tumor, percutaneous\nDx  C64.1", source="ocr")
    cover = paper(1, "Request for CPT 50593", "fax_cover", "ocr")
    request, problems = checked(cover, form)
    [code] = request.cpt
    assert (code.status, code.value, code.evidence[0].page) == (Status.CONFLICTING, "50593", 1)
    assert [(other.value, other.evidence[0].page) for other in code.alternatives] == [("80593", 2)]
    assert codes_of(problems) == ["code_contradicts_words"]


@pytest.mark.parametrize(
    ("line", "problems"),
    [
        ("50593   Cryoablation, lung tumor", ["code_contradicts_words"]),
        ("50593   Radiofrequency ablation of renal tumor", ["code_contradicts_words"]),
        ("50592   Cryoablation of renal tumor", ["code_contradicts_words"]),
        ("80593   Cryoablation of renal tumor", ["code_contradicts_words"]),
        ("05817   Cryoablation, breast", ["unknown_code"]),
        # near misses
        ("50593   Cryoablation of renal tumor", []),
        ("50593", []),
        ("50542   Ablation of renal mass, cryo, laparoscopic", []),
        ("20983   Cryoablation, left rib", []),
        ("77013   CT guidance for lung ablation", []),
        ("43229   Ablation of esophageal lesion", []),
        ("67299   Cryotherapy, choroid", []),
    ],
)
def test_a_procedure_code_and_the_words_beside_it(line: str, problems: list[str]) -> None:
    request, told = checked(paper(1, f"CPT code  {line}"))
    assert codes_of(told) == problems
    assert request.cpt[0].value == line[:5]
    conflict = request.cpt[0].status is Status.CONFLICTING
    assert conflict is (problems == ["code_contradicts_words"])


def test_the_words_that_contradict_are_shown() -> None:
    [code] = checked(paper(1, "CPT  50593   Cryoablation, lung tumor"))[0].cpt
    [words] = code.alternatives
    assert words.evidence[0].quote == words.value == "Cryoablation, lung tumor"


def test_a_description_on_the_next_line_counts() -> None:
    form = paper(1, "CPT 32994\nDescription   cryoablation, renal tumor, left")
    assert codes_of(checked(form)[1]) == ["code_contradicts_words"]


@pytest.mark.parametrize(("source", "status"), [("ocr", Status.UNCERTAIN), ("text", Status.FOUND)])
def test_an_unlisted_code_like_a_listed_one_is_doubtful_where_it_was_recognised(
    source: str, status: Status
) -> None:
    form = paper(1, "CPT  32004   Ablation, pulmonary tumor, percutaneous, cryo", source=source)
    assert checked(form)[0].cpt[0].status is status


@pytest.mark.parametrize(
    ("code", "confirmed", "status"),
    [
        ("67209", False, Status.UNCERTAIN),
        ("67209", True, Status.FOUND),
        ("50593", False, Status.FOUND),  # of the few that are listed: not found by chance
    ],
)
def test_an_unlisted_code_is_believed_where_its_digits_are_confirmed(
    code: str, *, confirmed: bool, status: Status
) -> None:
    words = (Word("CPT", Box(0, 0, 9, 9), 0, 3, 0.9), Word(code, Box(9, 0, 40, 9), 4, 9, 0.9, confirmed))
    page = Page("fax.pdf", 2, "ocr", 0, 612, 792, f"CPT {code}", words)
    request, problems = checked(Document("d2", "pa_request_form", "", (page,)))
    assert [field.status for field in request.cpt] == [status]
    assert codes_of(problems) == (["code_not_readable"] if status is Status.UNCERTAIN else [])


# --------------------------------------------------------------------------- diagnosis codes


@pytest.mark.parametrize(
    ("line", "problems"),
    [
        ("C64.7   left kidney", ["unknown_code"]),
        ("C64.1   Malignant neoplasm of left kidney", ["code_contradicts_words"]),
        ("C64.1   renal cell carcinoma, LT", ["code_contradicts_words"]),
        ("D30.01  Malignant neoplasm of kidney", ["code_contradicts_words"]),
        ("D30.01  carcinoma in situ", ["code_contradicts_words"]),
        ("I60.32  Chronic diastolic heart failure", ["code_contradicts_words"]),
        ("C64     kidney cancer", ["incomplete_code"]),
        # near misses
        ("C64.1   Malignant neoplasm of right kidney", []),
        ("C64.2   left renal cell carcinoma", []),
        ("C61     prostate cancer", []),
        ("C44.42  SCC of scalp and neck", []),
        ("I50.32  heart failure, right and left", []),
        ("J44.9   COPD, moderate, on oxygen", []),
        ("D17.71  angiomyolipoma, left kidney", []),
        ("N40.1   benign enlargement of prostate", []),
        ("C34.31  T1c N0 M0", []),
    ],
)
def test_a_diagnosis_code_and_the_words_beside_it(line: str, problems: list[str]) -> None:
    request, told = checked(paper(1, f"Dx code  {line}"))
    assert codes_of(told) == problems
    assert request.icd10[0].value == line.split()[0]  # as stated, whatever the words say


def test_a_code_that_does_not_exist_has_no_value_where_it_was_recognised() -> None:
    [code] = checked(paper(1, "Dx code  C64.7", source="ocr"))[0].icd10
    assert (code.status, code.value, code.alternatives[0].value) == (Status.UNCERTAIN, None, "C64.7")


def test_a_misread_diagnosis_whose_words_another_place_supports() -> None:
    form = paper(1, "CPT 50593\nDx code  I60.32  Chronic diastolic heart failure", source="ocr")
    cover = paper(2, "Dx: I50.32", "fax_cover", "ocr")
    [code] = checked(form, cover)[0].icd10
    assert (code.status, code.value, code.alternatives[0].value) == (Status.CONFLICTING, "I50.32", "I60.32")


@pytest.mark.parametrize(
    ("printed", "value", "quote"),
    [
        ("C34.1l", "C34.11", "C34.1l"),
        ("C34.I1", "C34.11", "C34.I1"),
        ("C5O.412", "C50.412", "C5O.412"),
        ("C64,1", "C64.1", "C64,1"),
        ("(22.0", "C22.0", "(22.0"),
        ("J449", "J44.9", "J449"),
    ],
)
def test_misread_characters_are_read_through_a_normal_form(printed: str, value: str, quote: str) -> None:
    [code] = checked(paper(1, f"ICD-10  {printed}", source="ocr"))[0].icd10
    assert (code.value, code.evidence[0].quote) == (value, quote)


def test_what_cannot_be_read_alone_is_read_by_its_words() -> None:
    line = "| Co9.31    malignant neoplasm of right choroid"
    [code] = checked(paper(1, f"Dx\n{line}", source="ocr"))[0].icd10
    assert (code.value, code.evidence[0].quote) == ("C69.31", line.removeprefix("| "))
    assert checked(paper(1, "Dx\n| Co9.31    see attached", source="ocr"))[0].icd10 == ()


def test_a_code_without_its_dot_in_the_column_of_others() -> None:
    form = "Diagnoses    C34.81   overlapping sites\n             R042     hemoptysis\n             Z998"
    assert [code.value for code in checked(paper(1, form))[0].icd10] == ["C34.81", "R04.2"]


# --------------------------------------------------------------------------- the papers


@pytest.mark.parametrize(
    ("form", "findings", "problems"),
    [
        ("CPT 50593  Dx C64.1", {"tumor_site": "kidney", "laterality": "right", "origin": "primary"}, []),
        ("CPT 50593  Dx C64.1", {"tumor_site": "kidney", "laterality": "left"}, ["code_contradicts_papers"]),
        ("CPT 50593  Dx C64.9", {"tumor_site": "kidney", "laterality": "left"}, []),
        ("CPT 50593  Dx C64.1, C64.2", {"tumor_site": "kidney", "laterality": "left"}, []),
        ("CPT 50593  Dx C64.1", {"tumor_site": "kidney", "behavior": "benign"}, ["code_contradicts_papers"]),
        ("CPT 50593  Dx D30.01", {"tumor_site": "kidney", "behavior": "benign"}, []),
        ("CPT 50593  Dx D49.511", {"tumor_site": "kidney", "behavior": "malignant"}, []),
        (
            "CPT 50593  Dx C64.1",
            {"tumor_site": "kidney", "origin": "metastatic"},
            ["code_contradicts_papers"],
        ),
        ("CPT 32994  Dx C34.32, C78.02", {"tumor_site": "lung", "origin": "metastatic"}, []),
        ("CPT 32994  Dx C78.02", {"tumor_site": "lung", "origin": "primary"}, ["code_contradicts_papers"]),
        ("CPT 32994  Dx C34.32", {"tumor_site": "kidney"}, ["code_contradicts_papers"] * 2),
        ("CPT 32994  Dx C64.1", {}, ["codes_contradict"]),
        ("CPT 20983  Dx C64.1, C79.51", {"tumor_site": "bone", "origin": "metastatic"}, []),
        ("CPT 20983  Dx C64.1", {"tumor_site": "bone"}, ["codes_contradict", "code_contradicts_papers"]),
        ("CPT 77013  Dx C64.1", {"tumor_site": "kidney"}, []),
        ("CPT 50593  Dx R31.0", {"tumor_site": "kidney"}, []),
    ],
)
def test_codes_and_what_the_papers_say(form: str, findings: dict[str, str], problems: list[str]) -> None:
    request, told = checked(paper(3, form), **findings)
    assert sorted(codes_of(told)) == sorted(problems)
    assert all(problem.page == 3 for problem in told)
    assert all(code.status is Status.FOUND for code in (*request.cpt, *request.icd10))


def test_no_message_quotes_the_packet() -> None:
    _, problems = checked(
        paper(1, "CPT 50593 Cryoablation, lung tumor\nDx C64.7 x, C64.1 Malignant neoplasm of left kidney"),
        tumor_site="bone",
    )
    assert len(problems) >= 4
    for problem in problems:
        assert not {"50593", "C64", "lung", "left", "bone"} & set(problem.message.replace(".", " ").split())


# --------------------------------------------------------------------------- the code books


def test_names_of_codes() -> None:
    request, _ = checked(paper(1, "CPT 50593  Dx C64.1"))
    names = [(code.code.system, code.code.display) for code in (*request.cpt, *request.icd10) if code.code]
    assert names == [
        ("CPT", "Freezing of kidney tumors through the skin"),
        ("ICD-10-CM", "Malignant neoplasm of right kidney, except renal pelvis"),
    ]


def test_the_lists_of_codes_agree() -> None:
    """The same code stands in the lists of organs, of means and here."""
    for code, site in TARGET.cpt.items():
        assert code not in CODES.by_code or site in CODES.sites_of(code), code
    for modality in load_treatment(MODELS).procedures.modalities:
        for code in modality.codes:
            listed = CODES.by_code.get(code)
            assert listed is None or listed.way in (modality.name, None), code
    assert set(CODES.ways) >= {one.way for one in CODES.code if one.way}


def test_ranges_are_in_order_and_apart() -> None:
    edges = [edge for one in CODES.range for edge in (one.first, one.last)]
    assert edges == sorted(edges)
    assert all(CODES.exists(code) for code in CODES.by_code)
