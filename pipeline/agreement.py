"""What several recognised pages print of one fact, and whether that is sure.

A coarse fax makes an "Ottilie" of "Ottille" and a 1948 of 1946, with the confidence of a good word: what one
paper says surely another may say otherwise. So papers vote, each once. A text layer needs no vote.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pipeline.catalog.identity import Believed
from pipeline.domain import Document


@dataclass(frozen=True, slots=True)
class Print:
    """A paper's print of a fact, or of a part of it.

    `key` is what is compared. `confirmed` is False where it has digits that nothing confirms: see
    `Word.confirmed`.
    """

    document: Document = field(repr=False)
    start: int
    end: int
    key: str = field(repr=False)
    confirmed: bool = True

    @property
    def legibility(self) -> float:
        """How well its page could be read, in 0..1; 1 for a text layer."""
        page = self.document.page_at(self.start)
        return 1.0 if page.source == "text" else page.mean_confidence or 0.0

    @property
    def certainty(self) -> float:
        """How sure the engine is of its least sure word, in 0..1; 1 for a text layer."""
        return min((word.confidence for word in self.document.words_at(self.start, self.end)), default=1.0)

    def is_believed(self, rules: Believed) -> bool:
        """Whether it is believed with no other paper to say so."""
        return self.confirmed and self.legibility >= rules.page and self.certainty >= rules.word


@dataclass(frozen=True, slots=True)
class Verdict:
    """What most papers print, whether that is sure, and whether it is `rules.papers` that do."""

    key: str = field(repr=False)
    sure: bool
    many: bool


def decided(prints: Sequence[Print], rules: Believed) -> Verdict:
    """What recognised pages print, the weightiest first among `prints`; one at least.

    A print that can hardly be read has no vote beside others, and one whose digits nothing confirms none
    beside confirmed ones: papers of one fax are misread alike. It is sure

    - what one paper alone prints and is believed;
    - what several print, and no other that votes prints anything else: confirmed, or `rules.papers` of them;
    - what `rules.papers` print, confirmed, and more than twice as many as print any other.

    One of them must be read with the certainty of `rules.word`. Nothing is sure where `rules.papers`, and as
    many as print it, print another and have no vote for want of confirmation.
    """
    legible = [one for one in prints if one.certainty >= rules.word] or list(prints)
    asked = [one for one in legible if one.confirmed] or legible
    papers = _papers(asked)
    key = max(papers, key=lambda one: papers[one])
    most, others = papers[key], [count for other, count in papers.items() if other != key]
    best = [one for one in asked if one.key == key]
    confirmed, many = best[0].confirmed, most >= rules.papers
    if others:
        sure = confirmed and many and most > 2 * max(others)
    elif most > 1:
        sure = (confirmed or many) and any(one.certainty >= rules.word for one in best)
    else:
        sure = any(one.is_believed(rules) for one in best)
    silent = _papers(one for one in legible if not one.confirmed) if confirmed else {}
    against = max((count for other, count in silent.items() if other != key), default=0)
    return Verdict(key, sure and not (against >= rules.papers and against >= most), many)


def _papers(prints: Iterable[Print]) -> dict[str, int]:
    """How many papers print each key: a paper has its say for the one that it prints most, else first."""
    printed: dict[str, Counter[str]] = defaultdict(Counter)
    for one in prints:
        printed[one.document.id][one.key] += 1
    return Counter(max(counts, key=lambda key: counts[key]) for counts in printed.values())
