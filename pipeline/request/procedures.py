"""Procedure codes that a paper asks for: ticked, not corrected away, not only named."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.catalog.request import RequestRules
from pipeline.domain import Document
from pipeline.request.lines import Line, StatedCode, in_context, is_misread, lines_of
from pipeline.request.ticks import EMPTY_BOX, TICK, TICKED_LINE
from pipeline.spelling import DIGITS, tokenize

# Behind a code: it is marked as the one that is meant ("circled"), or as taken back.
_MARKED = re.compile(r"(?i)\b(?:circled|ticked|checked|marked)\b|<--|<==|◄|←")
_WITHDRAWN = re.compile(
    r"(?i)\b(?:crossed|lined|struck|scratched|x'?d|xed|inked|whited)[ -]?(?:out|through|off)\b"
    r"|\bstruck\b|\bnot this\b"
)
# Five digits, or four and a letter, with a modifier perhaps ("57511-59"); not part of a telephone number,
# an amount, a date or an account.
_CPT = re.compile(r"(?<![\w$#/.-])(?:[0-9OoIlSB]{4}[0-9TtFUuMm])(?![\w/]|-(?!(?:2[2-9]|[5-9]\d)\b)\d|\.\d)")
# The line of a table that OCR took for a digit in front of a code.
_BORDERED = re.compile(r"(?<![\w$#/.-])[1Il|]([0-9]{4}[0-9T])(?![\w/.-])")
# The letter of a code of four digits and a letter, read as a digit.
_THIRD_CATEGORY = re.compile(r"0[2-9]\d\d[71Il]")
_OTHER_CELL = re.compile(r"^.*(?<!\w)\d{4}[\dT](?!\w).*\s{3,}")
_CORRECTED_WITHIN = 4  # lines above a correction in which the code stands that it takes back
# In front of numbers that are no codes: extensions, postal codes, accounts.
_TELEPHONE = re.compile(r"(?i)(?:\bext?\.?|(?-i:[a-z] x ?)|zip|phone|fax|box)\s*#?:?\s*$")
_NO_CODE = re.compile(r"(?i)(?:\b[A-Z]{2}|acct|form|case|no\.|mrn|\$|tin|group|id)\s*#?:?\s*$")
_APART = 12  # lines from a ticked code beyond which a code is of another list


def procedure_codes(document: Document, rules: RequestRules) -> list[StatedCode]:
    """The codes asked for in one document, in the order in which they stand there."""
    lines = lines_of(document.text)
    misread = is_misread(document)
    found: list[StatedCode] = []
    for number, line in enumerate(lines):
        tokens = tokenize(line.text)
        unwanted = rules.cpt_not_requested.find(tokens, misread=misread)
        labelled = in_context(lines, number, rules.cpt_labels, misread=misread)
        here = [
            code
            for code in _codes_of_line(line, number, rules, labelled=labelled, misread=misread)
            if not any(_same_clause(line.text, code.start - line.start, hit.start) for hit in unwanted)
        ]
        if here and (corrections := rules.corrections.find(tokens, misread=misread)):
            found = [code for code in found if number - code.line > _CORRECTED_WITHIN]
            after = [code for code in here if code.start - line.start > corrections[0].start]
            here = after or here
        found += here
    return _ticked_only(found)


def _same_clause(line: str, one: int, other: int) -> bool:
    """Whether no semicolon and no end of a sentence stands between two places of a line."""
    return not re.search(r";|[.]\s", line[min(one, other) : max(one, other)])


def _codes_of_line(
    line: Line, number: int, rules: RequestRules, *, labelled: bool, misread: bool
) -> Iterator[StatedCode]:
    for start, end, value in _numbers(line.text, rules, misread=misread):
        before, after = line.text[:start], line.text[end:]
        known = value in rules.codes.by_code
        plausible = labelled and re.fullmatch(r"\d{4}[\dTFU]", value) and not _NO_CODE.search(before[-14:])
        if not (known or plausible) or _TELEPHONE.search(before[-12:]):
            continue
        if _WITHDRAWN.search(re.split(_CPT, after, maxsplit=1)[0]):
            continue
        if _part_of_number(line.text, start, end, known=known):
            continue
        if not _struck(before) and not EMPTY_BOX.search(before):
            own = _OTHER_CELL.sub("", before)  # a tick at the margin is not that of a second column
            ticked = bool(TICKED_LINE.match(own + " ") or re.search(rf"{TICK}\s*$", before))
            ticked = ticked or bool(_MARKED.search(after))
            yield StatedCode(value, line.start + start, line.start + end, number, start, ticked)


def _numbers(line: str, rules: RequestRules, *, misread: bool) -> Iterator[tuple[int, int, str]]:
    """(start, end, normal form) of what may be a code; the words on the page stay as they are."""
    for match in _CPT.finditer(line):
        value = match.group().upper()
        if value not in rules.codes.by_code:
            value = value.translate(DIGITS)
        if misread and _THIRD_CATEGORY.fullmatch(value) and value[:4] + "T" in rules.codes.by_code:
            value = value[:4] + "T"  # no number above 01999 begins with 0
        yield *match.span(), value
    if misread:
        for match in _BORDERED.finditer(line):
            if match[1] in rules.codes.by_code:
                yield *match.span(1), match[1]


def _part_of_number(line: str, start: int, end: int, *, known: bool) -> bool:
    """Whether the digits are a group of a longer number: "QRS 4400 71926 B", "QRS 71926 8"."""
    before = re.search(r"(?:^|[^\w])([A-Z]{0,4}\d+)[ ]$", line[:start])
    behind = re.match(r"[ ](?:\d{1,4}(?![\w.])|[A-Z](?=\s{2}|$))", line[end:])
    return bool((before and len(before[1]) not in (1, 2, 5)) or (behind and not known))


def _ticked_only(codes: list[StatedCode]) -> list[StatedCode]:
    """Where some lines of a list of codes are ticked, the others are not asked for."""
    near = {code.line for code in codes if code.ticked}
    if not near:
        return codes
    return [code for code in codes if code.ticked or min(abs(code.line - line) for line in near) > _APART]


def _struck(before: str) -> bool:
    """Whether the code that follows is struck out or taken back."""
    return "~~" in before or bool(
        re.search(r"(?i)(?:corrected|changed|amended)\s+from\s*:?\s*$|\bnot\s*$", before)
    )
