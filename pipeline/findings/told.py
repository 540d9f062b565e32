"""Findings that are told in so many words, by fields that an analyst added (`models/fields/`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipeline.catalog.fields import FieldRule
from pipeline.domain import AnnotatedDocument, Assertion, Field, Mention
from pipeline.evidence import evidence_of
from pipeline.findings.choose import Candidate, choose

_LABEL = "told:"  # as pipeline.nlp.told has it
_STATED, _EXPECTED = 5.0, 3.0


def find_told(documents: Sequence[AnnotatedDocument], fields: Mapping[str, FieldRule]) -> dict[str, Field]:
    """Each such field. What stands in a section in which it is expected outweighs what stands elsewhere; what
    is denied, past, a relative's or only possible is no value and stays beside it as not taken."""
    return {name: choose(_statements(documents, name, rule)) for name, rule in fields.items() if rule.told}


def _statements(documents: Sequence[AnnotatedDocument], name: str, rule: FieldRule) -> Iterator[Candidate]:
    for source in documents:
        for mention in source.mentions:
            if mention.label == _LABEL + name:
                yield _statement(source, mention, rule)


def _statement(source: AnnotatedDocument, mention: Mention, rule: FieldRule) -> Candidate:
    present = mention.assertion is Assertion.PRESENT
    return Candidate(
        mention.value == "true" if rule.kind == "flag" else mention.value,
        _STATED + (_EXPECTED if mention.section in rule.sections else 0.0),
        evidence_of(source.document, mention, mention.extractor),
        reason=None if present else str(mention.assertion),
        date=source.document.service_date or "",
    )
