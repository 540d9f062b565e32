"""The language pipeline: text in, sections and mentions with their assertion out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.domain import AnnotatedDocument, Document

if TYPE_CHECKING:
    from spacy.language import Language


def load_nlp(models_dir: Path, settings: Mapping[str, object] | None = None) -> Language:
    """The pipeline of `models_dir`/nlp.cfg. Raises CatalogError where a knowledge file is wrong.

    `settings` replace values of nlp.cfg by their dotted names ("components.optional_ner.packages").
    """
    from spacy.util import load_config, load_model_from_config

    import pipeline.nlp.components
    import pipeline.nlp.entities
    import pipeline.nlp.tokenizer  # noqa: F401  # all register factories

    config = load_config(
        models_dir / "nlp.cfg",
        overrides={"paths.models": str(models_dir), **(settings or {})},
        interpolate=False,
    )
    return load_model_from_config(config.interpolate(), auto_fill=True)


def annotate(nlp: Language, documents: Sequence[Document]) -> tuple[AnnotatedDocument, ...]:
    """Each document with its sections and its mentions in text order."""
    from pipeline.nlp.components import notes

    annotated = []
    for document, doc in zip(documents, nlp.pipe(document.text for document in documents), strict=True):
        seen = notes(doc)
        annotated.append(AnnotatedDocument(document, seen.sections, seen.result))
    return tuple(annotated)
