"""Whether a page starts a document: by its number where it has one, else by several signs."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.catalog.documents import DocumentTypes
from pipeline.documents.classify import classify
from pipeline.documents.pages import closes
from pipeline.documents.sheets import TITLE_STARTS, Run, Sheet
from pipeline.spelling import tokenize

_CONTINUES = 8.0  # what a repeated running header takes from the signs of a start
_HEAD_LINES = 8  # lines in which a first page names patient, day and letterhead
_STARTS = 2.0  # sum of the signs from which a page without a number starts a document


def starts(sheet: Sheet, runs: Sequence[Run], types: DocumentTypes) -> bool:
    """Whether a page is a document's first."""
    number = sheet.numbering.number
    if number == 1 or sheet.is_separator:
        return True
    if number > 1 or sheet.numbering.continued:
        return False
    if not runs or runs[-1].sheets[-1].is_separator:
        return True
    return _signs_of_start(sheet, runs[-1], types) >= _STARTS


def _signs_of_start(sheet: Sheet, run: Run, types: DocumentTypes) -> float:
    """Signs that a page without a number starts a document, less those that it goes on with `run`."""
    rules = types.pages
    titled = sheet.is_titled
    signs = 4.0 if titled else 2.0 if sheet.title_score >= 2.0 and sheet.cues.title_line <= 7 else 0.0
    signs += 2.0 if any(rules.opens.match(line) for line in sheet.lines) else 0.0
    signs += 1.0 if sheet.lines and _is_header(sheet.lines[0]) else 0.0
    heads = {hit.lower() for line in sheet.lines[:6] for hit in rules.is_headed.findall(line)}
    signs += 1.0 if len(heads) >= 2 else 0.0
    signs += min(2.5, 0.5 * gain(sheet, run, types))
    signs += 1.0 if closes(run.sheets[-1].page, rules) else 0.0
    if sheet.lines:
        signs -= 2.0 if not titled and any(rules.is_inside.match(line) for line in sheet.lines[:4]) else 0.0
        signs -= 4.0 if sheet.lines[0].lstrip()[:1].islower() else 0.0
    if repeats_head(sheet, run, types):
        signs -= _CONTINUES
    return signs


def repeats_head(sheet: Sheet, run: Run, types: DocumentTypes) -> bool:
    """Whether the page opens with names and numbers that the run's head bore, and with no new title.

    A later page of a document repeats who and when ("Doe, Jane   MRN 12   06/04/2026"); the first page of
    another document has another title, day or letterhead.
    """
    rules = types.pages
    known = {token.word for line in run.sheets[0].lines[:_HEAD_LINES] for token in tokenize(line)}
    repeated = 0
    for line in sheet.lines[:6]:
        words = [token.word for token in tokenize(line) if len(token.word) > 2 or token.word.isdigit()]
        new = [word for word in words if word not in known]
        lenient = len(words) > 2 and any(map(str.isdigit, words)) and not rules.is_its_own.match(line)
        if len(new) > (1 if lenient else 0):
            break
        repeated += 1
    head, rest = sheet.lines[:repeated], sheet.lines[repeated:_HEAD_LINES]
    if not any(char.isdigit() for line in head for char in line):
        return False
    if any(rules.opens.match(line) for line in rest) or (rest and rules.is_its_own.match(rest[0])):
        return False
    if sheet.title_score < TITLE_STARTS or sheet.cues.title_line > repeated:
        return True
    title = max(sheet.cues.titles, key=lambda name: sheet.cues.titles[name])
    kind = classify([other.cues for other in run.sheets], types).type
    return title == kind or _is_repeated(sheet, run.sheets[0].lines[:_HEAD_LINES])


def _is_repeated(sheet: Sheet, head: Sequence[str]) -> bool:
    """Whether the page's title stood, word for word, in the head before."""
    start, end = sheet.cues.title or (0, 0)
    title = " ".join(sheet.page.text[start:end].lower().split())
    return any(title in " ".join(line.lower().split()) for line in head)


def _is_header(line: str) -> bool:
    """A letterhead or running header rather than a sentence or a row: in parts, in capitals, or titled."""
    words = [word for word in line.split() if word[0].isalpha()]
    return (
        "   " in line.strip()
        or line.isupper()
        or (len(words) >= 2 and all(word[0].isupper() for word in words))
    )


def gain(sheet: Sheet, run: Run, types: DocumentTypes) -> float:
    """By how much a page, read by itself, is rather of another kind than the run before it."""
    alone = classify([sheet.cues], types)
    before = classify([other.cues for other in run.sheets], types)
    return alone.scores[alone.type] - alone.scores[before.type]
