"""What the derivations of T, N and M share: spans, marked fields, open patterns, sentences, denial."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from pipeline.domain import AnnotatedDocument, Field, Status
from pipeline.evidence import evidence_for

DERIVED_T, DERIVED_N, DERIVED_M = "rule:derived_t", "rule:derived_n", "rule:derived_m"
# How sure a derivation is, by what it rests on.
BY_EXTENT, BY_SIZE, BY_COUNT, BY_WORDS = 0.75, 0.7, 0.75, 0.65
CONCLUDING = frozenset(
    {
        "final_diagnosis",
        "synoptic",
        "preamble",
        "addendum",
        "comment",
        "staging",
        "microscopic",
        "postoperative_diagnosis",
        "procedure",
        "pathology_summary",
        "impression",
    }
)
DENIED_BEFORE = re.compile(
    r"\b(?:no|not|without|negative for|absence of|absent|free of|uninvolved|does not|do not"
    r"|did not|is not|nor|neither|rule out|denies|cannot|lack of"
    r"|no evidence of)\b(?:[^.;:]|\.(?=[ ]?$|[ ](?-i:[a-z]))){0,60}$",
    re.IGNORECASE,
)
# Archives put a full stop where a line wrapped: only before a capital or a number does it end a sentence.
SENTENCE = re.compile(r";\s|\.\s+(?=[A-Z0-9(\-])")


class Span(NamedTuple):
    start: int
    end: int


def derived_field(
    source: AnnotatedDocument, value: str, span: Span, extractor: str, confidence: float
) -> Field:
    evidence = evidence_for(source.document, span.start, span.end, extractor=extractor)
    return Field(value=value, status=Status.FOUND, confidence=confidence, evidence=(evidence,), edition="7")


@cache
def open_pattern(words: str) -> re.Pattern[str]:
    """The expression with its spaces open for line wraps, at which some archives put a full stop."""
    opened = words.replace(" ?", r"[\s.]{0,3}").replace(" ", r"[\s.]{1,3}")
    return re.compile(opened, re.IGNORECASE)
