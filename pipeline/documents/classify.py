"""The type of a document from its words: titles at its head, headings, and phrases anywhere."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.catalog.documents import Cue, DocumentTypes
from pipeline.documents.cues import Cell, head_cells, is_heading, is_title
from pipeline.spelling import Hit, tokenize

# A title counts fully on the first lines of a page and less further down, where other documents
# are more often mentioned than named.
_TITLE_FADE = (1.0, 1.0, 1.0, 1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5, 0.4, 0.4)
_HEAD = 2500  # characters within which the title lines stand
_LONGEST_TITLE = 11  # words of a cell; a longer one is a sentence
_PAIR_GAP = 3  # words that may stand between the two of a title pair
_WHOLE_LINES = 5  # lines within which a title of a single common word ("PLAN") may stand
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
    """What the words of one page say.

    `title` is where the words stand that most name a type, `title_line` on which line; `set_titles` are
    for each type the best of those that are set as a title, not part of a sentence or a row, as
    (score, start, end).
    """

    titles: Mapping[str, float]
    headings: frozenset[str]
    phrases: frozenset[str]
    shapes: frozenset[str] = frozenset()
    title: tuple[int, int] | None = None
    title_line: int = 99
    set_titles: Mapping[str, tuple[float, int, int]] = field(default_factory=dict)


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
    named = types.titles.find(tokens, misread=misread)
    paired = types.pair_words.find([token for token in tokens if token.start < _HEAD], misread=misread)
    found = _titles(text, types, named, paired, skip)
    own = [token for token in tokens if not any(low <= token.start < high for low, high in skip)]
    headings = types.headings.find(own, misread=misread)
    own_text = _without(text, skip)
    return PageCues(
        titles=found.scores,
        headings=frozenset(hit.phrase for hit in headings if is_heading(text, hit.start, hit.end)),
        phrases=frozenset(hit.phrase for hit in types.phrases.find(own, misread=misread)),
        shapes=frozenset(name for name, shape in types.pages.shapes.items() if shape.stands_in(own_text)),
        title=found.best and (found.best.start, found.best.end),
        title_line=found.best.line if found.best else 99,
        set_titles=found.set,
    )


def _without(text: str, skip: tuple[tuple[int, int], ...]) -> str:
    for start, end in skip:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def classify(pages: Sequence[PageCues], types: DocumentTypes) -> Verdict:
    """The type of a document with these pages. Titles count from its first page only."""
    headings = frozenset().union(*(page.headings for page in pages))
    phrases = frozenset().union(*(page.phrases for page in pages))
    shapes = frozenset().union(*(page.shapes for page in pages))
    scores = {
        name: types[name].prior
        + pages[0].titles.get(name, 0.0)
        + _sum(types[name].headings, headings)
        + _sum(types[name].phrases, phrases)
        + sum(shape.weight * sum(kind in shapes for kind in shape.shapes) for shape in types[name].shapes)
        for name in types
    }
    best = max(scores, key=lambda name: scores[name])
    likelihood = {name: math.exp((score - scores[best]) / _SOFTNESS) for name, score in scores.items()}
    return Verdict(best, round(1 / sum(likelihood.values()), 3), scores)


def _sum(cues: Sequence[Cue], seen: frozenset[str]) -> float:
    return sum(min(cue.most, cue.weight * sum(phrase in seen for phrase in cue.phrases)) for cue in cues)


class _Named(NamedTuple):
    """A phrase or pair that names a type, with its weight.

    `whole`: it counts only if it is all that its cell says; `gap`: other words stand within it.
    """

    hit: Hit
    type: str
    weight: float
    whole: bool = False
    gap: bool = False


class _Titles(NamedTuple):
    """The best title score of each type, the cell that holds the best of all, and those set as titles."""

    scores: dict[str, float]
    best: Cell | None
    set: dict[str, tuple[float, int, int]]


def _titles(
    text: str,
    types: DocumentTypes,
    named: Sequence[Hit],
    paired: Sequence[Hit],
    skip: tuple[tuple[int, int], ...],
) -> _Titles:
    scores: dict[str, float] = {}
    best: tuple[float, Cell | None] = (0.0, None)
    titles: dict[str, tuple[float, int, int]] = {}
    for cell in head_cells(text, skip=skip):
        words = text[cell.start : cell.end]
        if len(tokenize(words)) > _LONGEST_TITLE or _LISTED.match(words):
            continue
        for name in _longest(list(_names(text, cell, types, named, paired))):
            share = _share(text, cell, name.hit)
            if name.whole and (share < 1 or cell.line >= _WHOLE_LINES):
                continue
            score = name.weight * share * _TITLE_FADE[cell.line]
            scores[name.type] = max(scores.get(name.type, 0.0), score)
            if score > best[0]:
                best = (score, cell)
            if is_title(words, name.hit.start - cell.start):
                titles[name.type] = max(titles.get(name.type, (0.0, 0, 0)), (score, cell.start, cell.end))
    return _Titles(scores, best[1], titles)


def _names(
    text: str, cell: Cell, types: DocumentTypes, named: Sequence[Hit], paired: Sequence[Hit]
) -> Iterator[_Named]:
    """What the words of one cell name."""
    inside = [hit for hit in named if cell.start <= hit.start and hit.end <= cell.end]
    words = [hit for hit in paired if cell.start <= hit.start and hit.end <= cell.end]
    for name in types:
        for cue in types[name].titles:
            yield from (
                _Named(hit, name, cue.weight, cue.whole) for hit in inside if hit.phrase in cue.phrases
            )
        for pair in types[name].title_pairs:
            ones = [hit for hit in words if hit.phrase in pair.one]
            others = [hit for hit in words if hit.phrase in pair.other]
            for one, other in ((one, other) for one in ones for other in others):
                first, last = sorted((one, other), key=lambda hit: hit.start)
                between = len(tokenize(text[first.end : last.start]))
                if first.end <= last.start and between <= _PAIR_GAP:
                    hit = Hit(f"{first.phrase} {last.phrase}", first.start, last.end)
                    yield _Named(hit, name, pair.weight, gap=between > 0)


def _longest(names: Sequence[_Named]) -> list[_Named]:
    """Without those that are part of a longer one: a "new patient office visit" is no "office visit"."""
    spans = [name.hit for name in names if not name.gap]
    return [
        name
        for name in names
        if not any(
            other.start <= name.hit.start
            and name.hit.end <= other.end
            and other.end - other.start > name.hit.end - name.hit.start
            for other in spans
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
