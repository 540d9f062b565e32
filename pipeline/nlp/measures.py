"""Sizes, node statements and grades in text: small grammars that are neither dictionary nor TNM."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.catalog.stage_words import StageWords
from pipeline.domain import Mention

EXTRACTOR = "rule:measures"

_NUMBER = r"\d{1,3}(?:[.,]\d{1,2})?"
_SIZE = re.compile(
    rf"(?<![\d.,/])(?P<first>{_NUMBER})(?:[ -]?(?:cm|mm))?"
    # between the dimensions a line may wrap, at which some archives put a full stop
    rf"(?P<more>(?:[ ]?(?:\.?\s)?(?:[xX×*]|by)(?:\.?\s)?[ ]?{_NUMBER}(?:[ -]?(?:cm|mm))?){{0,2}})"
    rf"(?:[ -]|\.?\s)?(?P<unit>cm|mm|centimet(?:er|re)s?|millimet(?:er|re)s?)\b(?![²2³3])",
    re.IGNORECASE,
)
_RATIO = re.compile(
    r"(?:(?P<a>(?<![-\d.])\d{1,2}|\bno|\bnone|\bzero|\bone|\btwo|\bthree|\bfour|\bfive|\bsix|\bseven"
    r"|\beight|\bnine|\bten|\beleven|\btwelve)\s+(?:\(\d{1,2}\)\s+)?(?:out\s+)?of\s+(?:the\s+)?(?:\w+\s*\()?(?P<b>\d{1,3}|one|two|three|four|five"
    r"|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen"
    r"|eighteen|nineteen|twenty[ -]?\w*)\)?|\(?(?P<c>\d{1,2})\s?/\s?(?P<d>\d{1,3})\)?)",
    re.IGNORECASE,
)
_NODES = re.compile(r"\b(?:lymph\s*nodes?|nodes?|LNs?|LN\b|SLNs?|sentinel|nodal)\b", re.IGNORECASE)
_GRADE_BEFORE = re.compile(r"\b(?:grade|score)s?[ :]{0,2}(?:[\dIV]{1,3}[-/])?$", re.IGNORECASE)
_GLEASON = re.compile(
    r"\b(?:gleason(?:['’]s)?|gl|gs)\b[^\d\n]{0,25}(?P<a>[3-5])\s?\+\s?(?P<b>[3-5])"
    r"|\b(?:gleason|GS)\s*(?:score|sum|grade)?\s*[:=]?\s*(?P<s>[6-9]|10)\b"
    r"|(?<![\d.])(?P<c>[3-5])\+(?P<d>[3-5])\s?=\s?\d{1,2}",
    re.IGNORECASE,
)
_BRESLOW = re.compile(r"\bbreslow[^\d.;]{0,45}(?P<mm>\d{1,2}(?:\.\d{1,2})?)\s?(?P<unit>mm|cm)", re.IGNORECASE)
_SMALL_NUMBERS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_NUMBER_WORDS = {word: n for n, word in enumerate(_SMALL_NUMBERS)}
_NUMBER_WORDS |= {"no": 0, "none": 0}


def find_sizes(text: str) -> Iterator[Mention]:
    """Mentions size; `value` is the largest dimension in mm."""
    for match in _SIZE.finditer(text):
        numbers = re.findall(_NUMBER, match["first"] + match["more"])
        largest = max(float(number.replace(",", ".")) for number in numbers)
        millimetres = largest * (10 if match["unit"].lower().startswith("c") else 1)
        yield Mention("size", f"{millimetres:g}", *match.span(), extractor=EXTRACTOR)


def find_nodes(text: str, words: StageWords) -> Iterator[Mention]:
    """Mentions nodes, `value` negative or positive; attribute `ratio` where counted (2/14)."""
    for match in _RATIO.finditer(text):
        around = text[max(0, match.start() - 70) : match.end() + 60]
        if not _NODES.search(around):
            continue
        involved, examined = _count(match["a"] or match["c"]), _count(match["b"] or match["d"])
        if involved is None or examined is None or examined == 0 or involved > examined:
            continue
        if _GRADE_BEFORE.search(text, max(0, match.start() - 25), match.start()):
            continue
        if match["c"] and re.match(r"\s?/\s?\d", text[match.end() : match.end() + 4]):
            continue  # a date
        value = "positive" if involved else "negative"
        yield Mention(
            "nodes", value, *match.span(), extractor=EXTRACTOR, attributes={"ratio": f"{involved}/{examined}"}
        )
    for pattern, value in ((words.negative_nodes, "negative"), (words.positive_nodes, "positive")):
        for match in pattern.finditer(text):
            yield Mention("nodes", value, *match.span(), extractor=EXTRACTOR)


def _count(words: str | None) -> int | None:
    if words is None:
        return None
    if words.isdigit():
        return int(words)
    return _NUMBER_WORDS.get(words.lower(), 13)


def find_grades(text: str) -> Iterator[Mention]:
    """Mentions gleason (value 3+4=7 or the sum) and breslow (value in mm)."""
    for match in _GLEASON.finditer(text):
        first, second = match["a"] or match["c"], match["b"] or match["d"]
        value = f"{first}+{second}={int(first) + int(second)}" if first else match["s"]
        yield Mention("gleason", value, *match.span(), extractor=EXTRACTOR)
    for match in _BRESLOW.finditer(text):
        depth = float(match["mm"]) * (10 if match["unit"].lower() == "cm" else 1)
        yield Mention("breslow", f"{depth:g}", *match.span(), extractor=EXTRACTOR)
