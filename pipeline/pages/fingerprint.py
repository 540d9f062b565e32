"""A short mark of a page by which the same page is found again among earlier submissions.

    fingerprint(page) -> str        kept with the page; holds none of its words
    is_like(one, other) -> bool     whether two marks may be of the same page

A page that is sent again has another banner, other specks and other slips of recognition, so the mark is a
similarity hash: of all words of the body, and of those with digits apart, for two visits written on one
template differ in little else. It finds candidates; whether they are the same page is told by comparing
them (`duplicates`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from pipeline.domain import Page

_BITS = 64
_FEWEST_WORDS = 5
# Of 64 bits. Measured on 36 pages, standard faxes among them: two readings of one page 0 to 16 and 0 to 18
# bits apart, two pages of the same kinds of document 15 and more.
_MOST_APART, _MOST_APART_DIGITS = 14, 20


def fingerprint(page: Page) -> str:
    """Two hexadecimal numbers of 64 bits; empty for a page with too few words to be told by."""
    start, end = page.banner or (0, 0)
    body = [word.text.lower().strip(".,;:()[]") for word in page.words if not start <= word.start < end]
    words = [word for word in body if len(word) > 2]
    if page.blank or len(words) < _FEWEST_WORDS:
        return ""
    digits = [word for word in words if any(character.isdigit() for character in word)]
    return f"{_similarity_hash(words):016x}-{_similarity_hash(digits):016x}"


def is_like(one: str, other: str) -> bool:
    """Whether two fingerprints may be of the same page. An empty one is like none."""
    if not one or not other:
        return False
    (words, digits), (other_words, other_digits) = (
        (int(part, 16) for part in mark.split("-")) for mark in (one, other)
    )
    return (words ^ other_words).bit_count() <= _MOST_APART and (
        digits ^ other_digits
    ).bit_count() <= _MOST_APART_DIGITS


def _similarity_hash(words: Iterable[str]) -> int:
    """Each bit is what most words' hashes have there, so that a few other words turn few bits (Charikar)."""
    counts = Counter(words)
    votes = [0] * _BITS
    for word, count in counts.items():
        value = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=_BITS // 8).digest(), "big")
        for bit in range(_BITS):
            votes[bit] += count if value >> bit & 1 else -count
    return sum(1 << bit for bit in range(_BITS) if votes[bit] > 0)
