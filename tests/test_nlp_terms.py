"""Dictionary mentions: what words mean, what only looks like them, sides, sizes, abbreviations."""

from __future__ import annotations

from pathlib import Path

import pytest
from spacy.language import Language

from pipeline.domain import Document, Mention, Page
from pipeline.nlp import annotate, load_nlp

MODELS = Path(__file__).parent.parent / "models"


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_nlp(MODELS)


def mentions(nlp: Language, text: str, label: str) -> list[Mention]:
    document = Document("d", "other", "", (Page("f", 1, "text", 0, 1, 1, text, ()),))
    return [mention for mention in annotate(nlp, [document])[0].mentions if mention.label == label]


def values(nlp: Language, text: str, label: str) -> list[str]:
    return [mention.value for mention in mentions(nlp, text, label)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clear cell renal cell carcinoma", ["clear cell renal cell carcinoma"]),
        ("Clear-cell\n   renal cell carcinoma", ["clear cell renal cell carcinoma"]),
        ("CCRCC", ["clear cell renal cell carcinoma"]),
        ("renal cell carcinomas", ["renal cell carcinoma"]),
        ("squamous cell\ncarcinoma", ["squamous cell carcinoma"]),
        ("BCC, nodular", ["basal cell carcinoma"]),
        ("NSCLC", ["non-small cell lung carcinoma"]),
        ("tumour", ["tumor"]),
        ("carcin0ma", ["carcinoma"]),
        ("oncocytorna", ["oncocytoma"]),
        ("AML of the left kidney", ["angiomyolipoma"]),
        ("AML with blasts, kidney function normal", []),
        ("CIN III of the cervix", ["cervical intraepithelial neoplasia 3"]),
        ("Os normal", []),
        ("as above", []),
        ("metastases", ["metastasis"]),
        ("no masses", ["mass"]),
    ],
)
def test_neoplasm_words(nlp: Language, text: str, expected: list[str]) -> None:
    assert values(nlp, text, "neoplasm") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("left kidney", ["kidney"]),
        ("RUL", ["lung"]),
        ("acetabulum", ["bone"]),
        ("hepatic flexure", ["colorectal"]),
        ("renal function", []),
        ("lung bases clear", []),
        ("breast fed", []),
        ("bone scan", []),
        ("liver edge", []),
        ("cervical spine", []),
        ("prostate specific antigen", []),
        ("choroidal", ["uvea"]),
        ("lower pole", []),
        ("lower pole of the right kidney", ["kidney", "kidney"]),
        ("uterine cervix", ["cervix"]),
        ("oesophagus", ["esophagus"]),
        ("nephrectomy", ["kidney"]),
    ],
)
def test_sites(nlp: Language, text: str, expected: list[str]) -> None:
    assert values(nlp, text, "site") == expected


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("left kidney", "left"),
        ("L kidney", "left"),
        ("KIDNEY, RIGHT,", "right"),
        ("rt breast", "right"),
        ("left lower lobe", "left"),
        ("RLL", "right"),
        ("both kidneys", "bilateral"),
        ("the patient left; kidney normal", None),
        ("kidney", None),
        ("right heart and kidney", None),
    ],
)
def test_side_of_an_organ(nlp: Language, text: str, side: str | None) -> None:
    assert mentions(nlp, text, "site")[-1].attributes.get("laterality") == side


def test_size_belongs_to_the_tumour_beside_it(nlp: Language) -> None:
    found = mentions(nlp, "A 2.9 x 2.7 cm enhancing mass. The liver measures 15 cm.", "neoplasm")
    assert [mention.attributes.get("size_mm") for mention in found] == ["29"]


def test_metastatic_is_said(nlp: Language) -> None:
    texts = ("metastatic renal cell carcinoma in the rib", "renal cell carcinoma")
    found = [mentions(nlp, text, "neoplasm")[0].attributes.get("metastatic") for text in texts]
    assert found == ["true", None]


def test_an_abbreviation_that_the_text_defines(nlp: Language) -> None:
    text = "Seen for papillary urothelial carcinoma (PUC). The PUC is 3 cm."
    assert values(nlp, text, "neoplasm") == ["urothelial carcinoma"] * 3


def test_a_bracket_is_not_always_an_abbreviation(nlp: Language) -> None:
    assert values(nlp, "radial margin (RM) is clear. RM 2 mm.", "neoplasm") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no adenopathy", ["negative"]),
        ("lymph nodes: 0/12", ["negative"]),
        ("three of eight lymph nodes positive", ["positive"]),
        ("nodes: none enlarged", ["negative"]),
        ("station 11R positive for metastatic adenocarcinoma", ["positive"]),
        ("node negative", ["negative"]),
        ("11/12/2026", []),
        ("4 of 12 cores", []),
    ],
)
def test_nodes(nlp: Language, text: str, expected: list[str]) -> None:
    assert sorted(set(values(nlp, text, "nodes"))) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [("2.9 x 2.7 x 2.6 cm", "29"), ("14 mm", "14"), ("2.0 by 1.5 by 1 cm", "20"), ("4,6 cm", "46")],
)
def test_size_in_mm(nlp: Language, text: str, value: str) -> None:
    assert values(nlp, text, "size") == [value]


@pytest.mark.parametrize("text", ["3 cm2", "12 cores", "5 mmHg"])
def test_no_size(nlp: Language, text: str) -> None:
    assert values(nlp, text, "size") == []


def test_a_past_cancer_takes_its_stage_with_it(nlp: Language) -> None:
    text = "History of breast cancer, stage IIB (T2N1)."
    labels = ("stage_group", "tnm_t", "tnm_n")
    assert {str(m.assertion) for label in labels for m in mentions(nlp, text, label)} == {"historical"}


def test_mentions_quote_the_text(nlp: Language) -> None:
    text = "İSTANBUL CLINIC\nLeft renal mass, 3 cm."
    assert [text[m.start : m.end] for m in mentions(nlp, text, "neoplasm")] == ["mass"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("Melanoma. MM of the calf.", 2), ("Melanoma, 5 MM.", 1), ("Melanoma, 5MM thick.", 1)],
)
def test_a_unit_is_not_melanoma(nlp: Language, text: str, said: int) -> None:
    page = Page("f", 1, "text", 0, 1, 1, text, ())
    mentions = annotate(nlp, [Document("d", "other", "", (page,))])[0].mentions
    assert [mention.value for mention in mentions if mention.label == "neoplasm"] == ["melanoma"] * said
