"""Diagnosis codes (ICD-10-CM) that a paper states, read as they stand or as OCR may have misread them.

A code is read through a normal form ("C34.1l", "J449"); the words on the page stay what they are. What
is no code of the classification as it stands is read another way only where one way alone gives a
complete code, and, where a character would have to go, the words beside it are that code's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pipeline.catalog.request import RequestRules
from pipeline.domain import Document
from pipeline.icd10 import load_icd10
from pipeline.request.lines import Line, StatedCode, in_context, is_misread, lines_of, words_beside
from pipeline.request.meaning import telling, words_fit
from pipeline.request.procedures import procedure_codes
from pipeline.request.ticks import EMPTY_BOX, TICKED_BEFORE
from pipeline.spelling import DIGITS, tokenize

_ICD10 = re.compile(
    r"""(?<![A-Za-z0-9/-])(?<![A-Za-z0-9]{2}\.)(?<!\d\.)
    (?P<letter>[A-TV-Za-tv-z12850|!€¢©(])(?P<digits>[0-9OIlSBJ/][0-9OIlSBA])  # C64 as OCR reads it
    (?:(?P<point>\s?[.,]\s?|\ (?=\d{1,3}(?:[\s,;)]|$))|(?=\d{1,4}(?:[\s,;)]|$)))(?P<rest>[0-9OIlSBA-Z]{1,4}))?
    (?![A-Za-z0-9/]|\.\d)""",
    re.VERBOSE,
)
# What stands in a code's place and may be one to an eye as bad as OCR's.
_BLURRED = re.compile(
    r"(?<![A-Za-z0-9/-])(?<![A-Za-z0-9]{2}\.)(?<!\d\.)[A-Za-z0-9|!€¢©([\]]{2,6}[.,]?[A-Za-z0-9|!]{0,4}(?![A-Za-z0-9/-])"
)
# On a form, a diagnosis in words may stand in front of its code.
_BEHIND_WORDS = re.compile(r"[a-z]{4,}[,:(]?\s{1,4}\(?$", re.IGNORECASE)
_ONLY_CODES = re.compile(r"[\s.:#=,;()/|-]*(?:code\b[\s.:]*)?(?:[A-Z]\d[0-9A-Z](?:\.\w{1,4})?[\s,;/&]*)*")
# What OCR makes of the letter of a diagnosis code.
_LETTERS = {
    "1": "I",
    "2": "Z",
    "8": "B",
    "5": "S",
    "0": "D",
    "6": "C",
    "|": "I",
    "!": "I",
    "€": "C",
    "¢": "C",
    "©": "C",
    "(": "C",
}
# Third characters that are letters occur in few categories only.
_LETTER_CATEGORIES = frozenset({"C4A", "C7A", "C7B", "D3A", "M1A", "O9A", "Z3A"})
_COLUMN = 3  # characters by which codes of one list stand out of line
_NEXT = 3  # lines from a code to the next of its list


def diagnosis_codes(document: Document, rules: RequestRules) -> list[StatedCode]:
    """The codes that one document states, in the order in which they stand there."""
    lines = lines_of(document.text)
    misread = is_misread(document)
    form = document.type == rules.sources[0]
    requested = {code.line for code in procedure_codes(document, rules)}
    found: list[StatedCode] = []
    for number, line in enumerate(lines):
        if rules.icd10_not_requested.find(tokenize(line.text), misread=misread):
            continue
        labelled = in_context(lines, number, rules.icd10_labels, misread=misread)
        here = [
            *_plain(
                line, number, rules, found, labelled, misread=misread, form=form, asked=number in requested
            )
        ]
        if not here and misread:
            here = [*_blurred(line, number, rules, found)]
        found += here
    return _ticked_only(found, document.text)


def _plain(
    line: Line,
    number: int,
    rules: RequestRules,
    found: Sequence[StatedCode],
    labelled: bool,
    *,
    misread: bool,
    form: bool,
    asked: bool,
) -> Iterator[StatedCode]:
    """Codes with their dot, and those without one where a label or the column says what they are."""
    for match in _ICD10.finditer(line.text):
        value = _read(match, rules, misread=misread)
        if not (match["point"] or "").strip() and not _labelled_here(
            line.text, match.start(), rules, misread
        ):
            listed = labelled and _in_column(line, match.start(), number, found)
            if not (listed and value and load_icd10().complete(value)):
                value = _whole(match, rules)
        named = labelled or _right_behind_label(line.text, match.start(), rules, misread)
        listed_after = asked and value and _alone(line.text, match, value)
        if value is None or not (named or listed_after or ("." in value and match["letter"].isalpha())):
            continue
        beside = _beside_words(line.text, match.end()) or (
            form and (_BEHIND_WORDS.search(line.text[: match.start()]) or _alone(line.text, match, value))
        )
        if named or beside or asked:
            yield StatedCode(
                value, line.start + match.start(), line.start + match.end(), number, match.start()
            )


def _labelled_here(line: str, start: int, rules: RequestRules, misread: bool) -> bool:
    """Whether a diagnosis label stands before the code on its own line: then "N186" is N18.6."""
    return bool(rules.icd10_labels.find(tokenize(line[:start]), misread=misread))


def _right_behind_label(line: str, start: int, rules: RequestRules, misread: bool) -> bool:
    """Whether nothing but other codes stands between a diagnosis label and the place, even in a sentence."""
    hits = rules.icd10_labels.find(tokenize(line[:start]), misread=misread)
    return any(_ONLY_CODES.fullmatch(line, hit.end, start) for hit in hits)


def _in_column(line: Line, start: int, number: int, found: Sequence[StatedCode]) -> bool:
    """Whether the place is under a code of the same list."""
    for code in reversed(found):
        if number - code.line > _NEXT:
            return False
        if code.line < number and abs(code.column - start) <= _COLUMN:
            return True
    return False


def _whole(match: re.Match[str], rules: RequestRules) -> str | None:
    """A code of three characters that is complete without a decimal."""
    code = match["letter"] + match["digits"]
    stands_alone = not match["rest"] or (match["point"] or "").isspace()
    return code if stands_alone and code in rules.icd10.three_characters else None


def _read(match: re.Match[str], rules: RequestRules, *, misread: bool) -> str | None:
    letter, digits, rest = match["letter"], match["digits"], match["rest"]
    if match.group().isdigit():  # a year or a number
        return None
    if not letter.isalpha():
        if not misread or rest is None:
            return None
        letter = _LETTERS.get(letter, letter)
    if letter.islower() and rest is None:
        return None
    category = letter.upper() + digits
    if category not in _LETTER_CATEGORIES:
        category = letter.upper() + digits.translate(DIGITS)
        if not category[1:].isdigit():
            return None
    if rest is None:  # "DOS" and "III" look like codes to an eye as bad as OCR's: only digits count here
        return category if digits.isdigit() and category in rules.icd10.three_characters else None
    exact = f"{category}.{rest.upper()}"
    if rest.isdigit() or load_icd10().exists(exact):
        return exact
    return f"{category}.{rest.translate(DIGITS)}"


def _alone(line: str, match: re.Match[str], value: str) -> bool:
    """A complete code that fills a cell of a form needs no label."""
    before, behind = line[: match.start()], line[match.end() :]
    return (
        load_icd10().complete(value)
        and (not before.strip() or before.endswith(("  ", "| ", ", ", "/ ")))
        and re.match(r"\s*$|\s{2}|\s?[,;|/]", behind) is not None
    )


def _beside_words(line: str, end: int) -> bool:
    """A code without a label on its line is one where its meaning stands beside it."""
    return bool(re.match(r"\s*[-:(]?\s*[A-Za-z]{4,}", line[end:]))


def _ticked_only(codes: list[StatedCode], text: str) -> list[StatedCode]:
    """Without those whose box is empty; of several on a line with boxes, the ticked."""
    kept = [
        code for code in codes if not EMPTY_BOX.search(text, text.rfind("\n", 0, code.start) + 1, code.start)
    ]
    ticked = {code.line for code in kept if _is_ticked(text, code)}
    return [code for code in kept if code.line not in ticked or _is_ticked(text, code)]


def _is_ticked(text: str, code: StatedCode) -> bool:
    return bool(TICKED_BEFORE.search(text, text.rfind("\n", 0, code.start) + 1, code.start))


# --------------------------------------------------------------------------- misread


def _blurred(
    line: Line, number: int, rules: RequestRules, found: Sequence[StatedCode]
) -> Iterator[StatedCode]:
    """One complete code that the line may hold: right behind a label, in the column of a list, or in front
    of the words that it stands for."""
    for match in _BLURRED.finditer(line.text):
        if not any(map(str.isdigit, match.group())):
            continue
        behind_label = any(
            not re.search(r"\w", line.text[hit.end : match.start()])
            for hit in rules.icd10_labels.find(tokenize(line.text[: match.start()]), misread=True)
        )
        placed = behind_label or _in_column(line, match.start(), number, found)
        beside = words_beside(line.text, match.end())
        if value := _only_reading(match.group(), beside, rules, placed=placed):
            end = match.end() if placed and value in _alike(match.group()) else match.end() + len(beside)
            yield StatedCode(value, line.start + match.start(), line.start + end, number, match.start())
            return


def _only_reading(raw: str, beside: str, rules: RequestRules, *, placed: bool) -> str | None:
    """The one complete code that `raw` may be; None where there is none, or several.

    Where the place does not say that it is a code, or no character of the same look makes it one, the
    words beside it must say which.
    """
    icd10 = load_icd10()
    alike = {code for code in _alike(raw) if icd10.complete(code)}
    if placed and len(alike) == 1:
        return alike.pop()
    told = {code for code in alike or _near(raw) if _told_beside(code, beside, rules)}
    return told.pop() if len(told) == 1 else None


def _told_beside(code: str, beside: str, rules: RequestRules) -> bool:
    common, meaning = rules.icd10.common_words, load_icd10().meaning(code)
    whole = words_fit(meaning, beside, common) and words_fit(beside, meaning, common)
    return whole or (len(telling(beside, common)) >= 2 and words_fit(beside, meaning, common))


def _near(raw: str) -> set[str]:
    """Complete codes that `raw` is with a character too many, or with one or two that cannot be read."""
    icd10 = load_icd10()
    shorter = {code for at in range(len(raw)) for code in _alike(raw[:at] + raw[at + 1 :])}
    found = {code for code in shorter if icd10.complete(code)}
    plain = re.sub(r"[.,]", "", raw)
    if 4 <= len(plain) <= 7 and plain[0].isupper():
        shape = "".join(letter if letter.isdigit() else "." for letter in plain[1:])
        if shape.count(".") in (1, 2):
            found.update(icd10.like(plain[0] + shape))
    return found


def _alike(raw: str) -> Iterator[str]:
    """Codes with their dot that characters of the same look make of `raw`."""
    plain = re.sub(r"[.,]", "", raw)
    if not 3 <= len(plain) <= 7:
        return
    letter = plain[0].upper() if plain[0].isalpha() else _LETTERS.get(plain[0])
    if letter is None or raw.isdigit() or (plain[0].islower() and plain[0] not in "cz"):
        return  # digits alone, without a dot, are a year or a number
    body = plain[1:].translate(DIGITS).upper()
    if body[:2].isdigit():
        yield f"{letter}{body[:2]}" + (f".{body[2:]}" if len(body) > 2 else "")
