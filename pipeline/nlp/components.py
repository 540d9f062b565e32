"""The spaCy components. Each reads a Doc's text and adds to the `Notes` that travel with the Doc."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from pipeline.catalog.context import load_context
from pipeline.catalog.fields import load_fields
from pipeline.catalog.sections import load_sections
from pipeline.catalog.stage_words import load_stage_words
from pipeline.catalog.terms import load_terms
from pipeline.domain import Mention, Section
from pipeline.nlp.assertion import assert_mentions
from pipeline.nlp.cues import ContextIndex
from pipeline.nlp.measures import find_grades, find_nodes, find_sizes
from pipeline.nlp.sections import find_sections
from pipeline.nlp.sentences import Sentence, find_sentences
from pipeline.nlp.stage_groups import find_stage_groups
from pipeline.nlp.terms import Term, TermMatcher, find_sides
from pipeline.nlp.tnm import find_tnm
from pipeline.nlp.told import ToldValues
from pipeline.nlp.words import Words, term_words

_KEY = "triage"
_SIZE_REACH = 80


@dataclass(slots=True)
class Notes:
    """What the components have seen so far in one text."""

    text: str = ""
    sections: tuple[Section, ...] = ()
    sentences: tuple[Sentence, ...] = ()
    words: Words | None = None
    mentions: list[Mention] = field(default_factory=list)
    result: tuple[Mention, ...] = ()


def notes(doc: Doc) -> Notes:
    """The notes of `doc`."""
    found: Notes | None = doc.user_data.get(_KEY)
    if found is None:  # Doc.text is put together anew each time it is read
        found = doc.user_data[_KEY] = Notes(doc.text)
    return found


Component = Callable[[Doc], Doc]


@Language.factory("triage_sections")
def make_sections(nlp: Language, name: str, models: str) -> Component:
    rules = load_sections(Path(models))

    def sections(doc: Doc) -> Doc:
        notes(doc).sections = find_sections(notes(doc).text, rules)
        return doc

    return sections


@Language.factory("triage_sentences")
def make_sentences(nlp: Language, name: str) -> Component:
    def sentences(doc: Doc) -> Doc:
        notes(doc).sentences = find_sentences(notes(doc).text, notes(doc).sections)
        return doc

    return sentences


@Language.factory("triage_terms")
def make_terms(nlp: Language, name: str, models: str) -> Component:
    cues = {
        word
        for rule in load_context(Path(models)).cue
        for phrase in rule.words
        for word in term_words(phrase)
    }
    return DictionaryTerms(TermMatcher(load_terms(Path(models)), cues))


class DictionaryTerms:
    """Keeps the matcher where the abbreviation component can ask it for a long form."""

    def __init__(self, matcher: TermMatcher) -> None:
        self.matcher = matcher

    def __call__(self, doc: Doc) -> Doc:
        seen = notes(doc)
        seen.words = self.matcher.vocabulary.read(seen.text)
        found = list(self.matcher.find(seen.words))
        seen.mentions += found
        return doc


@Language.factory("triage_abbreviations")
def make_abbreviations(nlp: Language, name: str) -> Component:
    return _Abbreviations(nlp)


class _Abbreviations:
    """Short forms that a text itself defines, by scispaCy's Schwartz-Hearst algorithm.

    The algorithm also takes "radial margin (RM)" or "in I." for definitions; a short form counts
    only in capitals, with the long form's first letter, and where the long form is a known term. It is
    asked of each bracket's own words once: scispaCy's component matches every short form against the
    whole text, which takes minutes where brackets abound.
    """

    _DEFINED = re.compile(r"[a-z]\s?\((?P<short>[A-Za-z]?[A-Z][A-Z0-9\-]{1,7}s?)\)")
    _REACH = 160  # characters before a bracket in which its long form is sought
    _MOST = 200  # definitions read of one text

    def __init__(self, nlp: Language) -> None:
        self._nlp = nlp

    def __call__(self, doc: Doc) -> Doc:
        seen = notes(doc)
        terms = self._nlp.get_pipe("terms")
        assert isinstance(terms, DictionaryTerms)
        defined = self._defined(seen.text, terms.matcher)
        if not defined:
            return doc
        taken = {mention.start for mention in seen.mentions}
        either = "|".join(map(re.escape, sorted(defined, key=len, reverse=True)))
        for match in re.finditer(rf"(?<![A-Za-z0-9])(?:{either})(?![A-Za-z0-9])", seen.text):
            if match.start() not in taken:
                term = defined[match.group()]
                seen.mentions.append(terms.matcher.mention(term, seen.text, *match.span()))
        return doc

    def _defined(self, text: str, matcher: TermMatcher) -> dict[str, Term]:
        """Each short form that the text defines, with the known term that it stands for."""
        found: dict[str, Term] = {}
        asked: set[str] = set()
        for match in self._DEFINED.finditer(text):
            window = text[max(0, match.start("short") - self._REACH) : match.end("short")]
            if window in asked:
                continue
            asked.add(window)
            term = self._meaning(window, match["short"], matcher)
            if term is not None:
                found.setdefault(match["short"], term)
            if len(asked) >= self._MOST:
                break
        return found

    def _meaning(self, window: str, short: str, matcher: TermMatcher) -> Term | None:
        """The term that the words before the bracket at the end of `window` spell out."""
        from scispacy.abbreviation import find_abbreviation

        doc = self._nlp.make_doc(window)
        first = next(token.i for token in doc if token.idx >= len(window) - len(short))
        words = min(len(short) + 5, 2 * len(short))
        long_form = find_abbreviation(doc[max(0, first - 1 - words) : first - 1], doc[first:])[1]
        if long_form is None or not len(long_form) or long_form.text[0].lower() != short[0].lower():
            return None
        return matcher.long_form(long_form.text)


@Language.factory("triage_staging")
def make_staging(nlp: Language, name: str, models: str) -> Component:
    words = load_stage_words(Path(models))

    def staging(doc: Doc) -> Doc:
        seen = notes(doc)
        seen.mentions += [*find_tnm(seen.text, words), *find_stage_groups(seen.text, words)]
        return doc

    return staging


@Language.factory("triage_measures")
def make_measures(nlp: Language, name: str, models: str) -> Component:
    words = load_stage_words(Path(models))

    def measures(doc: Doc) -> Doc:
        seen = notes(doc)
        sizes = list(find_sizes(seen.text))
        seen.mentions = [_sized(mention, sizes, seen.text) for mention in seen.mentions]
        seen.mentions += [
            *sizes,
            *find_nodes(seen.text, words),
            *find_grades(seen.text),
            *find_sides(seen.mentions, seen.text),
        ]
        return doc

    return measures


def _sized(mention: Mention, sizes: list[Mention], text: str) -> Mention:
    """A tumour with the size that stands nearest to it in the same sentence."""
    if mention.label != "neoplasm":
        return mention
    best: tuple[int, str] | None = None
    for size in sizes:
        low, high = (size.end, mention.start) if size.start < mention.start else (mention.end, size.start)
        if 0 <= high - low <= _SIZE_REACH and not re.search(r"[.;]\s|\n\s*\n|\s{3,}", text[low:high]):
            best = min(best or (high - low, size.value), (high - low, size.value))
    if best is None:
        return mention
    return replace(mention, attributes={**mention.attributes, "size_mm": best[1]})


@Language.factory("triage_told")
def make_told(nlp: Language, name: str, models: str) -> Component:
    values = ToldValues(load_fields(Path(models)))

    def told(doc: Doc) -> Doc:
        seen = notes(doc)
        seen.mentions += values.find(seen.text)
        return doc

    return told


@Language.factory("triage_assertion")
def make_assertion(nlp: Language, name: str, models: str) -> Component:
    context = ContextIndex(load_context(Path(models)))
    defaults = load_sections(Path(models)).assertions

    def assertion(doc: Doc) -> Doc:
        seen = notes(doc)
        if seen.words is not None:
            seen.result = assert_mentions(
                seen.mentions, seen.words, seen.sentences, seen.sections, context, defaults
            )
        return doc

    return assertion
