"""The treatment area: the phrase of the treatment plan that says what is to be treated.

Only a plan says it: a treatment plan, the plan section of a note, a letter's plan. An organ alone
is no area ("cryo prostate"), a blank to be filled in is none either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.catalog.treatment import Area, Treatment
from pipeline.domain import NOT_FOUND, Field, Status
from pipeline.findings.lines import labelled
from pipeline.findings.phrases import clause, find, holds, joined
from pipeline.findings.regions import Region

_SIZE = re.compile(r"\b\d+(?:\.\d+)?\s*(?:x\s*\d+(?:\.\d+)?\s*)*(?:cm|mm)\b", re.IGNORECASE)
_EMPTY = re.compile(r"_{3,}|^[\W\d_]*$")
_LEADING = re.compile(
    r"""(?: [\s,:;/+&-]+
      | (?:of|to|for|on|the|this|that|a|an|his|her|their|with|in|at|is|are|was|will\ be|be|treatment|ablation
          |procedure|guided|ct)\b
    )*""",
    re.VERBOSE | re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<!\bapprox)(?<!\bca)(?<!\bDr)\.(?=\s)|\.$")
_TREAT = re.compile(r"\b(?:treat|ablate|freeze|target|cover)(?:ing|s|ed)?\b", re.IGNORECASE)
_PLANS = {"plan_document": 3, "plan_section": 2, "letter": 1, "assessment": 0, "narrative": 0}


class Phrase(NamedTuple):
    """A phrase that names an area: its place and how surely it is one (higher is better)."""

    region: Region
    start: int
    end: int
    rank: float

    @property
    def words(self) -> str:
        return self.region.text[self.start : self.end]


def area_phrases(regions: Sequence[Region], treatment: Treatment) -> list[Phrase]:
    """Every phrase of a plan that names an area, best first; later documents first among equals."""
    found = [
        phrase
        for region in regions
        if region.kind in _PLANS
        for phrase in (*_labelled(region, treatment.area), *_in_sentences(region, treatment))
    ]
    by_date = sorted(found, key=lambda one: one.region.document.service_date or "", reverse=True)
    return sorted(by_date, key=lambda one: -one.rank)


def find_area(phrases: Sequence[Phrase]) -> Field:
    """The best phrase as a field, its words verbatim with line breaks joined."""
    if not phrases:
        return NOT_FOUND
    best = phrases[0]
    evidence = best.region.evidence(best.start, best.end, "rule:treatment_area")
    confidence = round(min(0.97, 0.7 + 0.009 * best.rank), 3)
    return Field(joined([best.words]), Status.FOUND, confidence, evidence=(evidence,))


def _labelled(region: Region, rules: Area) -> Iterator[Phrase]:
    for level, labels in enumerate(rules.labels):
        if level and region.kind not in ("plan_document", "plan_section"):
            return
        for line in labelled(region.text, region.start, region.end, labels, loose=level == 0):
            start, end = _trim(region.text, line.body, line.end, rules)
            if _names_area(region.text[start:end], rules, level):
                yield Phrase(region, start, end, 27 - 8 * level + _PLANS[region.kind])


def _trim(text: str, start: int, end: int, rules: Area) -> tuple[int, int]:
    """A labelled value up to the end of its first sentence, without white space around it."""
    words = text[start:end]
    stop = _SENTENCE.search(words)
    words = words[: stop.start()] if stop and stop.start() > 8 else words
    return start + len(words) - len(words.lstrip()), start + len(words.rstrip(" .,;\n\t"))


def _names_area(words: str, rules: Area, level: int) -> bool:
    plain = joined([words]).lower().strip(" .:")
    if not plain or _EMPTY.search(words) or plain in rules.blank:
        return False
    place = holds(rules.places, words) or holds(rules.whole, words)
    lesion, side, organ, size = _kinds(words, rules)
    if level == 2:
        return place or (lesion and (side or size) and (organ or side))
    return place or (lesion and (organ or side or size)) or (side and organ)


def _kinds(words: str, rules: Area) -> tuple[bool, bool, bool, bool]:
    return (
        holds(rules.lesions, words),
        holds(rules.sides, words),
        holds(rules.organs, words),
        _SIZE.search(words) is not None,
    )


def _in_sentences(region: Region, treatment: Treatment) -> Iterator[Phrase]:
    """`cryoablation of the 2.4 cm lower pole mass, prone`: what stands behind the modality."""
    if region.kind not in ("plan_document", "plan_section"):
        return
    rules = treatment.area
    for modality in treatment.procedures.modalities:
        if modality.name == "other":
            continue
        for match in find(modality.terms, region.text, region.start, region.end):
            first, last = clause(region.text, match.start(), match.end())
            if holds(treatment.procedures.setback, region.text, max(first, region.start), match.start()):
                continue
            for start, end in (
                _behind(region.text, match.end(), min(last, region.end), rules),
                _before(region.text, max(first, region.start), match.start(), rules),
            ):
                if _is_specific(region.text[start:end], rules):
                    yield Phrase(region, start, end, 4 + _PLANS[region.kind])


def _behind(text: str, start: int, end: int, rules: Area) -> tuple[int, int]:
    lead = _LEADING.match(text, start, end)
    start = lead.end() if lead else start
    if holds(rules.naming, text, start, min(start + 16, end)):  # "LN2 cryosurgery": the second word decides
        return end, end
    cue = find(rules.technique, text, start, end)
    if cue:
        end = cue[0].start()
        comma = text.rfind(",", start, end)
        if (
            comma > start
            and len(text[comma:end].strip(" ,\n")) < 14
            and not holds(rules.lesions, text, comma, end)
        ):
            end = comma
    return _strip(text, start, end)


def _before(text: str, start: int, end: int, rules: Area) -> tuple[int, int]:
    """`treat the 2.4 cm lower pole mass with cryoablation`."""
    verbs = list(_TREAT.finditer(text, start, end))
    if not verbs:
        return end, end
    lead = _LEADING.match(text, verbs[-1].end(), end)
    return _strip(text, lead.end() if lead else verbs[-1].end(), end)


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    words = re.sub(
        r"(?:[\s,;:(/-]|\b(?:with|by|using|and|under|percutaneous|ct|guided|in|for|via))+$",
        "",
        text[start:end],
        flags=re.I,
    )
    return start, start + len(words)


def _is_specific(words: str, rules: Area) -> bool:
    """Running text names an area where it names a lesion, or a side, and where in the organ or how large."""
    if len(words) > 160:
        return False
    lesion, side, _, size = _kinds(words, rules)
    place = holds(rules.places, words)
    return (holds(rules.whole, words) and holds(rules.organs, words)) or (
        (lesion or side) and (place or size)
    )
