"""How exactly the tokens that a decision hangs on are read, kind by kind.

As printed: the share of tokens of a kind that come out character by character, wherever on their page.
As values: the share after O, o and 0, and I, l, | and 1 are taken for one another, as the readers of
stages, codes and numbers do by what each place of them can hold; the text itself keeps what was read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

Pages = Sequence[Sequence[str]]

# In this order: a token counts for the first kind that it is.
KINDS: Mapping[str, re.Pattern[str]] = {
    "date": re.compile(r"\d{1,2}[/-](?:\d{1,2}|[A-Z][a-z]{2})[/-]\d{2,4}"),
    "TNM": re.compile(r"[cpyra]{0,2}(?:T(?:is|[0-4X])|N[0-3X]|M[01X])\w{0,6}"),
    "ICD-10": re.compile(r"[A-TV-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?"),
    "CPT": re.compile(r"\d{5}"),
    "member, record and case number": re.compile(r"[A-Z]{0,3}-?\d[\dA-Z-]{5,}"),
    "measure with a point": re.compile(r"\d+\.\d+"),
    "small number": re.compile(r"\d{1,4}"),
}
_EDGES = "()[],.;:"
_ALIKE = str.maketrans({"O": "0", "o": "0", "I": "1", "l": "1", "|": "1"})


def kind_of(token: str) -> str | None:
    """The kind of a printed token; None where it is of none of them."""
    bare = token.strip(_EDGES)
    return next((kind for kind, shape in KINDS.items() if shape.fullmatch(bare)), None)


def table(truth: Pages, readings: Mapping[str, Pages]) -> str:
    """Tokens by kind, and the shares that each method reads, as printed and as values."""
    head = " | ".join(f"{method}, as printed | as values" for method in readings)
    lines = [f"| kind | tokens | {head} |", "|---|---|" + "---|---|" * len(readings)]
    for kind in KINDS:
        wanted = [[token for token in page if kind_of(token) == kind] for page in truth]
        count = sum(map(len, wanted))
        if count:
            shares = (
                f"{_found(wanted, pages, fold) / count:.3f}"
                for pages in readings.values()
                for fold in (False, True)
            )
            lines.append(f"| {kind} | {count} | {' | '.join(shares)} |")
    return "\n".join(lines)


def _found(wanted: Pages, read: Pages, fold: bool) -> int:
    pairs = zip(wanted, read, strict=True)
    return sum((_counted(page, fold) & _counted(other, fold)).total() for page, other in pairs)


def _counted(tokens: Iterable[str], fold: bool) -> Counter[str]:
    bare = (token.strip(_EDGES) for token in tokens)
    return Counter(token.translate(_ALIKE) if fold else token for token in bare)
