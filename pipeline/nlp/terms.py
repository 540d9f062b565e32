"""Dictionary mentions: tumours and histologies, organs, and the side that stands beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from pipeline.catalog.terms import Abbreviation, Histology, SiteEntry, Terms
from pipeline.domain import Mention
from pipeline.nlp.misspelt import NearWords
from pipeline.nlp.words import TermIndex, Vocabulary, Words, plural, term_words

EXTRACTOR = "rule:terms"
GENERIC = "tumor"

_METASTATIC_BEFORE = re.compile(
    r"(?:metastatic|metastases? (?:from|of)|secondary|metastasis from)\s+(?:\w+\s+){0,2}$", re.IGNORECASE
)
_METASTATIC_AFTER = re.compile(
    r"[ ,]{1,2}(?:metastatic\b|metastasi[sz]ed?\b|metastasizing\b|metastas[ei]s\b|mets\b)", re.IGNORECASE
)
_SIDE_BEFORE = re.compile(
    r"(?<![A-Za-z0-9])(?P<side>right|left|rt|lt|R|L|bilateral|both|bilat|r\."
    r"|l\.)[.]?[ \t\n]{1,12}(?:-?sided\s+)?(?P<between>(?:[A-Za-z\-]+[ \t\n]{1,12}){0,3})$",
    re.IGNORECASE,
)
_SIDE_AFTER = re.compile(
    r"[ \t]?(?i:mass|lesion|tumou?r|gland|cancer|ca"
    r"|nodule)?s?[ ,:(\-;.]{1,4}(?P<side>(?i:right|left|rt|lt|bilateral)|R|L|OD|OS"
    r"|OU)(?![A-Za-z0-9])"
)
_NOT_BETWEEN = re.compile(
    r"\b(?:and|or|the|of|to|is|was|with|in|on|from|kidney|lung|breast|lobe)\b", re.IGNORECASE
)
_SIDES = {
    "right": "right",
    "rt": "right",
    "r": "right",
    "r.": "right",
    "od": "right",
    "left": "left",
    "lt": "left",
    "l": "left",
    "l.": "left",
    "os": "left",
    "bilateral": "bilateral",
    "both": "bilateral",
    "bilat": "bilateral",
    "ou": "bilateral",
}
_AFTER_NUMBER = re.compile(r"\d[ -]?$")
_EYES = re.compile(r"\b(?P<side>OD|OS|OU)\b")


@dataclass(frozen=True, slots=True)
class Term:
    """What a phrase of the dictionary means."""

    kind: Literal["neoplasm", "site", "look_alike"]
    histology: Histology | None = None
    site: SiteEntry | None = None
    word: str = ""
    strength: Literal["", "weak", "contextual", "procedure"] = ""
    abbreviation: Abbreviation | None = None


class TermMatcher:
    """Finds the dictionary's terms in a text's words."""

    def __init__(self, terms: Terms, extra_words: Iterable[str] = ()) -> None:
        self._index: TermIndex[Term] = TermIndex()
        self._meanings: dict[str, Term] = {}
        self._add_histologies(terms)
        self._add_sites(terms)
        for phrase in terms.sites.look_alikes:
            self._add(phrase, Term("look_alike"))
        self._add_abbreviations(terms)
        known = {word for phrase in self._meanings for word in term_words(phrase)}
        tumours = {
            word
            for phrase, term in self._meanings.items()
            if term.kind == "neoplasm"
            for word in (*term_words(phrase), *plural(term_words(phrase)))
        }
        near = NearWords(tumours, terms.abbreviations.misspelt)
        self.vocabulary = Vocabulary(terms.abbreviations.spelling, {*known, *extra_words}, near.find)
        self._context = {
            site.name: frozenset(
                word for phrase in site.words for word in term_words(phrase)[:1] if phrase not in site.weak
            )
            for site in terms.sites.site
        }

    def _add(self, phrase: str, term: Term) -> None:
        words = term_words(phrase)
        self._meanings.setdefault(phrase.lower(), term)
        self._index.add(words, term)
        if term.kind != "look_alike" and len(words[-1]) > 2 and term.abbreviation is None:
            self._index.add(plural(words), term)

    def _add_histologies(self, terms: Terms) -> None:
        for histology in terms.histologies.histology:
            for phrase in (histology.name, *histology.synonyms):
                self._add(phrase, Term("neoplasm", histology=histology, word=phrase))

    def _add_sites(self, terms: Terms) -> None:
        for site in terms.sites.site:
            for phrase in site.words:
                self._add(
                    phrase,
                    Term("site", site=site, word=phrase, strength="weak" if phrase in site.weak else ""),
                )
            for phrase in site.procedures:
                self._add(phrase, Term("site", site=site, word=phrase, strength="procedure"))
        for site in terms.sites.site:
            for phrase in site.contextual:
                self._add(phrase, Term("site", site=site, word=phrase, strength="contextual"))

    def _add_abbreviations(self, terms: Terms) -> None:
        for entry in terms.abbreviations.abbreviation:
            meant = self._meanings[entry.means.lower()]
            for short in entry.short:
                self._index.add(term_words(short), replace(meant, abbreviation=entry, word=short))

    @property
    def generic(self) -> Term:
        """What a tumour of no known kind is."""
        return self._meanings[GENERIC]

    def long_form(self, phrase: str) -> Term | None:
        """The term that a spelled-out phrase is or ends with ("metastatic renal cell carcinoma")."""
        words = self.vocabulary.read(phrase)
        matches = list(self._index.find(words))
        if not matches or matches[-1][1] != len(words.forms) - 1:
            return None
        term = matches[-1][2]
        return term if term.kind != "look_alike" else None

    def find(self, words: Words) -> Iterator[Mention]:
        """Mentions neoplasm and site, in order, with what their words say."""
        lowered = frozenset(words.forms)
        text = words.text.lower()
        for first, last, term in self._index.find(words):
            start, end = words.starts[first], words.ends[last]
            if term.kind == "look_alike" or not self._counts(term, words.text[start:end], lowered, text):
                continue
            if (
                term.abbreviation
                and term.abbreviation.unit
                and _AFTER_NUMBER.search(words.text[max(0, start - 3) : start])
            ):
                continue
            found = self.mention(term, words.text, start, end)
            if term.kind == "neoplasm" and self._is_misread(words, first, last):
                found = replace(found, attributes={**found.attributes, "misread": "true"})
            yield found

    def _is_misread(self, words: Words, first: int, last: int) -> bool:
        """Whether a word of the term is not written as the dictionary has it."""
        return any(
            self.vocabulary.is_misread(words.text[words.starts[i] : words.ends[i]].lower())
            for i in range(first, last + 1)
        )

    def _counts(self, term: Term, written: str, forms: frozenset[str], text: str) -> bool:
        entry = term.abbreviation
        if entry is not None:
            if entry.exact and written not in entry.short and written.rstrip("s") not in entry.short:
                return False
            if entry.needs and not any(word in text for word in entry.needs):
                return False
            return not any(word in text for word in entry.unless)
        if term.strength == "contextual" and term.site is not None:
            return bool(self._context[term.site.name] & forms)
        return True

    def mention(self, term: Term, text: str, start: int, end: int) -> Mention:
        """The mention that `term` makes of `text[start:end]`."""
        if term.histology is not None:
            return Mention(
                "neoplasm",
                term.histology.name,
                start,
                end,
                extractor=EXTRACTOR,
                attributes=_neoplasm(term.histology, text, start, end),
            )
        assert term.site is not None
        attributes = {"icdo3": term.site.parts.get(term.word, term.site.icdo3)}
        if term.strength:
            attributes["strength"] = term.strength
        side = term.site.sides.get(term.word) or (side_beside(text, start, end) if term.site.paired else None)
        if side:
            attributes["laterality"] = side
        return Mention("site", term.site.name, start, end, extractor=EXTRACTOR, attributes=attributes)


def _neoplasm(histology: Histology, text: str, start: int, end: int) -> dict[str, str]:
    attributes = {
        "behavior": histology.behavior,
        "icdo3": histology.icdo3,
        "phrase": " ".join(text[start:end].lower().split()),
    }
    if histology.site:
        attributes["site"] = histology.site
    if histology.lung_type:
        attributes["lung_type"] = histology.lung_type
    if histology.generic:
        attributes["generic"] = "true"
    if (
        histology.icdo3.endswith("/6")
        or _METASTATIC_BEFORE.search(text[max(0, start - 40) : start])
        or _METASTATIC_AFTER.match(text[end : end + 20])
    ):
        attributes["metastatic"] = "true"
    side = side_beside(text, start, end)
    if side:
        attributes["laterality"] = side
    return attributes


def side_beside(text: str, start: int, end: int) -> str | None:
    """left, right or bilateral where it stands right before ("L lateral renal mass") or after the words."""
    before = _SIDE_BEFORE.search(text, max(0, start - 60), start)
    if before and not _NOT_BETWEEN.search(before["between"]) and _is_side(before["side"]):
        return _SIDES[before["side"].lower()]
    after = _SIDE_AFTER.match(text, end, min(len(text), end + 30))
    if after:
        return _SIDES[after["side"].lower()]
    return None


def _is_side(written: str) -> bool:
    return len(written.strip(".")) > 1 or written.isupper()


def find_sides(mentions: Iterable[Mention], text: str) -> Iterator[Mention]:
    """Mentions laterality for every organ or tumour that has its side beside it, and OD, OS, OU."""
    seen: set[tuple[int, int]] = set()
    for mention in mentions:
        side = mention.attributes.get("laterality")
        if side is None:
            continue
        before = _SIDE_BEFORE.search(text, max(0, mention.start - 60), mention.start)
        after = _SIDE_AFTER.match(text, mention.end, min(len(text), mention.end + 30))
        match = before or after
        span = match.span("side") if match else (mention.start, mention.end)
        if span not in seen:
            seen.add(span)
            yield Mention("laterality", side, *span, extractor=EXTRACTOR)
    for match in _EYES.finditer(text):
        if match.span() not in seen:
            yield Mention("laterality", _SIDES[match["side"].lower()], *match.span(), extractor=EXTRACTOR)
