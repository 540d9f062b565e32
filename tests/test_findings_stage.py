"""Stage of one text: what is chosen, what stays unknown, and groups by edition."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from spacy.language import Language

from pipeline.catalog.one_text import load_one_text
from pipeline.catalog.staging import load_staging
from pipeline.domain import AnnotatedDocument, Document, Evidence, Field, Page, Status
from pipeline.findings.stage import checked_against_tnm, derive_stage_group, find_stage, group_of
from pipeline.nlp import annotate, load_nlp

MODELS = Path(__file__).parent.parent / "models"
TABLES = load_staging(MODELS)
WEIGHTS = load_one_text(MODELS).stage


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_nlp(MODELS)


def annotated(nlp: Language, text: str) -> AnnotatedDocument:
    document = Document("d", "other", "", (Page("f", 1, "text", 0, 1, 1, text, ()),))
    return annotate(nlp, [document])[0]


@pytest.mark.parametrize(
    ("edition", "t", "n", "m", "group"),
    [
        ("8", "T1A", "N0", "M0", "IA1"),
        ("8", "T1B", "N0", "M0", "IA2"),
        ("8", "T1C", "N0", "M0", "IA3"),
        ("8", "T2A", "N0", "M0", "IB"),
        ("8", "T2B", "N0", "M0", "IIA"),
        ("8", "T1C", "N1", "M0", "IIB"),
        ("8", "T3", "N0", "M0", "IIB"),
        ("8", "T4", "N0", "M0", "IIIA"),
        ("8", "T2A", "N2", "M0", "IIIA"),
        ("8", "T3", "N2", "M0", "IIIB"),
        ("8", "T4", "N3", "M0", "IIIC"),
        ("8", "T1A", "N0", "M1A", "IVA"),
        ("8", None, None, "M1C", "IVB"),
        ("8", "T1MI", "N0", "M0", "IA1"),
        ("7", "T1A", "N0", "M0", "IA"),
        ("7", "T2B", "N0", "M0", "IIA"),
        ("7", "T1B", "N1", "M0", "IIA"),
        ("7", "T2A", "N1", "M0", "IIA"),
        ("7", "T2B", "N1", "M0", "IIB"),
        ("6", "T1", "N1", "M0", "IIA"),
        ("6", "T2", "N0", "M0", "IB"),
        ("9", "T1B", "N1", "M0", "IIA"),
        ("9", "T2A", "N1", "M0", "IIB"),
        ("9", "T1A", "N2A", "M0", "IIB"),
        ("9", "T2A", "N2B", "M0", "IIIB"),
        ("9", "T3", "N2A", "M0", "IIIA"),
        ("8", "T2", "N0", "M0", None),  # T2 without its letter: IB or IIA
        ("8", "T1A", "NX", "M0", None),
        ("8", "T1A", "N0", "MX", None),
        ("8", "T1A", "N0", None, None),
        ("8", "T1A", None, "M0", None),
        ("9", "T1A", "N2", "M0", None),
    ],
)
def test_lung_groups(edition: str, t: str | None, n: str | None, m: str | None, group: str | None) -> None:
    assert group_of(TABLES["lung"], edition, t, n, m) == group


@pytest.mark.parametrize(
    ("t", "n", "m", "group"),
    [
        ("T1A", "N0", "M0", "I"),
        ("T1B", "N0", "M0", "I"),
        ("T2A", "N0", "M0", "II"),
        ("T1A", "N1", "M0", "III"),
        ("T3A", "NX", "M0", "III"),
        ("T3B", "N0", "M0", "III"),
        ("T4", "NX", None, "IV"),
        ("T1A", "N0", "M1", "IV"),
        ("T1A", "NX", "M0", None),
        ("T1A", "N0", "MX", None),
        ("T3A", "N0", None, None),
    ],
)
def test_kidney_groups(t: str | None, n: str | None, m: str | None, group: str | None) -> None:
    assert group_of(TABLES["kidney"], "8", t, n, m) == group


@pytest.mark.parametrize(
    ("text", "t", "n", "m", "group"),
    [
        ("STAGING: cT1aN0M0, Stage I (AJCC 8th ed.)", "T1A", "N0", "M0", "I"),
        ("FINAL DIAGNOSIS: renal cell carcinoma, pT3a NX", "T3A", "NX", None, None),
        ("CLINICAL HISTORY: cT1a.\nFINAL DIAGNOSIS: carcinoma, pT1b pN0", "T1B", "N0", None, None),
        ("FINAL DIAGNOSIS: carcinoma pT2. Pathologic stage pT2a.", "T2A", None, None, None),
        ("History of breast cancer, T2N1M0, stage IIB.", None, None, None, None),
        ("FAMILY HISTORY: father lung cancer, stage IV", None, None, None, None),
        ("No adenopathy.", None, None, None, None),
        ("CKD stage 3a. Mass in kidney.", None, None, None, None),
        ("staged T1-2", None, None, None, None),
    ],
)
def test_what_a_text_states(
    nlp: Language, text: str, t: str | None, n: str | None, m: str | None, group: str | None
) -> None:
    stage = find_stage(annotated(nlp, text), "kidney", TABLES, WEIGHTS)
    assert (stage.t.value, stage.n.value, stage.m.value, stage.stage_group.value) == (t, n, m, group)


def test_a_range_is_uncertain_not_absent(nlp: Language) -> None:
    assert (
        find_stage(annotated(nlp, "clinical stage T1-2 N0"), "lung", TABLES, WEIGHTS).t.status
        is Status.UNCERTAIN
    )


def test_derived_group_names_its_edition(nlp: Language) -> None:
    eighth = find_stage(annotated(nlp, "Lung cancer, cT1bN1M0."), "lung", TABLES, WEIGHTS).derived_stage_group
    seventh = find_stage(annotated(nlp, "Lung cancer, cT1bN1M0 (AJCC 7th ed.)."), "lung", TABLES, WEIGHTS)
    assert (eighth.value, eighth.edition) == ("IIB", "8")
    assert (seventh.derived_stage_group.value, seventh.derived_stage_group.edition) == ("IIA", "7")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("cT2aN0M0", "negative"),
        ("pT1 pN1", "positive"),
        ("No adenopathy.", "negative"),
        ("Metastatic carcinoma in 2 of 9 lymph nodes.", "positive"),
        ("pT1 pNX", None),
        ("A renal mass.", None),
    ],
)
def test_node_status(nlp: Language, text: str, status: str | None) -> None:
    assert find_stage(annotated(nlp, text), "kidney", TABLES, WEIGHTS).node_status.value == status


def test_no_group_without_a_table() -> None:
    assert derive_stage_group("skin", Field(), Field(), Field(), TABLES).value is None


def test_evidence_is_the_words(nlp: Language) -> None:
    source = annotated(nlp, "FINAL DIAGNOSIS: renal cell carcinoma, pT1a")
    (evidence,) = find_stage(source, "kidney", TABLES, WEIGHTS).t.evidence
    assert evidence.quote == source.document.text[evidence.start : evidence.end] == "pT1a"


def _stated(value: str, source: Literal["text", "ocr"] = "text") -> Field:
    evidence = Evidence("f", 1, "d", 0, len(value), value, source=source)
    return Field(value, Status.FOUND, 0.9, evidence=(evidence,))


@pytest.mark.parametrize(
    ("stage", "t", "status"),
    [
        ("IIA", "T2B", Status.FOUND),
        ("II", "T2B", Status.FOUND),
        ("IB", "T2A", Status.FOUND),
        ("IIA", "T4", Status.CONFLICTING),
        ("IIIA", "T2B", Status.CONFLICTING),
        ("IIA", "TX", Status.FOUND),
    ],
)
def test_a_group_that_t_n_and_m_contradict_is_doubted(stage: str, t: str, status: Status) -> None:
    checked = checked_against_tnm(_stated(stage), _stated(t), _stated("N0"), _stated("M0"), TABLES["lung"])
    assert (checked.status, checked.value) == (status, stage)


def test_a_contradicted_group_read_from_an_image_is_uncertain() -> None:
    """IIA and IIIA differ by a stroke."""
    checked = checked_against_tnm(
        _stated("IIA", "ocr"), _stated("T4"), _stated("N0"), _stated("M0"), TABLES["lung"]
    )
    assert checked.status is Status.UNCERTAIN
    assert [(one.value, one.reason) for one in checked.alternatives] == [
        ("IIA", "contradicts_tnm"),
        ("IIIA", "derived_from_tnm"),
        ("IIIB", "derived_from_tnm"),
    ]
