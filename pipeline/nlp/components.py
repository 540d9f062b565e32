"""The spaCy components. Each reads a Doc's text and adds to the `Notes` that travel with the Doc."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from pipeline.catalog.context import load_context
from pipeline.catalog.sections import load_sections
from pipeline.catalog.terms import load_terms
from pipeline.domain import Mention, Section
from pipeline.nlp.assertion import ContextIndex, assert_mentions
from pipeline.nlp.measures import find_grades, find_nodes, find_sizes
from pipeline.nlp.sections import find_sections
from pipeline.nlp.sentences import Sentence, find_sentences
from pipeline.nlp.stage_groups import find_stage_groups
from pipeline.nlp.terms import TermMatcher, find_sides
from pipeline.nlp.tnm import find_tnm
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
    return _Terms(TermMatcher(load_terms(Path(models)), cues))


class _Terms:
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
    """Short forms that a text itself defines, by scispaCy's Schwartz-Hearst detector.

    The detector also takes "radial margin (RM)" or "in I." for definitions; a short form counts
    only in capitals, with the long form's first letter, and where the long form is a known term.
    """

    _DEFINED = re.compile(r"[a-z]\s?\([A-Za-z]?[A-Z][A-Z0-9\-]{1,7}s?\)")
    _SHORT = re.compile(r"[A-Za-z]?[A-Z][A-Z0-9\-]{1,7}s?")

    def __init__(self, nlp: Language) -> None:
        from scispacy.abbreviation import AbbreviationDetector

        self._nlp = nlp
        self._detector: Any = AbbreviationDetector(nlp, make_serializable=False)
        # Without a pattern spaCy warns each time that the detector looks for short forms it found before.
        self._detector.global_matcher.add("nothing", [[{"ORTH": "\x00"}]])

    def __call__(self, doc: Doc) -> Doc:
        text = notes(doc).text
        if self._DEFINED.search(text) is None:  # the detector is slow on texts full of brackets
            return doc
        terms = self._nlp.get_pipe("terms")
        assert isinstance(terms, _Terms)
        matcher = terms.matcher
        taken = {mention.start for mention in notes(doc).mentions}
        for short in self._detector(doc)._.abbreviations:
            long_form = short._.long_form.text
            if not self._SHORT.fullmatch(short.text) or short.text[0].lower() != long_form[0].lower():
                continue
            term = matcher.long_form(long_form)
            if term is not None and short.start_char not in taken:
                taken.add(short.start_char)
                notes(doc).mentions.append(matcher.mention(term, text, short.start_char, short.end_char))
        return doc


@Language.factory("triage_staging")
def make_staging(nlp: Language, name: str) -> Component:
    def staging(doc: Doc) -> Doc:
        seen = notes(doc)
        seen.mentions += [*find_tnm(seen.text), *find_stage_groups(seen.text)]
        return doc

    return staging


@Language.factory("triage_measures")
def make_measures(nlp: Language, name: str) -> Component:
    def measures(doc: Doc) -> Doc:
        seen = notes(doc)
        sizes = list(find_sizes(seen.text))
        seen.mentions = [_sized(mention, sizes, seen.text) for mention in seen.mentions]
        seen.mentions += [
            *sizes,
            *find_nodes(seen.text),
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


@Language.factory("triage_optional_ner")
def make_optional_ner(nlp: Language, name: str, packages: list[str]) -> Component:
    """Entities of installed scispaCy models as mentions `entity`; nothing where none is installed."""
    import spacy

    models = [spacy.load(package) for package in packages if spacy.util.is_package(package)]

    def optional_ner(doc: Doc) -> Doc:
        for model in models:
            label = f"model:{model.meta['name']}@{model.meta['version']}"
            for entity in model(notes(doc).text).ents:
                notes(doc).mentions.append(
                    Mention(
                        "entity", entity.label_.lower(), entity.start_char, entity.end_char, extractor=label
                    )
                )
        return doc

    return optional_ner


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
