"""The type of a document from its words: titles at its head, headings, and phrases anywhere."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.catalog.documents import Cue, DocumentTypes
from pipeline.documents.cues import Cell, head_cells, is_heading
from pipeline.spelling import Hit, tokenize

# A title counts fully on the first lines of a page and less further down, where other documents
# are more often mentioned than named.
_TITLE_FADE = (1.0, 1.0, 1.0, 1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5, 0.4, 0.4)
_LONGEST_TITLE = 11  # words of a cell; a longer one is a sentence
_SOFTNESS = 2.0  # score points that make a type e times as likely

# A cell that names a document without being one: a list of enclosures, a tick box, a subject line.
_LISTED = re.compile(
    r"""^\s*(?:
        \(?\d{1,2}[.)]\s | [-*•]\s | [\[({|]\s?[xX✓]?\s?[\])}|]   # 1.   -   [X]
      | (?:re|subject|ref|reason|question|indication|enclosed|enclosures?|attached|attachments?|cc)\b
      | (?:docs?|documents|sent|content)\b
    )""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True)
class PageCues:
    """What the words of one page say. `title` is where its title stands, `title_line` on which line."""

    titles: Mapping[str, float]
    headings: frozenset[str]
    phrases: frozenset[str]
    title: tuple[int, int] | None = None
    title_line: int = 99


@dataclass(frozen=True)
class Verdict:
    """A type with its confidence in 0..1, and the scores it was chosen from."""

    type: str
    confidence: float
    scores: Mapping[str, float]


def page_cues(
    text: str, types: DocumentTypes, *, misread: bool, skip: tuple[tuple[int, int], ...] = ()
) -> PageCues:
    """The cues of one page. `skip` are ranges that belong to the transmission, not to the document."""
    tokens = tokenize(text)
    titles, title, line = _titles(text, types, types.titles.find(tokens, misread=misread), skip)
    headings = types.headings.find(tokens, misread=misread)
    return PageCues(
        titles=titles,
        headings=frozenset(hit.phrase for hit in headings if is_heading(text, hit.start, hit.end)),
        phrases=frozenset(hit.phrase for hit in types.phrases.find(tokens, misread=misread)),
        title=title,
        title_line=line,
    )


def classify(pages: Sequence[PageCues], types: DocumentTypes) -> Verdict:
    """The type of a document with these pages. Titles count from its first page only."""
    headings = frozenset().union(*(page.headings for page in pages))
    phrases = frozenset().union(*(page.phrases for page in pages))
    scores = {
        name: types[name].prior
        + pages[0].titles.get(name, 0.0)
        + _sum(types[name].headings, headings)
        + _sum(types[name].phrases, phrases)
        for name in types
    }
    best = max(scores, key=lambda name: scores[name])
    likelihood = {name: math.exp((score - scores[best]) / _SOFTNESS) for name, score in scores.items()}
    return Verdict(best, round(1 / sum(likelihood.values()), 3), scores)


def _sum(cues: Sequence[Cue], seen: frozenset[str]) -> float:
    return sum(cue.weight * sum(phrase in seen for phrase in cue.phrases) for cue in cues)


def _titles(
    text: str, types: DocumentTypes, hits: Sequence[Hit], skip: tuple[tuple[int, int], ...]
) -> tuple[dict[str, float], tuple[int, int] | None, int]:
    """The best title score of each type, and the cell that holds the best of all."""
    scores: dict[str, float] = {}
    best: tuple[float, Cell | None] = (0.0, None)
    kept = _longest(hits)
    for cell in head_cells(text, skip=skip):
        words = text[cell.start : cell.end]
        if len(tokenize(words)) > _LONGEST_TITLE or _LISTED.match(words):
            continue
        inside = {hit.phrase: hit for hit in kept if cell.start <= hit.start and hit.end <= cell.end}
        for name in types:
            for cue in types[name].titles:
                for phrase in cue.phrases:
                    if phrase not in inside:
                        continue
                    score = cue.weight * _share(text, cell, inside[phrase]) * _TITLE_FADE[cell.line]
                    scores[name] = max(scores.get(name, 0.0), score)
                    if score > best[0]:
                        best = (score, cell)
    cell_found = best[1]
    return (
        scores,
        (cell_found.start, cell_found.end) if cell_found else None,
        cell_found.line if cell_found else 99,
    )


def _longest(hits: Sequence[Hit]) -> list[Hit]:
    """Without those that are part of a longer one: a "new patient office visit" is no "office visit"."""
    return [
        hit
        for hit in hits
        if not any(
            other.start <= hit.start
            and hit.end <= other.end
            and other.end - other.start > hit.end - hit.start
            for other in hits
        )
    ]


def _share(text: str, cell: Cell, hit: Hit) -> float:
    """How much of a title a phrase is: all of its cell 1, a mention in a longer one down to 0.5.

    What follows a label ("Referred for: consultation") is a value, not a title.
    """
    words = sum(not token.word.isdigit() for token in tokenize(text[cell.start : cell.end]))
    own = len(tokenize(text[hit.start : hit.end]))
    share = 0.5 + 0.5 * min(1.0, own / max(words, 1))
    capital = text[hit.start].isupper() or text[hit.start].isdigit()
    opens = hit.start == cell.start
    labelled = ":" in text[cell.start : hit.start]
    return share * (1.0 if capital else 0.8 if opens and cell.line < 4 else 0.4) * (0.4 if labelled else 1.0)
