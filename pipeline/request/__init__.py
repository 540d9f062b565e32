"""What is asked for, and by whom: procedure and diagnosis codes, the urgency, the provider.

They are read from the request form, where there is none from the cover sheet, else from the letter.

Only what is asked for counts: of a list with tick marks the ticked lines, of a corrected code the
correction, and no code that a line names "for comparison" or "not billed".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.catalog.request import RequestRules
from pipeline.domain import Document, Field, Request, Status
from pipeline.evidence import evidence_for
from pipeline.request.checks import check_request
from pipeline.request.diagnoses import diagnosis_codes
from pipeline.request.lines import StatedCode
from pipeline.request.procedures import procedure_codes
from pipeline.request.provider import read_provider
from pipeline.request.urgency import read_urgency

__all__ = ["check_request", "read_request"]

EXTRACTOR = "rule:request"

_Read = Callable[[Document, RequestRules], list[StatedCode]]


def read_request(documents: Sequence[Document], rules: RequestRules) -> Request:
    """The codes asked for, whether the review is to be expedited, who asks; nothing is filled in."""
    official = [
        document
        for document in documents
        if document.type in rules.sources and document.belongs_to_patient is not False
    ]
    provider, npi = read_provider(official, rules)
    return Request(
        cpt=_codes(official, rules, procedure_codes),
        icd10=_codes(official, rules, diagnosis_codes),
        expedited=read_urgency(official, rules),
        provider=provider,
        npi=npi,
    )


def _codes(documents: Sequence[Document], rules: RequestRules, read: _Read) -> tuple[Field, ...]:
    """The codes of the best kind of document that states any; each once, with the words that state it."""
    for source in rules.sources:
        fields: dict[str, Field] = {}
        for document in documents:
            if document.type != source:
                continue
            for code in read(document, rules):
                evidence = evidence_for(document, code.start, code.end, extractor=EXTRACTOR)
                fields.setdefault(code.value, Field(code.value, Status.FOUND, 0.97, evidence=(evidence,)))
        if fields:
            return tuple(fields.values())
    return ()
