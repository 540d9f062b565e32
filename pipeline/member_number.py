"""The number by which a plan knows its member, as papers print it: the label decides, not a pattern.

Plans number their members in many ways ("QRS 410-22-7983 B", "7741/0093", "ab*60-2274"): letters, groups of
digits and marks between them, up to the end of the cell. What the number is, its label says.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.agreement import Print
from pipeline.catalog.identity import Believed, NumberLabels
from pipeline.dates import find_dates
from pipeline.domain import NOT_FOUND, Alternative, Document, Evidence, Field, Status
from pipeline.evidence import evidence_for
from pipeline.spelling import fold, tokenize

EXPLICIT, NAMED, BARE, UNLABELLED = 3, 2, 1, 0


class MemberNumber(NamedTuple):
    """Where a number stands, and how surely its label says that it is the member's (3 to 0)."""

    start: int
    end: int
    rank: int


class NumberSeen(NamedTuple):
    """A member number on a paper; `weight` is how much the paper and the label say."""

    document: Document
    start: int
    end: int
    weight: float

    @property
    def text(self) -> str:
        """As printed, blanks of any width as one."""
        return " ".join(self.document.text[self.start : self.end].split())

    @property
    def plain(self) -> str:
        """Letters and digits alone, in capitals."""
        return re.sub(r"[^A-Z0-9]", "", self.text.upper())

    @property
    def printed(self) -> Print:
        """As it is believed or not."""
        return Print(self.document, self.start, self.end, self.plain, self.confirmed)

    @property
    def confirmed(self) -> bool:
        """Whether nothing speaks against its digits: see `Word.confirmed`; a mark that was recognised at its
        end may be one more of them."""
        page, words = self.document.page_at(self.start), self.document.words_at(self.start, self.end)
        if page.source == "text" or not words:
            return True
        end = self.end - self.document.page_span(page)[0]
        return all(word.confirmed for word in words) and not page.text[end : words[-1].end].strip(_CLOSING)

    @property
    def evidence(self) -> Evidence:
        return evidence_for(self.document, self.start, self.end, extractor="rule:member_number")


_NUMBER = re.compile(
    r"""(?<![\w/*.-])
    (?:[A-Z]{1,5}[ ./*-]?)?                        # the plan's letters
    [A-Z0-9]*[0-9][A-Z0-9]*                        # a group with a digit
    (?:(?:[./*-]|\ ?-\ ?|\ )[A-Z0-9]*[0-9][A-Z0-9]*)*   # further groups
    (?:[ -][A-Z])?(?![\w]|[-/.][A-Za-z0-9])        # one letter at the end
    """,
    re.VERBOSE,
)
_TELEPHONE = re.compile(r"(?:1[ .-])?(?:\d{3}[ ./-])?\d{3}[ .-]\d{4}")
_DAY = re.compile(r"(?:JAN|FEB|MAR|APR|MAY|JUNE?|JULY?|AUG|SEPT?|OCT|NOV|DEC)[ ./-]*\d{1,2}[ ./-]+\d{2,4}")
_PLAN_LETTERS = re.compile(r"[A-Z]{2,4}[ -]?\d")
# Dot leaders and marks between a label and its number; OCR reads letters into a row of dots.
_LEADER = re.compile(r"(?:[ ,]{0,2}\.{2,}[a-z]{2,}\.)?[\s.:=_|>#~-]*$")
_LABEL = re.compile(r"(?:[A-Za-z'\u2019#.]+[ ./]?){1,4}$")
_CELL = re.compile(r"\S+(?: \S+)*")


def member_numbers(text: str, labels: NumberLabels, *, misread: bool) -> Iterator[MemberNumber]:
    """Every number of `text` that may be the member's, in text order, with its rank.

    EXPLICIT: a word for a member stands in the label; NAMED: a label calls it a number and no other
    number is called so; BARE: only "ID" or "No."; UNLABELLED: its letters alone, or it is another plan's.
    """
    above, position = "", 0
    for line in text.split("\n"):
        for match in _NUMBER.finditer(line):
            start, end = _trimmed(line, match.start(), match.end(), labels)
            if not _is_number(line[start:end]):
                continue
            rank = _rank_at(line, start, end, above, labels, misread=misread)
            if rank is not None and (not line[start:end].isdigit() or end - start >= 6):
                yield MemberNumber(position + start, position + end, rank)
        above = line if line.strip() else above
        position += len(line) + 1


def _rank_at(
    line: str, start: int, end: int, above: str, labels: NumberLabels, *, misread: bool
) -> int | None:
    """How surely a number is the member's, by the label before it or over it; None where it is none."""
    rank = _rank(_label(line, start), labels, misread=misread)
    if rank is not None:
        second = labels.second_phrases.find(tokenize(line[:start]), misread=misread)
        return UNLABELLED if second else rank
    if not _parted(line, start) or _calls_another(_cell(line, start), labels, misread=misread):
        return None
    over = _header(above, start)
    rank = _rank(over, labels, misread=misread, header=True)
    if rank is not None or _calls_another(over, labels, misread=misread):
        return rank
    return UNLABELLED if _PLAN_LETTERS.match(line[start:end]) else None


def _trimmed(line: str, start: int, end: int, labels: NumberLabels) -> tuple[int, int]:
    """Without a label's word in front and without a date, a sex or a code behind it."""
    if (word := re.match(r"([A-Z]{1,5})[ .]", line[start:end])) and word[1].lower() in labels.kinds:
        start += word.end()
    if date := next(find_dates(line[start:end]), None):
        end = start + date.start
    words = line[start:end].rstrip(" -")
    if words.endswith((" M", " F")):
        words = words[:-2]
    return start, start + len(words)


def _is_number(words: str) -> bool:
    digits = sum(map(str.isdigit, words))
    if _TELEPHONE.fullmatch(words) or _DAY.match(words):
        return False
    return digits >= 5 or (digits >= 4 and sum(map(str.isalnum, words)) >= 8)


def _label(line: str, start: int) -> str:
    """The words that label the number at `start`: those in front of it in its sentence or cell."""
    match = _LABEL.search(_cell(line, start))
    leader = _LEADER.search(line, 0, start)
    return (match.group() if match else "") + ("#" if leader and "#" in leader.group() else "")


def _cell(line: str, start: int) -> str:
    """What stands in front of `start` in its sentence or cell, without the marks that lead to it."""
    leader = _LEADER.search(line, 0, start)
    return re.split(r" {2,}|\t|\.{2,}|[,;:(|\]]", line[: leader.start() if leader else start])[-1]


def _header(above: str, start: int) -> str:
    """The cell of the line above that stands over `start`: forms print labels over their values."""
    over = (match for match in _CELL.finditer(above) if match.start() <= start + 3 and match.end() >= start)
    cell = next((match.group() for match in over), "")
    return "" if re.search(r"[:,;]\s", cell) else cell  # a label with its value is over nothing


def _calls_another(label: str, labels: NumberLabels, *, misread: bool) -> bool:
    """Whether a label calls it a number of something else alone: of a group, a claim, a record."""
    hits = labels.phrases.find(tokenize(label), misread=misread)
    last = {labels.kinds[hit.phrase] for hit in hits if not re.search(r"[A-Za-z0-9]", label[hit.end :])}
    return "others" in last and all(labels.kinds[hit.phrase] != "member" for hit in hits)


def _rank(label: str, labels: NumberLabels, *, misread: bool, header: bool = False) -> int | None:
    hits = labels.phrases.find(tokenize(label), misread=misread)
    kinds = {labels.kinds[hit.phrase] for hit in hits}
    numbered = label.endswith("#") or "words" in kinds
    at_end = label.endswith("#") or any(not re.search(r"[A-Za-z0-9]", label[hit.end :]) for hit in hits)
    if "others" in kinds or not at_end or not (numbered or ("member" in kinds and not header)):
        return None
    if "weak" in kinds:
        return BARE
    if "member" in kinds:
        return EXPLICIT
    calls = sum(labels.kinds[hit.phrase] == "words" for hit in hits)
    return NAMED if len(re.findall(r"[A-Za-z']+", label)) > calls else BARE


def _parted(line: str, start: int) -> bool:
    """Whether the number stands by itself: at the start of a cell, or after a comma or a bracket."""
    before = line[:start]
    return not before.strip() or before.endswith(("  ", "\t", ", ", "(", "| "))


# --------------------------------------------------------------------------- agreeing

_CLOSING = " .,:;"  # what may stand right behind a number
_SPREAD = 2  # characters in which two readings of one number may differ


def member_field(numbers: Sequence[NumberSeen], rules: Believed) -> Field:
    """The number that the papers support most; what other papers print of it shown beside it.

    Conflicting where two papers print it differently and no third or better one decides; uncertain, with
    what they print shown, where its digits are confirmed on none, or one alone has it and can hardly be read.
    """
    if not numbers:
        return NOT_FOUND
    alike = max(
        ([other for other in numbers if _alike(one.plain, other.plain)] for one in numbers),
        key=_support,
    )
    spellings: dict[str, list[NumberSeen]] = defaultdict(list)
    for number in alike:
        spellings[number.plain].append(number)
    best, *others = sorted(spellings.values(), key=lambda one: _credence(one, rules), reverse=True)
    shown = max(best, key=lambda number: (number.weight, number.printed.legibility))
    papers = {number.document.id for number in best}
    sure = len(papers) > 1
    doubted = [one for one in others if not sure and not _outdone(one, best)]
    # Papers of one clinic and one fax are misread alike: their agreement alone confirms nothing.
    if not any(one.confirmed if sure else one.printed.is_believed(rules) for one in best):
        printed = (shown, *(one[0] for one in doubted))
        return Field(
            status=Status.UNCERTAIN,
            evidence=(shown.evidence,),
            alternatives=tuple(Alternative(one.text, "not_readable", (one.evidence,)) for one in printed),
        )
    alternatives = tuple(Alternative(one[0].text, "conflicting", (one[0].evidence,)) for one in doubted)
    status = Status.CONFLICTING if doubted else Status.FOUND
    confidence = 0.99 if sure else 0.6 if doubted else round(min(0.9, shown.printed.legibility), 3)
    return Field(shown.text, status, confidence, evidence=(shown.evidence,), alternatives=alternatives)


def _alike(one: str, other: str) -> bool:
    """Whether two papers may print one number, one of them misread."""
    if fold(one) == fold(other):
        return True
    return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) <= _SPREAD


def _support(numbers: Sequence[NumberSeen]) -> float:
    """What the papers together say, each once."""
    papers: dict[str, float] = defaultdict(float)
    for number in numbers:
        papers[number.document.id] = max(papers[number.document.id], number.weight)
    return round(sum(papers.values()), 3)


def _credence(numbers: Sequence[NumberSeen], rules: Believed) -> tuple[bool, int, bool, float, float]:
    """A text layer before a recognised page, two papers before one, then one that is believed alone, the more
    legible, the weightier."""
    papers = {number.document.id for number in numbers}
    legible = max(number.printed.legibility for number in numbers)
    weight = max(number.weight for number in numbers)
    believed = any(number.printed.is_believed(rules) for number in numbers)
    return _is_printed(numbers), len(papers), believed, legible, weight


def _outdone(numbers: Sequence[NumberSeen], best: Sequence[NumberSeen]) -> bool:
    """Whether a spelling is on recognised pages only and the best one in a text layer."""
    return _is_printed(best) and not _is_printed(numbers)


def _is_printed(numbers: Sequence[NumberSeen]) -> bool:
    """Whether a text layer has it."""
    return any(number.printed.legibility == 1.0 for number in numbers)
