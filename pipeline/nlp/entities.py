"""Entity models beside the dictionary: the project's own as a spaCy component, and what any model adds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span

import pipeline.nlp.tokenizer  # noqa: F401  # registers the tokenizer that models/ner names
from pipeline.domain import Mention
from pipeline.nlp.components import DictionaryTerms, Notes, notes
from pipeline.nlp.entity_model import EntityModel
from pipeline.nlp.sentences import find_sentences
from pipeline.nlp.terms import TermMatcher

When = Literal["always", "silent"]


@Language.factory("triage_entity_model")
def make_entity_model(nlp: Language, name: str, head: str) -> _EntityComponent:
    """The model of models/ner: entities of `head` are `doc.ents`, those of each head `doc.spans[head]`."""
    return _EntityComponent(head)


class _EntityComponent:
    def __init__(self, head: str) -> None:
        self._head = head
        self._model: EntityModel | None = None

    def from_disk(self, path: Path, exclude: Iterable[str] = ()) -> _EntityComponent:
        """Reads the model's files; spaCy calls this when it loads the pipeline."""
        self._model = EntityModel(path)
        return self

    def __call__(self, doc: Doc) -> Doc:
        assert self._model is not None
        text = doc.text
        found: dict[str, list[Span]] = {head: [] for head in self._model.kinds}
        sentences = [(sentence.start, sentence.end) for sentence in find_sentences(text, ())]
        for entity in self._model.find(text, sentences):
            span = doc.char_span(entity.start, entity.end, label=entity.kind)
            if span is not None:
                found[entity.head].append(span)
        for head, spans in found.items():
            doc.spans[head] = spans
        doc.set_ents(found[self._head])
        return doc


@Language.factory("triage_optional_ner")
def make_optional_ner(
    nlp: Language, name: str, models: str, packages: list[str], neoplasms: list[str], when: When
) -> Callable[[Doc], Doc]:
    """Entities of the models that are there, joined to what the dictionary found.

    `packages` are spaCy pipelines: installed packages, or folders, those under `models` included;
    one that is not there is passed over. `when` is "always", or "silent" for texts in which the
    dictionary knows no tumour by its kind.
    """
    found = [_Model(spacy.load(place), frozenset(neoplasms)) for place in _places(packages, Path(models))]
    if not found:
        return _unchanged

    def optional_ner(doc: Doc) -> Doc:
        seen = notes(doc)
        if when == "silent" and any(map(_is_known, seen.mentions)):
            return doc
        terms = nlp.get_pipe("terms")
        assert isinstance(terms, DictionaryTerms)
        for model in found:
            model.add_to(seen, terms.matcher)
        return doc

    return optional_ner


def _places(packages: Iterable[str], models: Path) -> Iterable[str | Path]:
    for package in packages:
        if (models / package).is_dir():
            yield models / package
        elif spacy.util.is_package(package) or Path(package).is_dir():
            yield package


def _is_known(mention: Mention) -> bool:
    return mention.label == "neoplasm" and mention.attributes.get("generic") != "true"


def _unchanged(doc: Doc) -> Doc:
    return doc


class _Model:
    """A spaCy pipeline with entities, and what its labels mean here."""

    def __init__(self, model: Language, neoplasms: frozenset[str]) -> None:
        self._model, self._neoplasms = model, neoplasms
        self._extractor = f"model:{model.meta['name']}@{model.meta['version']}"

    def add_to(self, seen: Notes, matcher: TermMatcher) -> None:
        """Adds a tumour where the dictionary has none, and each other entity as a mention `entity`."""
        taken = bytearray(len(seen.text))
        for mention in seen.mentions:
            taken[mention.start : mention.end] = b"\1" * (mention.end - mention.start)
        for entity in self._model(seen.text).ents:
            start, end = entity.start_char, entity.end_char
            if entity.label_ not in self._neoplasms:
                mention = Mention("entity", entity.label_.lower(), start, end, extractor=self._extractor)
                seen.mentions.append(mention)
            elif not any(taken[start:end]):
                seen.mentions.append(self._neoplasm(matcher, seen.text, start, end))

    def _neoplasm(self, matcher: TermMatcher, text: str, start: int, end: int) -> Mention:
        """The tumour that the words end with, else one of no known kind."""
        term = matcher.long_form(text[start:end])
        if term is None or term.kind != "neoplasm":
            term = matcher.generic
        return replace(matcher.mention(term, text, start, end), extractor=self._extractor)
