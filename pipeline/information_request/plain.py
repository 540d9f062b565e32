"""How hard a text is to read: the grade of a US school at which it is understood.

Flesch-Kincaid grade (Kincaid and others, 1975): 0.39 words a sentence + 11.8 syllables a word - 15.59.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.information_request.markup import Block

_WORD = re.compile(r"[A-Za-z]+(?:['\u2019][A-Za-z]+)?")
_SENTENCE = re.compile(r"(?<=[.?!:])\s+(?=[A-Z\"(])")
_LEAST_WORDS = 4
_VOWELS = re.compile(r"[aeiouy]+")
# Two sounds though the vowels stand together (area, idea, radiology, criterion) ...
_APART = re.compile(r"ea$|eas$|[^gqt]ua|[bdfhlmnprv]ia|[dmrtv]io[^un]|terio|iu|[cr]reat(?=[eio])|aneou|ism$")
# ... and one sound that looks like two.
_TOGETHER = re.compile(r"vior")


def reading_grade(blocks: Sequence[Block]) -> float:
    """The grade of a letter's sentences; 0.0 without any. A list entry is one of its own, and what has fewer
    than four words (a name, a heading) is none: it would make any letter look easy."""
    sentences = [part for block in blocks for part in _SENTENCE.split(block.plain)]
    worded = [words for part in sentences if len(words := _WORD.findall(part)) >= _LEAST_WORDS]
    count = sum(map(len, worded))
    if not count:
        return 0.0
    sounds = sum(syllables(word) for words in worded for word in words)
    return 0.39 * count / len(worded) + 11.8 * sounds / count - 15.59


def syllables(word: str) -> int:
    """Syllables of an English word by its spelling, at least one; off by one for some words."""
    plain = re.sub(r"[^a-z]", "", word.lower())
    count = len(_VOWELS.findall(plain)) + len(_APART.findall(plain)) - len(_TOGETHER.findall(plain))
    if re.search(r"[^aeiouyl]e$|[^aeiouytd]ed$|[^aeiouycgsxz]es$|[aeiou]le$", plain):
        count -= 1
    return max(1, count)
