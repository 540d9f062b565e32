"""What several recognised pages print of one fact, and whether that is sure.

A coarse fax makes an "Ottilie" of "Ottille" and a 1948 of 1946, with the confidence of a good word: what one
paper says surely another may say otherwise. So papers vote, each once. A text layer needs no vote.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.catalog.identity import Believed
from pipeline.domain import Document


class Print(NamedTuple):
    """One paper's print of a fact, or of a part of it. `key` is what is compared; `confirmed` is False where
    it has digits that nothing confirms (see `Word.confirmed`)."""

    document: Document
    start: int
    end: int
    key: str
    confirmed: bool = True

    @property
    def is_text(self) -> bool:
        """Whether it stands in a text layer."""
        return self.document.page_at(self.start).source == "text"

    @property
    def certainty(self) -> float:
        """How sure the engine is of its least sure word, in 0..1; 1 for a text layer."""
        return min((word.confidence for word in self.document.words_at(self.start, self.end)), default=1.0)

    def is_believed(self, rules: Believed) -> bool:
        """Whether it is believed with no other paper to say so."""
        legible = self.is_text or (self.document.page_at(self.start).mean_confidence or 0) >= rules.page
        return self.confirmed and legible and self.certainty >= rules.word


class Verdict(NamedTuple):
    """The keys by how many papers print them, most first and then as given; `sure` speaks of the first."""

    keys: tuple[str, ...]
    sure: bool


def decided(prints: Sequence[Print], rules: Believed) -> Verdict:
    """What recognised pages print, the weightiest first among `prints`; one at least.

    A print that can hardly be read has no vote beside others, and one whose digits nothing confirms none
    beside confirmed ones: papers of one fax are misread alike. It is sure

    - what one paper alone prints and is believed;
    - what several print, none of those that vote otherwise, and something confirms;
    - what `rules.papers` print and nothing confirms, none otherwise;
    - what `rules.papers` print and more than twice as many as print any other.

    Nothing is where `rules.papers` without a vote for want of confirmation print another.
    """
    legible = [one for one in prints if one.certainty >= rules.word] or list(prints)
    asked = [one for one in legible if one.confirmed] or legible
    papers = _papers(asked)
    keys = sorted(papers, key=lambda key: -papers[key])
    most, *others = (papers[key] for key in keys)
    best = [one for one in asked if one.key == keys[0]]
    confirmed, many = best[0].confirmed, most >= rules.papers
    if others:
        sure = confirmed and many and most > 2 * others[0]
    elif most > 1:
        sure = (confirmed or many) and any(one.certainty >= rules.word for one in best)
    else:
        sure = any(one.is_believed(rules) for one in best)
    silent = _papers(one for one in legible if not one.confirmed) if confirmed else {}
    contradicted = any(count >= rules.papers for key, count in silent.items() if key != keys[0])
    return Verdict(tuple(keys), sure and not contradicted)


def _papers(prints: Iterable[Print]) -> dict[str, int]:
    """How many papers print each key: a paper has its say for the one that it prints most."""
    printed: dict[str, Counter[str]] = defaultdict(Counter)
    for one in prints:
        printed[one.document.id][one.key] += 1
    papers: dict[str, int] = {}
    for counts in printed.values():
        most = max(counts.values())
        for key in (key for key, count in counts.items() if count == most):
            papers[key] = papers.get(key, 0) + 1
    return papers
