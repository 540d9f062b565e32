"""Where the packet itself leaves open what the lesion is: no biopsy, "nature not proven", a code of
unspecified behavior. That is an answer ("uncertain"); silence about the behavior is none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pipeline.catalog.target import TargetRules
from pipeline.catalog.treatment import Treatment
from pipeline.domain import AnnotatedDocument, Field, Request
from pipeline.evidence import evidence_for
from pipeline.findings.choose import Candidate, choose
from pipeline.findings.lesions import labelled_in
from pipeline.findings.phrases import clauses, find, holds
from pipeline.findings.target import Target

# ICD-10-CM: neoplasms of uncertain (D37-D44, D48) and of unspecified (D49) behavior.
_OPEN_CODE = re.compile(r"D(?:3[7-9]|4[0-4]|48|49)")
_ASKED = re.compile(
    r"[ \t]*(?:malignan\w*|behaviou?r|nature|histolog\w+|patholog\w+|tissue diagnosis|biopsy)\b", re.I
)
_STATED, _ON_FORM, _CODED = 6.0, 5.0, 4.0


def find_unproven(
    documents: Sequence[AnnotatedDocument],
    request: Request,
    target: Target,
    treatment: Treatment,
    rules: TargetRules,
) -> Field:
    """`uncertain` where a paper says of the target that its nature is not proven, else not found.

    Ask only where no diagnosis of the target is stated.
    """
    silent = {"letter", "other", "laboratory_report", "consent_form"}
    stated = [
        candidate
        for source in documents
        if source.document.type not in silent
        for candidate in _statements(source, target, treatment, rules)
    ]
    return choose([*stated, *_coded(request, target, rules)])


def _statements(
    source: AnnotatedDocument, target: Target, treatment: Treatment, rules: TargetRules
) -> Iterator[Candidate]:
    text = source.document.text
    background = [
        (s.start, s.end) for s in source.sections if s.name in treatment.regions.background_sections
    ]
    on_form = source.document.type in rules.weights.forms
    for start, end in clauses(text, 0, len(text)):
        if not find(rules.words.unproven, text, start, end):
            continue
        if any(left <= start < right for left, right in background):
            continue
        named = {m.value for m in labelled_in(source, "site", start, end)}
        about = target.site in named and holds(treatment.area.lesions, text, start, end)
        asked = on_form and not named and _ASKED.match(text, start, end)
        if about or asked:
            section = next((s.name for s in source.sections if s.start <= start < s.end), None)
            evidence = evidence_for(source.document, start, end, section=section, extractor="rule:behavior")
            yield Candidate("uncertain", _STATED if about else _ON_FORM, evidence)


def _coded(request: Request, target: Target, rules: TargetRules) -> Iterator[Candidate]:
    for field in request.icd10:
        code = str(field.value)
        coded = rules.site_of_icd10(code)
        if _OPEN_CODE.match(code) and coded and coded[0] == target.site and field.evidence:
            yield Candidate("uncertain", _CODED, field.evidence[0])
