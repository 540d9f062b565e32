"""What is asked for: procedure and diagnosis codes and the urgency.

They are read from the request form, where there is none from the cover sheet, else from the letter.

Only what is asked for counts: of a list with tick marks the ticked lines, of a corrected code the
correction, and no code that a line names "for comparison" or "not billed".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.catalog.request import RequestRules
from pipeline.domain import NOT_FOUND, Document, Field, Request, Status
from pipeline.evidence import evidence_for
from pipeline.spelling import Phrases, tokenize

EXTRACTOR = "rule:request"

# A box with a cross, a bare cross or two, an arrow or stars at the margin.
_TICK = (
    r"(?:_[xX]_|[\[({|]\s?[xX✓√*]{1,2}\s?[\])}|]|(?<![A-Za-z0-9])[xX]{1,3}(?![A-Za-z])"
    r"|[✓√☒☑●◉]|-->|->|=>|>>|\*{1,3})"
)
_BOX = r"(?:[\[({|]\s{0,2}[xX✓√]?\s{0,2}[\])}|]|[☐☒☑]|_[xX_]_)"
_EMPTY_BOX = re.compile(r"(?:[\[({]\s{0,3}[\])}]|☐|○|_{2,})\s*$")
# Behind a code: it is marked as the one that is meant ("circled"), or as taken back.
_MARKED = re.compile(r"(?i)\b(?:circled|ticked|checked|marked)\b|<--|<==|◄|←")
_WITHDRAWN = re.compile(
    r"(?i)\b(?:crossed|lined|struck|scratched|x'?d|xed|inked|whited)[ -]?(?:out|through|off)\b"
    r"|\bstruck\b|\bnot this\b"
)
_TICKED_BEFORE = re.compile(rf"{_TICK}\s*$")
_TITLE_LINES = 6
_URGENT_TITLE = re.compile(
    r"(?i)\s+(?:prior\s+|pre-?)?(?:review|request|auth\w*|precert\w*|determination|approval)\b"
)
_ANSWER = re.compile(r"\s?[?:.]*\s*(yes|no|y|n)\b", re.IGNORECASE)
_TICKED_LINE = re.compile(rf"^\s*(?:\d{{1,2}}[.)]?\s+)?{_TICK}\s")

# Five digits, or four and a letter, with a modifier perhaps ("57511-59"); not part of a telephone number,
# an amount, a date or an account.
_CPT = re.compile(r"(?<![\w$#/.-])(?:[0-9OoIlSB]{4}[0-9TtFUuMm])(?![\w/]|-(?!(?:2[2-9]|[5-9]\d)\b)\d|\.\d)")
_CORRECTED_WITHIN = 4  # lines above a correction in which the code stands that it takes back
# In front of numbers that are no codes: extensions, postal codes, accounts.
_TELEPHONE = re.compile(r"(?i)(?:\bext?\.?|(?-i:[a-z] x ?)|zip|phone|fax|box)\s*#?:?\s*$")
_NO_CODE = re.compile(r"(?i)(?:\b[A-Z]{2}|acct|form|case|no\.|mrn|\$|tin|group|id)\s*#?:?\s*$")
_ICD10 = re.compile(
    r"""(?<![A-Za-z0-9./-])
    (?P<letter>[A-TV-Za-tv-z12850|!€¢(])(?P<digits>[0-9OIlSBJ/][0-9OIlSBA])  # C64 as OCR reads it
    (?:(?P<point>\s?[.,]\s?|\ (?=\d{1,3}(?:[\s,;)]|$))|(?=\d{1,4}(?:[\s,;)]|$)))(?P<rest>[0-9OIlSBA-Z]{1,4}))?
    (?![A-Za-z0-9/]|\.\d)""",
    re.VERBOSE,
)
# On a form, a diagnosis in words may stand in front of its code.
_BEHIND_WORDS = re.compile(r"[a-z]{4,}[,:(]?\s{1,4}\(?$", re.IGNORECASE)
# What OCR makes of the letter of a diagnosis code, and of its digits.
_LETTERS = {
    "1": "I",
    "2": "Z",
    "8": "B",
    "5": "S",
    "0": "D",
    "|": "I",
    "!": "I",
    "€": "C",
    "¢": "C",
    "(": "C",
}
_DIGITS = str.maketrans({"O": "0", "I": "1", "l": "1", "S": "5", "B": "8", "o": "0", "/": "7", "J": "3"})
# Third characters that are letters occur in few categories only.
_LETTER_CATEGORIES = frozenset({"C4A", "C7A", "C7B", "D3A", "M1A", "O9A", "Z3A"})


@dataclass(frozen=True)
class _Line:
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class _Code:
    value: str
    start: int
    end: int
    line: int
    ticked: bool


def read_request(documents: Sequence[Document], rules: RequestRules) -> Request:
    """The codes asked for and whether the review is to be expedited; what is not said is not filled in."""
    official = [
        document
        for document in documents
        if document.type in rules.sources and document.belongs_to_patient is not False
    ]
    return Request(
        cpt=_codes(official, rules, _procedure_codes),
        icd10=_codes(official, rules, _diagnosis_codes),
        expedited=_expedited(official, rules),
    )


def _codes(documents: Sequence[Document], rules: RequestRules, read: object) -> tuple[Field, ...]:
    """The codes of the best kind of document that states any; each once, with the words that state it."""
    for source in rules.sources:
        fields: dict[str, Field] = {}
        for document in documents:
            if document.type != source:
                continue
            for code in read(document, rules):  # type: ignore[operator]
                evidence = evidence_for(document, code.start, code.end, extractor=EXTRACTOR)
                fields.setdefault(code.value, Field(code.value, Status.FOUND, 0.97, evidence=(evidence,)))
        if fields:
            return tuple(fields.values())
    return ()


# --------------------------------------------------------------------------- procedure codes


def _procedure_codes(document: Document, rules: RequestRules) -> list[_Code]:
    lines = _lines(document.text)
    misread = _misread(document)
    found: list[_Code] = []
    for number, line in enumerate(lines):
        tokens = tokenize(line.text)
        unwanted = rules.cpt_not_requested.find(tokens, misread=misread)
        labelled = _in_context(lines, number, rules.cpt_labels, misread=misread)
        here = [
            code
            for code in _codes_of_line(line, number, rules, labelled=labelled)
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


def _codes_of_line(line: _Line, number: int, rules: RequestRules, *, labelled: bool) -> Iterator[_Code]:
    for match in _CPT.finditer(line.text):
        before = line.text[: match.start()]
        value = match.group().upper()
        if value not in rules.cpt.known:
            value = value.translate(_DIGITS)
        plausible = labelled and re.fullmatch(r"\d{4}[\dTFU]", value) and not _NO_CODE.search(before[-14:])
        if (value not in rules.cpt.known and not plausible) or _TELEPHONE.search(before[-12:]):
            continue
        after = line.text[match.end() :]
        if _WITHDRAWN.search(re.split(_CPT, after, maxsplit=1)[0]):
            continue
        if _part_of_number(line.text, *match.span(), known=value in rules.cpt.known):
            continue
        if not _struck(before) and not _EMPTY_BOX.search(before):
            ticked = bool(_TICKED_LINE.match(before + " ") or re.search(rf"{_TICK}\s*$", before))
            ticked = ticked or bool(_MARKED.search(after))
            yield _Code(value, line.start + match.start(), line.start + match.end(), number, ticked)


def _part_of_number(line: str, start: int, end: int, *, known: bool) -> bool:
    """Whether the digits are a group of a longer number: "QRS 4400 71926 B", "QRS 71926 8"."""
    before = re.search(r"(?:^|[^\w])([A-Z]{0,4}\d+)[ ]$", line[:start])
    behind = re.match(r"[ ](?:\d{1,4}(?![\w.])|[A-Z](?=\s{2}|$))", line[end:])
    return bool((before and len(before[1]) not in (1, 2, 5)) or (behind and not known))


def _ticked_only(codes: list[_Code]) -> list[_Code]:
    """Where some lines of a list of codes are ticked, the others are not asked for."""
    ticked = [code for code in codes if code.ticked]
    if not ticked:
        return codes
    near = {code.line for code in ticked}
    return [code for code in codes if code.ticked or min(abs(code.line - line) for line in near) > 12]


def _struck(before: str) -> bool:
    """Whether the code that follows is struck out or taken back."""
    return "~~" in before or bool(
        re.search(r"(?i)(?:corrected|changed|amended)\s+from\s*:?\s*$|\bnot\s*$", before)
    )


# --------------------------------------------------------------------------- diagnosis codes


def _diagnosis_codes(document: Document, rules: RequestRules) -> list[_Code]:
    lines = _lines(document.text)
    misread = _misread(document)
    form = document.type == rules.sources[0]
    requested = {code.line for code in _procedure_codes(document, rules)}
    found: list[_Code] = []
    for number, line in enumerate(lines):
        if rules.icd10_not_requested.find(tokenize(line.text), misread=misread):
            continue
        labelled = _in_context(lines, number, rules.icd10_labels, misread=misread)
        for match in _ICD10.finditer(line.text):
            value = _icd10(match, rules, misread=misread)
            if not (match["point"] or "").strip() and not _labelled_here(
                line.text, match.start(), rules, misread
            ):
                value = _whole(match, rules)
            if value is None or (not labelled and not ("." in value and match["letter"].isalpha())):
                continue
            beside = _beside_words(line.text, match.end()) or (
                form and _BEHIND_WORDS.search(line.text[: match.start()])
            )
            if not labelled and not beside and number not in requested:
                continue
            found.append(_Code(value, line.start + match.start(), line.start + match.end(), number, False))
    return found


def _labelled_here(line: str, start: int, rules: RequestRules, misread: bool) -> bool:
    """Whether a diagnosis label stands before the code on its own line: then "N186" is N18.6."""
    return bool(rules.icd10_labels.find(tokenize(line[:start]), misread=misread))


def _whole(match: re.Match[str], rules: RequestRules) -> str | None:
    """A code of three characters that is complete without a decimal."""
    code = match["letter"] + match["digits"]
    stands_alone = not match["rest"] or (match["point"] or "").isspace()
    return code if stands_alone and code in rules.icd10.three_characters else None


def _icd10(match: re.Match[str], rules: RequestRules, *, misread: bool) -> str | None:
    letter, digits, rest = match["letter"], match["digits"], match["rest"]
    if not letter.isalpha():
        if not misread or rest is None:
            return None
        letter = _LETTERS[letter]
    if letter.islower() and rest is None:
        return None
    category = letter.upper() + digits
    if category not in _LETTER_CATEGORIES:
        category = letter.upper() + digits.translate(_DIGITS)
        if not category[1:].isdigit():
            return None
    if rest is None:  # "DOS" and "III" look like codes to an eye as bad as OCR's: only digits count here
        return category if digits.isdigit() and category in rules.icd10.three_characters else None
    rest = rest.translate(_DIGITS) if misread and not rest.isdigit() else rest.upper()
    return f"{category}.{rest}"


def _beside_words(line: str, end: int) -> bool:
    """A code without a label on its line is one where its meaning stands beside it."""
    return bool(re.match(r"\s*[-:(]?\s*[A-Za-z]{4,}", line[end:]))


# --------------------------------------------------------------------------- urgency


def _expedited(documents: Sequence[Document], rules: RequestRules) -> Field:
    """True or False as ticked or written; not found where nothing is ticked or both are."""
    for source in rules.sources:
        answers: dict[bool, tuple[Document, int, int]] = {}
        for document in (document for document in documents if document.type == source):
            for answer, start, end in _urgency(document, rules):
                answers.setdefault(answer, (document, start, end))
        if len(answers) == 1:
            (value, (document, start, end)), *_ = answers.items()
            evidence = evidence_for(document, start, end, extractor=EXTRACTOR)
            return Field(value, Status.FOUND, 0.95, evidence=(evidence,))
        if answers:
            return Field(status=Status.UNCERTAIN)
    return NOT_FOUND


def _urgency(document: Document, rules: RequestRules) -> Iterator[tuple[bool, int, int]]:
    misread = _misread(document)
    labels = Phrases(rules.expedited.labels)
    for number, line in enumerate(_lines(document.text)):
        hits = rules.urgency.find(tokenize(line.text), misread=misread)
        boxes = [match.start() for match in re.finditer(_BOX, line.text)]
        for hit in hits:
            expedited = hit.phrase in rules.expedited.yes
            before, behind = line.text[: hit.start], line.text[hit.end :]
            if boxes:
                # "urgent [X]   routine [ ]" or "[X] urgent   [ ] routine": the first box tells on which side
                side = (
                    re.match(rf"\s*{_TICK}", behind)
                    if boxes[0] > hits[0].start
                    else _TICKED_BEFORE.search(before)
                )
                if side:
                    yield expedited, line.start + hit.start, line.start + hit.end
            elif answer := _ANSWER.match(behind):
                yield expedited == (answer[1][0] in "yY"), line.start + hit.start, line.start + hit.end
            elif any(label.end <= hit.start for label in labels.find(tokenize(before), misread=misread)):
                yield expedited, line.start + hit.start, line.start + hit.end
            elif expedited and number < _TITLE_LINES and _URGENT_TITLE.match(behind):
                yield True, line.start + hit.start, line.start + hit.end


# --------------------------------------------------------------------------- lines


def _lines(text: str) -> list[_Line]:
    found, position = [], 0
    for line in text.split("\n"):
        found.append(_Line(position, position + len(line), line))
        position += len(line) + 1
    return found


def _in_context(lines: Sequence[_Line], number: int, labels: Phrases, *, misread: bool) -> bool:
    """Whether a label stands on the line, or heads the block or table that the line belongs to."""
    blanks = 0
    for line in reversed(lines[max(0, number - 7) : number + 1]):
        if not line.text.strip():
            blanks += 1
            if blanks > 1:
                return False
            continue
        if any(_opens(line.text, hit.start) for hit in labels.find(tokenize(line.text), misread=misread)):
            return True
        if line is not lines[number] and not line.text.startswith(
            (" ", "\t", "|", "+", "-", "_", "=", "[", "(", "{")
        ):
            return False
    return False


def _opens(line: str, start: int) -> bool:
    """At the start of the line or of a cell, or after a mark: not in the middle of a sentence."""
    before = line[:start]
    return not before.strip(" .|+-_=*\t()#0123456789") or before.endswith(("  ", "| ", ": ", ", ", "- "))


def _misread(document: Document) -> bool:
    return any(page.source == "ocr" for page in document.pages)
