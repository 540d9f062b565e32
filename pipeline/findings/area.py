"""The treatment area: the phrase of the treatment plan that says what is to be treated.

Only a plan says it: a treatment plan, the plan section of a note, a letter's plan. Offices label the
line as they like, so every labelled row is a candidate: its words decide, its label inclines. An
organ alone is no area ("cryo prostate"), a blank to be filled in is none either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.catalog.treatment import Area, Treatment
from pipeline.domain import NOT_FOUND, Field, Status
from pipeline.findings.lines import Labelled, labelled, rows
from pipeline.findings.phrases import clause, clauses, find, holds, joined
from pipeline.findings.regions import Region
from pipeline.marks import line_of

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
# "under CT guidance of the left ...": what is treated may follow the technique at this distance.
_OBJECT = re.compile(r"\b(?:of|to|for|on|at)\s+(?:(?:the|a|an|his|her|this|their)\s+)?", re.IGNORECASE)
_OBJECT_REACH = 100
_PASSIVE = re.compile(
    r"\s+(?:will\s+be|is\s+to\s+be|are\s+to\s+be|to\s+be|is|are)\s+(?:frozen|treated|(?:cryo)?ablated|targeted)\b",
    re.IGNORECASE,
)
_ACTIVE = re.compile(
    r"\b(?:treat|(?:cryo)?ablate|freeze|cover|destroy)\s+(?=the\b|this\b|an?\b|his\b|her\b|entire\b|whole\b|only\b|\d)"
    r"|\b(?:target|treatment area|area|zone)\s+is\s+",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"\s*(?:the\s+)?", re.IGNORECASE)
_VERB = re.compile(r"\b(?:will|is|are|was|were|has|have|had|should|would|may|we)\b", re.IGNORECASE)
# "Lesion treated in 2022: ..." is not today's.
_EARLIER = re.compile(r"(?:in|on|at|during)\s+(?:\w+\s+)?(?:19|20)\d\d\b", re.IGNORECASE)
# Day and dose of the treatment end the phrase.
_WHEN = re.compile(
    r"""[,\s]+(?:on\s+)?\d{1,2}[ -](?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b
      | [,\s]+(?:on\s+)?\d{1,2}/\d{1,2}(?:/\d{2,4})?\b
      | [,\s]+\d+\s*(?:s|sec|seconds?|min|minutes?)\b""",
    re.VERBOSE | re.IGNORECASE,
)
# After these a new piece of a value starts.
_STARTS_PIECE = re.compile(r"(?:[\n,;.]|\s[-–—])\s*$")
# A value this short may be a note to fill it in, characters.
_SHORT_VALUE = 40
# A line shorter than this was not wrapped at the margin, characters.
_SHORT = 50
_HEAD = re.compile(r"(?:.*\n)?[ \t]*[A-Za-z][\w /&]{0,24}:[ \t]*")
_PLANS = {"plan_document": 3, "plan_section": 2, "letter": 1, "assessment": 0, "narrative": 0}
_OWN_PLANS = ("plan_document", "plan_section")
# What a label says before its value is read. A known name of the area beats a value that is richer.
_NAMED, _STRONG, _FAIR, _UNKNOWN, _SENTENCE_RANK = 20.0, 16.0, 10.0, 5.0, 5.0
# So much less says a side with its organ ("left kidney").
_ORGAN_ONLY = 3.0
# A phrase of running text is not longer, characters.
_LONGEST = 180


class Phrase(NamedTuple):
    """A phrase that names an area: its place and how surely it is one (higher is better)."""

    region: Region
    start: int
    end: int
    rank: float

    @property
    def words(self) -> str:
        return self.region.text[self.start : self.end]


class Kinds(NamedTuple):
    """What the words of a phrase name."""

    lesion: bool
    side: bool
    organ: bool
    size: bool
    place: bool
    margin: bool
    whole: bool

    @property
    def richness(self) -> float:
        """How much of an area is named; size and place say most."""
        weights = (2, 1, 0.5, 2, 2, 1, 1.5)
        named = sum(weight for weight, there in zip(weights, self, strict=True) if there)
        return named if self.lesion or self.place or self.whole else named - _ORGAN_ONLY


def area_phrases(regions: Sequence[Region], treatment: Treatment) -> list[Phrase]:
    """Every phrase of a plan that names an area, best first; later documents first among equals."""
    found = [
        phrase
        for region in regions
        if region.kind in _PLANS
        for phrase in (
            *_named(region, treatment.area),
            *_in_rows(region, treatment),
            *_in_sentences(region, treatment),
            *_by_verb(region, treatment),
        )
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


def _named(region: Region, rules: Area) -> Iterator[Phrase]:
    """Lines under a known name of the area, in every plan; OCR may have lost their gap."""
    for line in labelled(region.text, region.start, region.end, rules.labels, loose=True):
        start, end = _trim(region.text, line.body, line.end, rules)
        words = region.text[start:end]
        kinds = _kinds(words, rules)
        if _EARLIER.match(words) or _says_nothing(words, rules):
            continue
        if kinds.place or _names_area(kinds):
            yield Phrase(region, start, end, _NAMED + kinds.richness + _PLANS[region.kind])


def _in_rows(region: Region, treatment: Treatment) -> Iterator[Phrase]:
    """Rows under any other label. Outside a plan only a label that speaks of treating counts."""
    rules = treatment.area
    if region.kind == "letter":
        return
    for row in rows(region.text, region.start, region.end):
        prior = _prior(row.label, rules)
        if prior is None or (region.kind not in _OWN_PLANS and not holds(rules.label_treat, row.label)):
            continue
        start, end = _trim(region.text, row.body, row.end, rules)
        words = region.text[start:end]
        if not _says_nothing(words, rules) and _fits(row, words, prior, treatment):
            yield Phrase(region, start, end, prior + _kinds(words, rules).richness + _PLANS[region.kind])


def _prior(label: str, rules: Area) -> float | None:
    """How far a label inclines to an area; None where it heads something else."""
    if holds(rules.label_other, label):
        return None
    if holds((*rules.label_treat, *rules.label_strong), label):
        return _STRONG
    return _FAIR if holds(rules.label_fair, label) else _UNKNOWN


def _fits(row: Labelled, words: str, prior: float, treatment: Treatment) -> bool:
    """Whether a row's words are an area: the less its label says, the more they must."""
    rules = treatment.area
    if holds(rules.aims, words):
        return False
    kinds = _kinds(words, rules)
    if prior == _STRONG:
        return _names_area(kinds)
    if prior == _FAIR:
        return (kinds.place and (kinds.lesion or kinds.size or kinds.side)) or (
            kinds.lesion and (kinds.side or kinds.size) and (kinds.organ or kinds.side)
        )
    if _VERB.search(words) or any(holds(one.terms, words) for one in treatment.procedures.modalities):
        return False  # a sentence or a procedure line: read as such
    return kinds.lesion and kinds.size and kinds.place and len(words) < 120


def _trim(text: str, start: int, end: int, rules: Area) -> tuple[int, int]:
    """A labelled value up to the end of its first sentence, or to where a piece of it tells what for; without
    white space around it."""
    words = text[start:end]
    purpose = next(
        (cue for cue in find(rules.purpose, words) if _STARTS_PIECE.search(words[: cue.start()])), None
    )
    words = words[: purpose.start()].rstrip(" \t\n,;-") if purpose else words
    for stop in (_SENTENCE.search(words), _PASSIVE.search(words)):
        words = words[: stop.start()] if stop and stop.start() > 8 else words
    article = _ARTICLE.match(words)
    return start + (article.end() if article else 0), start + len(words.rstrip(" .,;\n\t"))


def _says_nothing(words: str, rules: Area) -> bool:
    plain = joined([words]).lower().strip(" .:")
    if not plain or _EMPTY.search(words) or plain in rules.blank:
        return True
    return len(plain) < _SHORT_VALUE and holds(rules.unfilled, plain)


def _names_area(kinds: Kinds) -> bool:
    """Whether labelled words tell the lesion or its place, and not the organ alone."""
    if kinds.whole or (kinds.place and (kinds.lesion or kinds.side or kinds.size or kinds.organ)):
        return True
    return (kinds.lesion and (kinds.organ or kinds.side or kinds.size)) or (kinds.side and kinds.organ)


def _kinds(words: str, rules: Area) -> Kinds:
    return Kinds(
        lesion=holds(rules.lesions, words),
        side=holds(rules.sides, words),
        organ=holds(rules.organs, words),
        size=_SIZE.search(words) is not None,
        place=holds(rules.places, words),
        margin=holds(rules.margins, words),
        whole=holds(rules.whole, words),
    )


def _by_verb(region: Region, treatment: Treatment) -> Iterator[Phrase]:
    """`the ice will cover the 2 cm mass of ...`, `the 2 cm mass of ... will be frozen`."""
    if region.kind not in _OWN_PLANS:
        return
    rules = treatment.area
    for first, last in clauses(region.text, region.start, region.end):
        if holds(treatment.procedures.setback, region.text, first, last):
            continue
        spans = []
        for verb in _ACTIVE.finditer(region.text, first, last):
            lead = _LEADING.match(region.text, verb.end(), last)
            spans.append(_noun_phrase(region.text, lead.end() if lead else verb.end(), last, rules))
        for verb in _PASSIVE.finditer(region.text, first, last):
            lead = _LEADING.match(region.text, first, verb.start())
            spans.append(_strip(region.text, lead.end() if lead else first, verb.start()))
        for start, end in spans:
            kinds = _kinds(region.text[start:end], rules)
            if kinds.place and kinds.lesion and 0 < end - start <= _LONGEST:
                yield Phrase(region, start, end, _SENTENCE_RANK - 1 + kinds.richness + _PLANS[region.kind])


def _in_sentences(region: Region, treatment: Treatment) -> Iterator[Phrase]:
    """`cryoablation of the 2.4 cm lower pole mass, prone`: what stands behind the modality."""
    if region.kind not in _OWN_PLANS:
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
                *_behind(region.text, match.end(), min(last, region.end), rules),
                _before(region.text, max(first, region.start), match.start(), rules),
            ):
                kinds = _kinds(region.text[start:end], rules)
                if end - start <= _LONGEST and _is_specific(kinds):
                    rank = _SENTENCE_RANK + kinds.richness + _PLANS[region.kind]
                    yield Phrase(region, start, end, rank)
                    break


def _behind(text: str, start: int, end: int, rules: Area) -> Iterator[tuple[int, int]]:
    """What follows the modality at once, then what follows its technique."""
    lead = _LEADING.match(text, start, end)
    start = lead.end() if lead else start
    if holds(rules.naming, text, start, min(start + 16, end)):  # "LN2 cryosurgery": the second word decides
        return
    yield _noun_phrase(text, start, end, rules)
    for match in _OBJECT.finditer(text, start, min(end, start + _OBJECT_REACH)):
        yield _noun_phrase(text, match.end(), end, rules)


def _noun_phrase(text: str, start: int, end: int, rules: Area) -> tuple[int, int]:
    """From `start` to where the words tell how, when or why, and no longer what."""
    stop = _WHEN.search(text, start, end)
    end = stop.start() if stop else end
    end = _next_order(text, start, end)
    cue = find((*rules.technique, *rules.purpose), text, start, end)
    if cue:
        end = cue[0].start()
        comma = text.rfind(",", start, end)
        if (
            comma > start
            and len(text[comma:end].strip(" ,\n")) < 14
            and not holds((*rules.lesions, *rules.sides, *rules.margins), text, comma, end)
            and not _SIZE.search(text, comma, end)
        ):
            end = comma
    return _strip(text, start, end)


def _next_order(text: str, start: int, end: int) -> int:
    """Where a new order begins below a line that was not wrapped, else `end`."""
    for match in re.finditer(r"\n[ \t]*(?=[A-Z][a-z]+\b)", text[start:end]):
        first, last = line_of(text, start + match.start() - 1)
        if last - first < _SHORT and re.search(r"\d|\w{4}", text[start:last]):
            return last
    return end


def _before(text: str, start: int, end: int, rules: Area) -> tuple[int, int]:
    """`treat the 2.4 cm lower pole mass with cryoablation`, `2.4 cm lower pole mass: cryoablation`."""
    verbs = list(_TREAT.finditer(text, start, end))
    if not verbs:
        if not text[start:end].rstrip().endswith((":", " -", " –", "->")):
            return end, end
        head = _HEAD.match(text, start, end)
        behind = head.end() if head and text[head.end() : end].strip() else start
        return _strip(text, behind, end)
    lead = _LEADING.match(text, verbs[-1].end(), end)
    return _strip(text, lead.end() if lead else verbs[-1].end(), end)


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    words = re.sub(
        r"(?:[\s,;:(/>–-]|\b(?:with|by|using|and|under|percutaneous|ct|guided|in|for|via))+$",
        "",
        text[start:end],
        flags=re.I,
    )
    return start, start + len(words)


def _is_specific(kinds: Kinds) -> bool:
    """Running text names an area where it names a lesion, or a side, and where in the organ or how large."""
    return (kinds.whole and kinds.organ) or ((kinds.lesion or kinds.side) and (kinds.place or kinds.size))
