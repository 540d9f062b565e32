"""Exact-span entity scores, as conlleval counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Score:
    """Counts of entities by kind: right, found, and in the corpus."""

    right: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    gold: Counter[str] = field(default_factory=Counter)

    def add(self, answer: Iterable[tuple[int, int, str]], gold: Iterable[tuple[int, int, str]]) -> None:
        """Counts one text's entities."""
        answer, gold = set(answer), set(gold)
        self.found.update(kind for _, _, kind in answer)
        self.gold.update(kind for _, _, kind in gold)
        self.right.update(kind for _, _, kind in answer & gold)

    def of(self, kind: str | None = None) -> tuple[float, float, float]:
        """Precision, recall and F1, of one kind or of all."""
        right, found, gold = (
            counter[kind] if kind is not None else counter.total()
            for counter in (self.right, self.found, self.gold)
        )
        return right / max(1, found), right / max(1, gold), 2 * right / max(1, found + gold)


def spans(labels: Sequence[str]) -> list[tuple[int, int, str]]:
    """The entities of BIO labels as (first word, word after the last, kind)."""
    found: list[tuple[int, int, str]] = []
    for i, label in enumerate(labels):
        goes_on = label.startswith("I-") and found and found[-1][1] == i and found[-1][2] == label[2:]
        if goes_on:
            found[-1] = (found[-1][0], i + 1, label[2:])
        elif label != "O":
            found.append((i, i + 1, label[2:]))
    return found
