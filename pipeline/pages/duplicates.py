"""Pages that were sent twice, in one submission or in two.

A page that is faxed twice differs in its banner, in specks and in what recognition makes of them; it has
the same words in the same places. Two visits on one template share places and most words but not the
values, so a page is a duplicate only if most words agree and none that is read with confidence differs.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from pipeline.domain import Page, Word

_SAME_SHARE = {"text": 1.0, "ocr": 0.75}
_ALIKE = 0.5
_CONFIDENT = 0.85
_NEAR = 12.0  # points; a second scan is shifted
_MOST_PAIRS = 1_000_000  # of equal words on two pages; a page of prose has some thousands


@dataclass(frozen=True, slots=True)
class _Body:
    """What is compared of a page: its words but for the banner's."""

    page: Page
    words: list[Word]
    texts: list[str]
    counts: Counter[str]

    @classmethod
    def of(cls, page: Page) -> _Body:
        start, end = page.banner or (0, 0)
        words = [word for word in page.words if not start <= word.start < end]
        texts = [word.text for word in words]
        return cls(page, words, texts, Counter(texts))


def mark_duplicates(pages: Sequence[Page]) -> list[Page]:
    """The pages, each that repeats an earlier one naming it. Blank pages repeat nothing."""
    marked: list[Page] = []
    firsts: list[_Body] = []
    for page in pages:
        body = _Body.of(page)
        earlier = next((first.page for first in firsts if _same(first, body)), None)
        if earlier is None:
            firsts.append(body)
        name = (earlier.file, earlier.number) if earlier is not None else None
        marked.append(dataclasses.replace(page, duplicate_of=name))
    return marked


def same_page(one: Page, other: Page) -> bool:
    """Whether two pages, of one submission or of two, are the same page sent twice.

    It compares words and places, so candidates are found first by their marks, see `fingerprint`.
    """
    return _same(_Body.of(one), _Body.of(other))


def _same(one: _Body, other: _Body) -> bool:
    shorter, longer = sorted((len(one.words), len(other.words)))
    if shorter < 5 or shorter < 0.85 * longer:
        return False
    least = _SAME_SHARE["ocr" if "ocr" in (one.page.source, other.page.source) else "text"] * longer
    common = one.counts & other.counts
    if common.total() < least:
        return False
    if one.texts != other.texts:
        if sum(one.counts[text] * other.counts[text] for text in common) > _MOST_PAIRS:
            return False  # the same few words over and over: comparing them takes minutes and tells nothing
        blocks = SequenceMatcher(None, one.texts, other.texts, autojunk=False).get_opcodes()
        if sum(end - start for kind, start, end, _, _ in blocks if kind == "equal") < least:
            return False
        replaced = [(one.words[a:b], other.words[c:d]) for kind, a, b, c, d in blocks if kind == "replace"]
        if any(_differ(*pair) for pair in replaced):
            return False
    return _same_places(one, other)


def _differ(one: Sequence[Word], other: Sequence[Word]) -> bool:
    """Whether both pages surely say something else here, rather than being read with a slip."""
    if min(word.confidence for word in (*one, *other)) < _CONFIDENT:
        return False
    a, b = "".join(word.text for word in one), "".join(word.text for word in other)
    return _other_number(a, b) or SequenceMatcher(None, a, b).ratio() < _ALIKE


def _other_number(a: str, b: str) -> bool:
    """Both made of digits, and not the same ones: a value."""
    digits = [text.strip(".,;:()%").replace("/", "").replace(".", "") for text in (a, b)]
    return digits[0].isdigit() and digits[1].isdigit() and digits[0] != digits[1]


def _same_places(one: _Body, other: _Body) -> bool:
    """Whether words that stand once on each page stand in the same places, but for one common shift."""
    if one.texts == other.texts:
        pairs = [(a.box, b.box) for a, b in zip(one.words, other.words, strict=True)]
    else:
        places = {word.text: word.box for word in one.words if one.counts[word.text] == 1}
        alone = (word for word in other.words if other.counts[word.text] == 1)
        pairs = [(places[word.text], word.box) for word in alone if word.text in places]
    if not pairs:
        return False
    shifts_x = sorted(b.x0 - a.x0 for a, b in pairs)
    shifts_y = sorted(b.top - a.top for a, b in pairs)
    x, y = shifts_x[len(pairs) // 2], shifts_y[len(pairs) // 2]
    near = sum(abs(b.x0 - a.x0 - x) < _NEAR and abs(b.top - a.top - y) < _NEAR for a, b in pairs)
    return near >= 0.6 * len(pairs)
