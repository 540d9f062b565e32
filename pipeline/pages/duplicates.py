"""Pages that were sent twice in one submission.

A page that is faxed twice differs in its banner, in specks and in what recognition makes of them; it has
the same words in the same places. Two visits on one template share places and most words but not the
values, so a page is a duplicate only if most words agree and none that is read with confidence differs.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

from pipeline.domain import Page, Word

_SAME_SHARE = {"text": 1.0, "ocr": 0.75}
_ALIKE = 0.5
_CONFIDENT = 0.85
_NEAR = 12.0  # points; a second scan is shifted


def mark_duplicates(pages: Sequence[Page]) -> list[Page]:
    """The pages, each that repeats an earlier one naming it. Blank pages repeat nothing."""
    marked: list[Page] = []
    bodies: list[list[Word]] = [_body(page) for page in pages]
    for index, page in enumerate(pages):
        earlier = next(
            (
                pages[other]
                for other in range(index)
                if marked[other].duplicate_of is None
                and _same(pages[other], bodies[other], page, bodies[index])
            ),
            None,
        )
        name = (earlier.file, earlier.number) if earlier is not None else None
        marked.append(dataclasses.replace(page, duplicate_of=name))
    return marked


def same_page(one: Page, other: Page) -> bool:
    """Whether two pages, of whatever submissions, are the same page."""
    return _same(one, _body(one), other, _body(other))


def _body(page: Page) -> list[Word]:
    start, end = page.banner or (0, 0)
    return [word for word in page.words if not start <= word.start < end]


def _same(one: Page, first: Sequence[Word], other: Page, second: Sequence[Word]) -> bool:
    if min(len(first), len(second)) < 5 or min(len(first), len(second)) < 0.85 * max(len(first), len(second)):
        return False
    source = "ocr" if "ocr" in (one.source, other.source) else "text"
    left, right = [word.text for word in first], [word.text for word in second]
    common = Counter(left) & Counter(right)
    if common.total() < _SAME_SHARE[source] * max(len(left), len(right)):
        return False
    blocks = SequenceMatcher(None, left, right, autojunk=False).get_opcodes()
    same = sum(end - start for kind, start, end, _, _ in blocks if kind == "equal")
    if same < _SAME_SHARE[source] * max(len(left), len(right)):
        return False
    replaced = [(first[a:b], second[c:d]) for kind, a, b, c, d in blocks if kind == "replace"]
    return not any(_differ(*pair) for pair in replaced) and _same_places(first, second)


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


def _same_places(first: Sequence[Word], second: Sequence[Word]) -> bool:
    """Whether words that stand once on each page stand in the same places, but for one common shift."""
    places = {word.text: word.box for word in first}
    pairs = [(places[word.text], word.box) for word in second if word.text in places]
    shifts_x = sorted(b.x0 - a.x0 for a, b in pairs)
    shifts_y = sorted(b.top - a.top for a, b in pairs)
    x, y = shifts_x[len(pairs) // 2], shifts_y[len(pairs) // 2]
    near = sum(abs(b.x0 - a.x0 - x) < _NEAR and abs(b.top - a.top - y) < _NEAR for a, b in pairs)
    return near >= 0.6 * len(pairs)
