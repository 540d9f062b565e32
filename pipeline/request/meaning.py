"""Whether words beside a code are those of its meaning."""

from __future__ import annotations

from collections.abc import Collection

from pipeline.spelling import misreading_distance, tokenize

_LEAST = 4  # letters of a word that tells something


def words_fit(words: str, meaning: str, common: Collection[str]) -> bool:
    """Whether most of the telling words of `words` are in `meaning`, two at least where there are two."""
    told = telling(words, common)
    shared = sum(any(_alike(word, other) for other in telling(meaning, common)) for word in told)
    return shared >= min(2, len(told)) and 2 * shared >= len(told) > 0


def words_differ(words: str, meaning: str, common: Collection[str]) -> bool:
    """Whether at least two telling words stand there, and none of them is in `meaning`."""
    told = telling(words, common)
    return len(told) >= 2 and not any(
        _alike(word, other) for word in told for other in telling(meaning, common)
    )


def telling(words: str, common: Collection[str]) -> list[str]:
    """The words that tell one meaning from another, in their order: none of `common`."""
    return [
        token.word
        for token in tokenize(words)
        if len(token.word) >= _LEAST and token.word.isalpha() and token.word not in common
    ]


def _alike(word: str, other: str) -> bool:
    return word[:5] == other[:5] or misreading_distance(word, other, 1.0) <= 1.0
