"""T and N that a report describes without naming them."""

from __future__ import annotations

from pathlib import Path

import pytest
from spacy.language import Language

from pipeline.catalog.extent import load_extent
from pipeline.catalog.findings import load_findings
from pipeline.domain import AnnotatedDocument, Document, Field, Page, Request, Status
from pipeline.findings import extract_findings
from pipeline.findings.extent import derived_t, with_derived
from pipeline.findings.extent_nodes import derived_m, derived_n
from pipeline.findings.extent_words import DERIVED_T
from pipeline.nlp import annotate, load_nlp

MODELS = Path(__file__).parent.parent / "models"
RULES = load_extent(MODELS)


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_nlp(MODELS)


def annotated(nlp: Language, text: str) -> AnnotatedDocument:
    document = Document("d", "pathology_report", "", (Page("f", 1, "text", 0, 1, 1, text, ()),))
    return annotate(nlp, [document])[0]


@pytest.mark.parametrize(
    ("site", "text", "t"),
    [
        ("breast", "Tumor size: 1.8 cm.", "T1"),
        ("breast", "Tumor size: 3.5 x 2 x 2 cm.", "T2"),
        ("breast", "Tumor size: 6 cm.", "T3"),
        ("kidney", "Renal cell carcinoma, 5 cm in greatest dimension.", "T1"),
        ("kidney", "Tumor size: 5 cm. Tumor extends into the renal sinus fat.", "T3"),
        ("kidney", "Tumor size: 5 cm. Tumor does not extend into perinephric fat.", "T1"),
        ("kidney", "Tumor size: 9 cm. No invasion of the renal vein.", "T2"),
        ("lung", "Tumor size: 2 cm. Tumor invades the visceral pleura.", "T2"),
        ("lung", "Tumor size: 2 cm. Pleural invasion: not identified.", "T1"),
        ("colorectal", "Adenocarcinoma invades into the muscularis propria.", "T2"),
        ("colorectal", "Adenocarcinoma invades through muscularis propria into\npericolic fat.", "T3"),
        ("prostate", "Extraprostatic extension: present.", "T3"),
        ("prostate", "Extraprostatic extension: not identified.", "T2"),
        ("skin", "Melanoma, Breslow depth 4.5 mm.", "T4"),
        ("skin", "Comments: Breslow tumor thickness at diagnosis = 8 mm", "T4"),
        ("kidney", "Tumor size: 9.0 x. 6.0 x 6.0 cm.", "T2"),
        ("kidney", "Mass of 5 cm. It does not appear to. extend into the perinephric fat.", "T1"),
        ("breast", "Invasive carcinoma, grade III. MEASURING 2.3 CM IN LARGEST DIMENSION.", "T2"),
        ("breast", "Invasive carcinoma. SPECIMEN MEASURING 12 CM IN LARGEST DIMENSION.", None),
        ("breast", "Invasive ductal carcinoma. Nodules range in size from 1.0 cm up to. 3.7 cm.", "T2"),
        ("breast", "Foci of invasive carcinoma separated by 3.0 cm of breast tissue.", None),
        ("breast", "Left breast, sized 26 x 18 x 5 cm. Tumour sized 3.5 x 2.5 cm.", "T2"),
        ("breast", "Tumor size: 3 cm. There is tumor extension into the skin.", "T4"),
        ("thyroid", "PAPILLARY CARCINOMA OF THYROID, LEFT LOBE (3.5 CM).", "T2"),
        ("kidney", "Renal cell carcinoma, 7.5 cm, invasive into renal sinus adipose tissue.", "T3"),
        ("adrenal", "Tumor is 208 g; measuring 9.3 x 8.7 cm.", "T2"),
        ("head_neck", "Laryngectomy: squamous carcinoma in thyroid cartilage.", "T4"),
        ("uvea", "Choroidal melanoma. LBD 14 mm, height 5 mm.", "T2"),
        ("uvea", "Choroidal melanoma, 13 mm base, 7 mm height.", "T3"),
        ("uvea", "Choroidal melanoma. The eye measures 25 x 24 mm.", None),
        ("stomach", "Tumor extent: Submucosa. Lymph nodes: 0/5.", "T1"),
        ("stomach", "Extent of invasion: Liver.", "T4"),
        ("stomach", "Liver: unremarkable.", None),
        ("pleura", "Mesothelioma infiltrates into the mediastinal fat.", "T3"),
        ("breast", "Invasive ductal carcinoma.", None),
        ("breast", "Skin ellipse 12 cm. Lymph node 3 cm.", None),
        ("ovary", "Tumor size: 3 cm.", None),
    ],
)
def test_derived_t(nlp: Language, site: str, text: str, t: str | None) -> None:
    assert derived_t(annotated(nlp, text), site, RULES).value == t


def test_a_row_of_another_edition_names_it(nlp: Language) -> None:
    """AJCC 6 calls a serosa penetrated T3, AJCC 7 T4a."""
    field = derived_t(annotated(nlp, "Tumor extent: serosa."), "stomach", RULES)
    assert (field.value, field.edition) == ("T3", "6")


@pytest.mark.parametrize(
    ("site", "text", "n"),
    [
        ("breast", "Two of twelve lymph nodes positive for carcinoma.", "N1"),
        ("breast", "Metastatic carcinoma in 5 of 12 lymph nodes.", "N2"),
        ("breast", "Lymph nodes, 0/12.", "N0"),
        ("colorectal", "Metastatic carcinoma in four of nineteen lymph nodes (4/19).", "N2"),
        ("kidney", "Lymph nodes, hilar: no tumor present (0/3).", "N0"),
        ("lung", "Lymph node, level 7: negative for malignancy.", "N0"),
        ("lung", "Lymph node, subcarinal: metastatic carcinoma in one of two lymph nodes.", "N2"),
        ("lung", "Metastatic carcinoma in one of two hilar lymph nodes.", "N1"),
        ("breast", "METASTATIC CARCINOMA INVOLVING TWO (2) OF NINE (9) LYMPH. NODES.", "N1"),
        ("thyroid", "Number of lymph nodes with metastatic disease: 1. One benign lymph node (0/1).", "N1"),
        ("lung", "Single lymph node pieces. Tumor grade: 2 out of 3.", None),
        ("kidney", "No lymph nodes are submitted.", None),
        ("kidney", "Renal cell carcinoma.", None),
    ],
)
def test_derived_n(nlp: Language, site: str, text: str, n: str | None) -> None:
    assert derived_n(annotated(nlp, text), site, RULES).value == n


def test_what_is_written_stays(nlp: Language) -> None:
    source = annotated(nlp, "Tumor size: 6 cm.")
    written = Field(value="T1", status=Status.FOUND, evidence=derived_t(source, "breast", RULES).evidence)
    assert with_derived(written, Field(), source, "breast", RULES)[0].value == "T1"


def test_what_is_derived_is_marked(nlp: Language) -> None:
    field = derived_t(annotated(nlp, "Tumor size: 6 cm."), "breast", RULES)
    assert [evidence.extractor for evidence in field.evidence] == [DERIVED_T]
    assert field.confidence is not None
    assert field.confidence <= 0.75


@pytest.mark.parametrize(
    ("site", "text", "m"),
    [
        ("colorectal", "FINAL DIAGNOSIS: Liver, biopsy: metastatic adenocarcinoma.", "M1"),
        ("colorectal", "FINAL DIAGNOSIS: Metastatic carcinoma involving the omentum.", "M1"),
        ("colorectal", "FINAL DIAGNOSIS: Liver, biopsy: no metastatic adenocarcinoma.", None),
        ("colorectal", "FINAL DIAGNOSIS: Metastatic adenocarcinoma in two lymph nodes.", None),
        ("liver", "FINAL DIAGNOSIS: Liver, biopsy: metastatic adenocarcinoma.", None),
        ("colorectal", "FINAL DIAGNOSIS: adenocarcinoma of the colon.", None),
    ],
)
def test_derived_m_is_m1_or_nothing(nlp: Language, site: str, text: str, m: str | None) -> None:
    assert derived_m(annotated(nlp, text), site, RULES).value == m


@pytest.mark.parametrize(
    ("document_type", "derive", "t"),
    [("pathology_report", True, "T1"), ("pathology_report", False, None), ("progress_note", True, None)],
)
def test_only_a_lone_pathology_report_is_derived_from(
    nlp: Language, document_type: str, derive: bool, t: str | None
) -> None:
    text = "FINAL DIAGNOSIS: Breast, left: invasive ductal carcinoma. Tumor size: 1.8 cm."
    page = Page("f", 1, "text", 0, 1, 1, text, ())
    source = annotate(nlp, [Document("d", document_type, "", (page,))])
    found = extract_findings(source, Request(), load_findings(MODELS), derive_categories=derive)
    assert found["t"].value == t
