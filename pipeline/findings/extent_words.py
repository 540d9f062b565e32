"""What the derivations of T, N and M share: spans, marked fields, open patterns, denial."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from pipeline.catalog.extent import Denial
from pipeline.domain import AnnotatedDocument, Field, Status
from pipeline.evidence import evidence_for

DERIVED_T, DERIVED_N, DERIVED_M = "rule:derived_t", "rule:derived_n", "rule:derived_m"
# How sure a derivation is, by what it rests on.
BY_EXTENT, BY_SIZE, BY_COUNT, BY_WORDS = 0.75, 0.7, 0.75, 0.65


class Span(NamedTuple):
    start: int
    end: int


def derived_field(
    source: AnnotatedDocument, value: str, span: Span, extractor: str, confidence: float, edition: str = "7"
) -> Field:
    """`value` as derived from the words of `span` by a rule of the AJCC's `edition`."""
    evidence = evidence_for(source.document, span.start, span.end, extractor=extractor)
    return Field(
        value=value, status=Status.FOUND, confidence=confidence, evidence=(evidence,), edition=edition
    )


@cache
def open_pattern(words: str) -> re.Pattern[str]:
    """The expression with its spaces open for line wraps, at which some archives put a full stop."""
    opened = words.replace(" ?", r"[\s.]{0,3}").replace(" ", r"[\s.]{1,3}")
    return re.compile(opened, re.IGNORECASE)


def is_denied_before(text: str, start: int, reach: int, denial: Denial) -> bool:
    """Whether words of the same sentence, at most `reach` characters before `start`, deny what follows."""
    before = denial.sentence_end.split(text[max(0, start - reach) : start])[-1]
    return denial.before.search(before) is not None
