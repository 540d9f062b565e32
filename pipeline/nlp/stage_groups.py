"""Stage groups in every spelling: Stage IIA, Stg 1A, stage two-A, FIGO IB1, limited stage, ticked boxes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.catalog.stage_words import StageWords
from pipeline.domain import Mention
from pipeline.nlp.editions import Editions

EXTRACTOR = "rule:stage_group"

_ROMAN = r"(?:[Il1|]?V|[Il1|]{2,3}|[Il1|])"
_GROUP = (
    rf"(?:(?:{_ROMAN}|[0-4](?!\d))(?:[ ]?[A-Da-d](?![a-z])|-[A-D](?![a-z])|(?<=[IV])8(?!\d))?"
    rf"(?:[1-3](?!\d))?|one|two|three|four)(?:[- ](?=[ab]\b)[abAB])?"
)
_STAGE = re.compile(
    rf"""(?<![A-Za-z])(?P<basis>c|p|yp|yc)?
    (?:stage|staged|stg|AJCC|FIGO|TNM\ stage)\.?
    (?:[ ]{{0,2}}(?:group(?:ing)?|grp|is|as|of|was|at|AJCC|FIGO|clinical|clinically|pathologic(?:al)?|now
    |prognostic|disease)){{0,6}}
    (?:[ ]?\([^()\n]{{1,25}}\))?
    [ \t]*[:=.]*[ \t\n]*(?:AJCC[ ]|FIGO[ ])?(?:stage[ ])?(?:p|c|yp)?
    (?P<group>{_GROUP})
    (?P<range>[ ]?(?:-|/|to|or|vs\.?)[ ]?(?:{_ROMAN}|[1-4])[ ]?[A-Da-d]?[1-3]?(?![A-Za-z0-9]))?
    (?![A-Za-z0-9%]|[ ]?(?:mm|cm|mg|/\s?\d|\.\d)|-\d)""",
    re.VERBOSE | re.IGNORECASE,
)
_GROUPED = re.compile(
    r"(?<![A-Za-z])(?:group|grouping|stage[ ]group(?:ing)?)[ \t]*[:=]?[ \t]+(?P<group>(?:IV"
    r"|III|II|I)(?:[ABC][1-3]?)?|[1-4][ABC][1-3]?)(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_TICKED = re.compile(
    r"stage[^\[\n]{0,40}(?:\[[ _]?\][ ]*(?:0|I{1,3}[ABC]?|IV"
    r"|[1-4])[ ]*){0,6}\[[xX]\][ ]*(?P<group>IV|III[ABC]?|II[ABC]?|I[ABC]?|0"
    r"|[1-4])(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_EXTENT = re.compile(r"\b(?P<group>limited|extensive)[ -]stage\b", re.IGNORECASE)
_BARE = re.compile(
    r"[TN][0-4X][a-c]?[ ,]{0,2}(?:c"
    r"|p)?(?:N[0-3X][a-c]?)?[ ,]{0,2}(?:M[01X][a-c]?)?[ ,;(]{1,3}(?P<group>(?:IV|III|II"
    r"|I)[ABC][1-3]?)(?![A-Za-z0-9])"
)
# Stages of other things: kidney disease, ulcers, fibrosis, sleep.
_STAGED = re.compile(
    r"cancer|carcinoma|sarcoma|melanoma|tumou?r|NSCLC|RCC|clinical|patholog|AJCC|TNM|FIGO|\bdisease"
    r"|[cp]?T[0-4][a-d]?\s?,?\s?N[0-3X]",
    re.IGNORECASE,
)
_WORDS = {
    "one": "I",
    "two": "II",
    "three": "III",
    "four": "IV",
    "0": "0",
    "1": "I",
    "2": "II",
    "3": "III",
    "4": "IV",
}


def find_stage_groups(text: str, words: StageWords) -> Iterator[Mention]:
    """Mentions stage_group of `text`; `value` is roman upper case (IIA, IB1), 0, LIMITED or EXTENSIVE.

    Attributes: `basis`, `edition`, `system` (figo), and `range` "true" where a range is written
    (`value` is then the first).
    """
    editions = Editions(text)
    seen: set[int] = set()
    for pattern in (_STAGE, _GROUPED, _TICKED, _EXTENT, _BARE):
        for match in pattern.finditer(text):
            if match.start("group") in seen or not _is_tumour_stage(match, text, words, pattern is _STAGE):
                continue
            seen.add(match.start("group"))
            yield editions.added_to(_mention(match))


def _is_tumour_stage(match: re.Match[str], text: str, words: StageWords, checked: bool) -> bool:
    if not checked:
        return True
    head, group = match.group().lower(), match["group"]
    if words.other_before.search(text[max(0, match.start() - 60) : match.start()]):
        return False
    if words.other_after.match(text[match.end() : match.end() + 40]):
        return False
    named_system = head.startswith(("ajcc", "figo"))
    if named_system and not re.match(r"(?:IV|I{1,3}|[1-4][ABC])", group):
        return False  # "AJCC 8" is an edition
    if re.fullmatch(r"[l|]", group):  # a letter or a table's rule, unless a tumour is staged here
        return _is_one_misread(match, text)
    return group != "i"


def _is_one_misread(match: re.Match[str], text: str) -> bool:
    """Whether "stage |" or "stage l" is stage I: words of staging beside it, no other rule in its line."""
    position = match.start("group")
    end = text.find("\n", position)
    line = text[text.rfind("\n", 0, position) + 1 : end if end >= 0 else len(text)]
    around = text[max(0, match.start() - 60) : match.end() + 40]
    return line.count("|") <= 1 and bool(_STAGED.search(around))


def _mention(match: re.Match[str]) -> Mention:
    groups = match.groupdict()
    attributes: dict[str, str] = {}
    if groups.get("basis"):
        attributes["basis"] = str(groups["basis"]).lower()
    if groups.get("range"):
        attributes["range"] = "true"
    if "figo" in match.group().lower():
        attributes["system"] = "figo"
    start, end = match.span("group")
    return Mention(
        "stage_group", roman(match["group"]), start, end, extractor=EXTRACTOR, attributes=attributes
    )


def roman(words: str) -> str:
    """A written group as roman numeral with its letters: two-a, 2A, llA and IIA are IIA."""
    compact = re.sub(r"[ \-]", "", words)
    if compact.lower() in ("limited", "extensive"):
        return compact.upper()
    for word, numeral in _WORDS.items():
        if compact.lower().startswith(word):
            if word == "1" and compact[:2].upper() in ("11", "1L", "1I", "1V", "1|"):
                break
            return numeral + compact[len(word) :].upper()
    head = re.match(r"[Il1|]*V?", compact)
    numeral = head.group() if head else ""
    letters = re.sub(r"^8", "B", compact[len(numeral) :])  # OCR's B
    return re.sub(r"[l1|]", "I", numeral).upper() + letters.upper()
