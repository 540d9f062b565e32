"""The tumour that one text is about, and all that it names."""

from __future__ import annotations

from pathlib import Path

import pytest
from spacy.language import Language

from pipeline.catalog.findings import load_findings
from pipeline.domain import AnnotatedDocument, Document, Page
from pipeline.findings.site import neoplasms, principal_site
from pipeline.nlp import annotate, load_nlp

MODELS = Path(__file__).parent.parent / "models"
RULES = load_findings(MODELS)


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_nlp(MODELS)


def annotated(nlp: Language, text: str) -> AnnotatedDocument:
    document = Document("d", "other", "", (Page("f", 1, "text", 0, 1, 1, text, ()),))
    return annotate(nlp, [document])[0]


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("FINAL DIAGNOSIS: KIDNEY, LEFT, NEPHRECTOMY: CLEAR CELL RENAL CELL CARCINOMA.", "kidney"),
        ("SPECIMEN: right lower lobe. DIAGNOSIS: Adenocarcinoma, margins free.", "lung"),
        ("FINAL DIAGNOSIS: invasive ductal carcinoma. Axillary lymph nodes, 0/12.", "breast"),
        ("IMPRESSION: 2 cm enhancing mass of the left kidney. Liver cyst. Lung bases clear.", "kidney"),
        ("ASSESSMENT: Prostate cancer. PMH: colon cancer. FH: mother breast cancer.", "prostate"),
        ("L temple: BCC.", "skin"),
        ("Right iliac wing lytic metastasis of renal cell carcinoma.", "kidney"),
        ("Abdomen soft, no masses. Lungs clear.", None),
        ("FAMILY HISTORY: mother with breast cancer.", None),
        ("Hypertension, well controlled.", None),
        ("", None),
    ],
)
def test_principal_site(nlp: Language, text: str, site: str | None) -> None:
    assert principal_site(annotated(nlp, text), RULES.one_text.site).value == site


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "HPI: Left renal cell carcinoma.\nPMH: prostate cancer 2012.\nFH: mother with breast cancer.",
            [
                ("kidney", "current", "patient"),
                ("prostate", "history", "patient"),
                ("breast", "history", "family"),
            ],
        ),
        ("IMPRESSION: mass of the right kidney.", [("kidney", "suspected", "patient")]),
        ("IMPRESSION: suspicious for lung cancer.", [("lung", "suspected", "patient")]),
        (
            "INDICATION: rule out colon cancer.\nFINDINGS: no colon cancer.",
            [("colorectal", "ruled_out", "patient")],
        ),
        ("No family history of breast cancer.", []),
        ("PATIENT EDUCATION: skin cancer is common.", []),
        ("Bladder tumor, resected today.", [("bladder", "current", "patient")]),
    ],
)
def test_neoplasms(nlp: Language, text: str, expected: list[tuple[str, str, str]]) -> None:
    assert [(n.site, n.status, n.relation) for n in neoplasms(annotated(nlp, text), RULES)] == expected


def test_every_neoplasm_has_evidence_that_quotes_the_text(nlp: Language) -> None:
    source = annotated(nlp, "Left renal cell carcinoma. History of melanoma of the skin.")
    for neoplasm in neoplasms(source, RULES):
        for evidence in neoplasm.evidence:
            assert evidence.quote == source.document.text[evidence.start : evidence.end]
        assert neoplasm.evidence
