"""The histology of the target, as the believed report words it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pipeline.domain import Code, Field
from pipeline.findings.choose import choose
from pipeline.findings.diagnosis import Reading
from pipeline.findings.lesions import NOT_CURRENT, labelled_in
from pipeline.findings.phrases import joined

# A broad name ("lung cancer") gives way to an exact one that weighs this much less.
_BROAD = 3.0
# A diagnosis of a pathology report weighs more than this; its clinical history less.
_BY_REPORT = 6.0
# The name of a tumour is the pathologist's to give.
_PATHOLOGIST = 1.5
# Signs between two names of one diagnosis: "... lesion (CIN 2)", "..., keratinizing".
_BESIDE = re.compile(r"[\s,(/:-]{1,4}")
# A word that is no abbreviation.
_SPELT_OUT = re.compile(r"[a-z]{6}")
_GLEASON = re.compile(r"(?<![\d+])(?P<first>[3-5])\s?\+\s?(?P<second>[3-5])(?![\d+])")


def find_histology(statements: Sequence[Reading], behavior: Field, origin: Field, site: str | None) -> Field:
    """The histology that carries the target's behaviour, in the words of the believed report.

    Abbreviations and clinicians' words give the name that `models/histologies.toml` has for them.
    """
    if behavior.value is None:
        return Field()
    candidates = [
        r.candidate(_phrase(r), "rule:histology", _weight(r))
        for r in statements
        if r.named and r.behavior == behavior.value and _is_specific(r)
    ]
    field = choose(candidates, least=3)
    if field.value is None:
        return field
    best = max(
        (r for r in statements if r.reason is None and _phrase(r) == field.value),
        key=lambda r: (r.tumour.is_pathology and r.weight > _BY_REPORT and not r.possible, r.weight),
    )
    code = best.tumour.mention.attributes.get("icdo3")
    words = _wording(best) or str(field.value)
    if origin.value == "metastatic" and "metasta" not in words:
        words = f"metastatic {words}"
    if site == "prostate" and "gleason" not in words and (score := _gleason(statements)):
        words = f"{words}, gleason {score}"
    return replace(field, value=words, code=Code("ICD-O-3", code, words) if code else None)


def _weight(reading: Reading) -> float:
    """The statement's weight; what a report says counts more, a broad name less than an exact one."""
    by_report = reading.tumour.is_pathology and reading.weight > _BY_REPORT and not reading.possible
    return (
        reading.weight
        + _precision(reading)
        + (_PATHOLOGIST if by_report else 0)
        - (_BROAD if reading.broad else 0)
    )


def _phrase(reading: Reading) -> str:
    """The histology, with "metastatic" before it where the words say so of this specimen."""
    mention = reading.tumour.mention
    metastatic = mention.attributes.get("metastatic") == "true" and not reading.tumour.about_nodes
    return f"metastatic {mention.value}" if metastatic else mention.value


def _wording(reading: Reading) -> str | None:
    """A pathologist's own words in lower case, with a second name beside the first ("... (CIN 2)").

    None where they are misread, so that the dictionary's name stands.
    """
    tumour = reading.tumour
    if "misread" in tumour.mention.attributes:
        return None
    if not tumour.is_pathology or reading.weight <= _BY_REPORT:
        return None
    start, end = tumour.mention.start, tumour.mention.end
    for other in labelled_in(tumour.source, "neoplasm", tumour.start, tumour.end):
        if other.attributes.get("behavior") != reading.behavior or other.assertion in NOT_CURRENT:
            continue
        if other.start >= end and _BESIDE.fullmatch(tumour.text, end, other.start):
            end = other.end
        elif other.end <= start and _BESIDE.fullmatch(tumour.text, other.end, start):
            start = other.start
    words = joined([tumour.text[start:end]]).lower()
    if words.count("(") > words.count(")"):
        words += ")"
    return words if _SPELT_OUT.search(words) else None


def _is_specific(reading: Reading) -> bool:
    """Whether the name is a histology: not "metastasis", "cancer" or "malignant neoplasm"."""
    code = reading.tumour.mention.attributes.get("icdo3", "")
    return not code.startswith(("8000", "8001", "0000")) and not code.endswith(("/6", "/9"))


def _precision(reading: Reading) -> float:
    """A longer name says more: "clear cell renal cell carcinoma" over "renal cell carcinoma"."""
    return 0.1 * min(6, len(reading.tumour.mention.value.split()))


def _gleason(statements: Sequence[Reading]) -> str | None:
    """The worst Gleason pattern that pathology gives the target's specimens ("4+3")."""
    found = {
        (int(match["first"]) + int(match["second"]), match["first"], match["second"])
        for reading in statements
        if reading.reason is None and reading.tumour.is_pathology
        for match in _GLEASON.finditer(reading.tumour.text, reading.tumour.start, reading.tumour.end)
    }
    if not found:
        return None
    _, first, second = max(found)
    return f"{first}+{second}"
