"""TNM as written: values, prefixes, OCR's confusions, and what only looks like a stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog.stage_words import load_stage_words
from pipeline.nlp.tnm import find_tnm

WORDS = load_stage_words(Path(__file__).parent.parent / "models")


def values(text: str) -> list[str]:
    return [mention.value for mention in sorted(find_tnm(text, WORDS), key=lambda mention: mention.start)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cT1aN0M0", ["T1A", "N0", "M0"]),
        ("cT2a cN0 cM0", ["T2A", "N0", "M0"]),
        ("T1a N0 M0", ["T1A", "N0", "M0"]),
        ("T1a, N0, M0", ["T1A", "N0", "M0"]),
        ("pT2 pN0 pMX", ["T2", "N0", "MX"]),
        ("ypT0 ypN0", ["T0", "N0"]),
        ("rcT1 N0", ["T1", "N0"]),
        ("pT3bN1M1", ["T3B", "N1", "M1"]),
        ("pTis", ["TIS"]),
        ("pTis (DCIS) pN0(i+)(sn)", ["TIS", "N0"]),
        ("pT1mi pN0", ["T1MI", "N0"]),
        ("pT2 pN1mi", ["T2", "N1MI"]),
        ("pT1c(m) pN0(sn)", ["T1C", "N0"]),
        ("T2bN0M1c1", ["T2B", "N0", "M1C1"]),
        ("pT2a N2b", ["T2A", "N2B"]),
        ("TNM stage: pT2, pN0, pMx", ["T2", "N0", "MX"]),
        ("pT 2", ["T2"]),
        ("p T 4", ["T4"]),
        ("T2b N 0 M 0", ["T2B", "N0", "M0"]),
        ("STAGE    T 1a    N x    M 0", ["T1A", "NX", "M0"]),
        ("T  2b   N  0   M  0", ["T2B", "N0", "M0"]),
        ("pTlaNXMX", ["T1A", "NX", "MX"]),
        ("pTla NX MX", ["T1A", "NX", "MX"]),
        ("cTIa N0", ["T1A", "N0"]),
        ("pT2 NO MO", ["T2", "N0", "M0"]),
        ("T2NO lesion", ["T2", "N0"]),
        ("pT3 pNO", ["T3", "N0"]),
        ("pT3bG3 N0", ["T3B", "N0"]),
        ("Primary tumor (pT): pT3a", ["T3A"]),
        ("Primary tumor (T): 3a", ["T3A"]),
        ("Regional lymph nodes (pN): pN0", ["N0"]),
        ("Distant metastasis (M): MX", ["MX"]),
        ("pT: 2", ["T2"]),
        ("N category: N1", ["N1"]),
        ("Pathological T. T2. Pathological N. N1a.", ["T2", "N1A"]),
        ("clinical stage T2b disease", ["T2B"]),
        ("Prostate cancer, cT2a, GG2", ["T2A"]),
        ("cT1aN0M0 (AJCC 8)", ["T1A", "N0", "M0"]),
        ("staged as T3", ["T3"]),
        ("pNX", ["NX"]),
        ("N0 on MRI", ["N0"]),
        ("bladder cancer, pTa", ["TA"]),
        ("subpleural mass. AJCCpT1pN2.", ["T1", "N2"]),
        ("cTib N@ M@", ["T1B", "N0", "M0"]),
        ("cT2a N@ M0", ["T2A", "N0", "M0"]),
        ("Tib N0 M0", ["T1B", "N0", "M0"]),
        ("pathologic stage: pT3", ["T3"]),
        ("Lung cancer, T2b, N1", ["T2B", "N1"]),
        ("Prostate cancer. N0 disease.", ["N0"]),
    ],
)
def test_tnm_values(text: str, expected: list[str]) -> None:
    assert values(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Blocks. T1-4",
        "Tib/fib fracture",
        "Tid with meals",
        "write to N@M.ORG",
        "T1-4, tumor mass x 4",
        "T2 weighted images",
        "T2-weighted axial",
        "hyperintense on T2",
        "T1 in/opposed phase, T2 HASTE",
        "compression deformity of T9",
        "T12 vertebra",
        "metastasis in T4 vertebral body",
        "T11-T12 disc",
        "LEVEL 5",
        "SNOMED T28000 M80414",
        "T-71000, M-83123",
        "T2DM with neuropathy",
        "T1DM",
        "M0 flow cytometry",
        "N1 - nodule in the right lobe",
        "NINE BENIGN N1 LYMPH NODES",
        "L1",
        "S1 radiculopathy",
        "46,XY,t(9;22)",
        "PET/CT SKULL BASE TO MID-THIGH",
        "measuring 2 cm is present",
        "Gleason 3+4=7",
        "R.E.N.A.L. score 5p (R1 E2 N1 L1)",
        "T 36.7 C, P 62",
        "T 4 times daily",
        "Regional lymph nodes (pN): 3 perithyroidal nodes",
        "PSA 7.8, MRI 3T",
        "free T4 1.2",
        "no T2",
        "bullae, ptx likely",
        "PTX on film",
        "SMOOTH, N0 NODULES. NO EDEMA",
        "N0 evidence of malignancy.",
        "NO TUMOR PRESENT",
    ],
)
def test_no_tnm(text: str) -> None:
    assert values(text) == []


@pytest.mark.parametrize(
    ("text", "bases"),
    [
        ("cT2a cN0 cM0", ["c", "c", "c"]),
        ("pT2N0MX", ["p", "p", "p"]),
        ("ypT1a pN0", ["yp", "p"]),
        ("rcT1", ["rc"]),
        ("T1cN0M0", ["", "", ""]),
        ("T2 pN0", ["p", "p"]),
    ],
)
def test_basis_is_inherited_but_never_made_up(text: str, bases: list[str]) -> None:
    found = sorted(find_tnm(text, WORDS), key=lambda mention: mention.start)
    assert [mention.attributes.get("basis", "") for mention in found] == bases


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("stage T1-2 N0", "T1-2"),
        ("pT1-pT2 N0", "T1-PT2"),
    ],
)
def test_a_range_stays_a_range(text: str, value: str) -> None:
    first = next(mention for mention in find_tnm(text, WORDS) if mention.label == "tnm_t")
    assert (first.value, first.attributes["range"]) == (value, "true")


@pytest.mark.parametrize(
    ("text", "edition"),
    [
        ("cT1aN0M0, Stage I (AJCC 8th ed.)", "8"),
        ("AJCC 7th edition: pT2 pN0", "7"),
        ("Pathologic stage (AJCC 2002): pT3", "6"),
        ("AJCC 2010: pT2", "7"),
        ("T2a N0 M0 (AJCC ninth edition)", "9"),
        ("T2a N0 M0", None),
    ],
)
def test_edition_named_nearby(text: str, edition: str | None) -> None:
    assert {mention.attributes.get("edition") for mention in find_tnm(text, WORDS)} == {edition}


def test_the_words_are_those_of_the_text() -> None:
    text = "Left kidney, pT1a N0."
    assert [text[m.start : m.end] for m in find_tnm(text, WORDS)] == ["pT1a", "N0"]


def test_hedge_is_kept() -> None:
    assert next(iter(find_tnm("at least pT2a", WORDS))).attributes["hedge"] == "at least"
