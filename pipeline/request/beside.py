"""What the words beside a code say, and whether the code is one for them.

Offices type a code and copy its words, and OCR misreads the one more easily than the other: where they
disagree a person must see both. Nothing is repaired.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.catalog.request import RequestRules
from pipeline.domain import AnnotatedDocument, Evidence
from pipeline.evidence import evidence_for
from pipeline.icd10 import load_icd10, nature_of
from pipeline.request.lines import is_misread, words_beside
from pipeline.request.meaning import words_differ, words_fit
from pipeline.spelling import tokenize

_SPREAD = 2  # characters in which a code may be misread
_DIGITS = "0123456789"


@dataclass(frozen=True)
class Words:
    """The words beside a code of one document, and the organs that they name; the code starts at `code`."""

    source: AnnotatedDocument
    code: int
    start: int
    end: int
    page: int | None
    rules: RequestRules

    @property
    def text(self) -> str:
        return self.source.document.text[self.start : self.end]

    @property
    def misread(self) -> bool:
        return is_misread(self.source.document)

    @property
    def confirmed(self) -> bool:
        """Whether nothing speaks against the code's own digits, see `Word.confirmed`."""
        return all(word.confirmed for word in self.source.document.words_at(self.code, self.start))

    @property
    def evidence(self) -> Evidence:
        return evidence_for(self.source.document, self.start, self.end, extractor="rule:code")

    @property
    def sites(self) -> set[str]:
        return {
            mention.value
            for mention in self.source.mentions
            if mention.label == "site" and self.start <= mention.start and mention.end <= self.end
        }

    @property
    def ways(self) -> set[str]:
        """By what means, as far as they say."""
        words = self.rules.codes.way_words.find(tokenize(self.text), misread=self.misread)
        return {self.rules.codes.way_by_word[hit.phrase] for hit in words}

    def named(self, phrases: dict[str, tuple[str, ...]]) -> set[str]:
        """Names of the lists of which a word stands here; a letter by itself counts as a capital only."""
        words = {
            token.word
            for token in tokenize(self.text)
            if len(token.word) > 1 or self.text[token.start].isupper()
        }
        return {name for name, listed in phrases.items() if not words.isdisjoint(listed)}


def words_of(source: AnnotatedDocument, evidence: Evidence, rules: RequestRules) -> Words:
    """The words behind a code in its line, and those of a line of description below it."""
    text = source.document.text
    line_end = text.find("\n", evidence.end)
    line_end = len(text) if line_end < 0 else line_end
    end = evidence.end + len(words_beside(text[evidence.end : line_end], 0))
    below_end = text.find("\n", line_end + 1)
    below = text[line_end + 1 : below_end if below_end >= 0 else len(text)]
    if end == line_end and not text[evidence.end : end].strip():
        first = next(iter(tokenize(below)), None)
        if first is not None and first.word in rules.descriptions:
            end = line_end + 1 + len(below)
    return Words(source, evidence.start, evidence.end, end, evidence.page, rules)


# --------------------------------------------------------------------------- procedure codes


def cpt_differs(code: str, words: Words) -> bool:
    """Whether the words name another organ or other means than the code, or treat what it only tests."""
    codes = words.rules.codes
    listed, found, named = codes.by_code.get(code), codes.range_of(code), words.sites
    if listed and listed.way and words.ways and listed.way not in words.ways:
        return True
    sites = codes.sites_of(code)
    if sites and named and named.isdisjoint(sites):
        return True
    return bool(not listed and found and found.laboratory and (words.ways or named))


def cpt_fits(code: str, words: Words) -> bool:
    """Whether the words name an organ of a listed code, and no other means than the code's."""
    listed = words.rules.codes.by_code.get(code)
    if listed is None or not listed.sites or words.sites.isdisjoint(listed.sites):
        return False
    return not listed.way or listed.way in words.ways


def cpt_perhaps_misread(code: str, words: Words) -> bool:
    """Whether an unlisted code on a recognised page looks like a listed one that fits the words, or nothing
    confirms its digits: those of a listed code are not found by chance."""
    listed = words.rules.codes.by_code
    if not words.misread or code in listed:
        return False
    return not words.confirmed or any(looks_like(code, other) and cpt_fits(other, words) for other in listed)


def looks_like(code: str, other: str) -> bool:
    """Whether the codes differ in no more characters than may be misread at a time."""
    if len(code) != len(other) or code == other:
        return False
    return sum(one != two for one, two in zip(code, other, strict=True)) <= _SPREAD


# --------------------------------------------------------------------------- diagnosis codes


def icd10_differs(code: str, words: Words) -> bool:
    """Whether the words name the other side, another nature, or what a code of nearly its name means."""
    meaning = load_icd10().meaning(code)
    side, told = side_of(meaning), words.named(words.rules.icd10.sides)
    if side and len(told) == 1 and side not in told:
        return True
    nature, natures = nature_of(code), words.named(words.rules.icd10.natures)
    if nature in words.rules.icd10.natures and len(natures) == 1 and nature not in natures:
        return True
    common = words.rules.icd10.common_words
    return words_differ(words.text, meaning, common) and any(True for _ in icd10_fitting(code, words))


def icd10_fitting(code: str, words: Words) -> Iterator[str]:
    """Complete codes with one other character whose meaning the words are."""
    common = words.rules.icd10.common_words
    icd10, plain = load_icd10(), code.replace(".", "")
    for at in range(1, len(plain)):
        for digit in _DIGITS:
            other = plain[:at] + digit + plain[at + 1 :]
            if other == plain or not icd10.complete(other):
                continue
            if words_fit(words.text, icd10.meaning(other), common):
                yield other if len(other) == 3 else f"{other[:3]}.{other[3:]}"


def side_of(meaning: str) -> str | None:
    """The one side that a code's meaning names."""
    sides = {"left", "right"} & set(meaning.lower().replace(",", " ").split())
    return sides.pop() if len(sides) == 1 else None
