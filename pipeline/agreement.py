"""What several papers print of one fact, and whether that is sure although recognition has read it.

A coarse fax makes an "Ottilie" of "Ottille" and a 1948 of 1946, with the confidence of a good word: what one
paper says surely another may say otherwise. So papers vote, each once for what it prints.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.catalog.identity import Believed
from pipeline.domain import Document


class Print(NamedTuple):
    """One paper's print of a fact, or of a part of it. `key` is what is compared."""

    document: Document
    start: int
    end: int
    key: str

    @property
    def is_text(self) -> bool:
        """Whether it stands in a text layer."""
        return self.document.page_at(self.start).source == "text"

    @property
    def confirmed(self) -> bool:
        """Whether nothing speaks against its digits: see `Word.confirmed`."""
        return all(word.confirmed for word in self.document.words_at(self.start, self.end))

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
    """What the papers print, the weightiest first among `prints`; one at least.

    A text layer is sure, and then recognised pages are not asked; nor are digits of a coarse fax that nothing
    confirms where others are confirmed: papers of one fax are misread alike. Else it is sure what a paper
    alone prints and is believed; what several print and none otherwise (`rules.disputed` of them where no
    digit is confirmed); and what `rules.disputed` papers print, more than twice as many as print any other.
    """
    asked = [one for one in prints if one.is_text] or [one for one in prints if one.confirmed] or list(prints)
    papers: dict[str, set[str]] = defaultdict(set)
    for one in asked:
        papers[one.key].add(one.document.id)
    keys = sorted(papers, key=lambda key: -len(papers[key]))
    most, *others = (len(papers[key]) for key in keys)
    best = [one for one in asked if one.key == keys[0]]
    many = most >= rules.disputed
    if best[0].is_text:
        sure = True
    elif others:
        sure = many and best[0].confirmed and most > 2 * others[0]
    else:
        agreed = most > 1 and best[0].confirmed
        sure = many or agreed or any(one.is_believed(rules) for one in best)
    return Verdict(tuple(keys), sure)
