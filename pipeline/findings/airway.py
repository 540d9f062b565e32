"""Whether a central airway obstructing lesion is documented, as there or as not there.

Risks, rules quoted from a policy, old findings and an anaesthetist's airway examination are not
findings. What is there weighs more than a part of the airways that is open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.catalog.treatment import Airway, Treatment
from pipeline.domain import AnnotatedDocument, Field
from pipeline.evidence import evidence_for
from pipeline.findings.choose import Candidate, choose
from pipeline.findings.phrases import clauses, find, holds
from pipeline.marks import answer_after, ticked

# A mass that obstructs outweighs "trachea and right bronchi clear" in the same or another report.
_THERE, _NOT_THERE, _ANSWERED = 8.0, 5.0, 5.0


def find_airway_obstruction(documents: Sequence[AnnotatedDocument], treatment: Treatment) -> Field:
    """True, false or not found. Ask only for a target in the lung or airway."""
    silent = {"consent_form", "other", "letter", "laboratory_report", "fax_cover"}
    return choose(
        candidate
        for source in documents
        if source.document.type not in silent
        for candidate in _statements(source, treatment.airway, treatment.regions.background_sections)
    )


def _statements(source: AnnotatedDocument, rules: Airway, background: tuple[str, ...]) -> Iterator[Candidate]:
    text = source.document.text
    skipped = [(s.start, s.end) for s in source.sections if s.name in background and s.name != "laboratory"]
    for start, end in clauses(text, 0, len(text)):
        if any(left <= start < right for left, right in skipped):
            continue
        verdict = _read(text, start, end, rules)
        if verdict is None:
            continue
        value, weight = verdict
        section = next((s.name for s in source.sections if s.start <= start < s.end), None)
        yield Candidate(
            value, weight, evidence_for(source.document, start, end, section=section, extractor="rule:airway")
        )


def _read(text: str, start: int, end: int, rules: Airway) -> tuple[bool, float] | None:
    """(value, weight) that one clause states, or None."""
    for question in find(rules.question, text, start, end):
        answer = answer_after(text, question.end())
        if answer is not None:
            return answer, _ANSWERED
    if any(ticked(text, match.start()) is not None for match in find(rules.airways, text, start, end)):
        return None
    if holds(rules.not_stated, text, start, end):
        return None
    if holds(rules.none_of, text, start, end):
        return False, _NOT_THERE
    airway = find(rules.airways, text, start, end)
    if not airway:
        return None
    blocked = find(rules.obstruction, text, start, end)
    if blocked:
        answer = answer_after(text, max(blocked[-1].end(), airway[-1].end()))
        if answer is not None:
            return answer, _ANSWERED
        return (False, _NOT_THERE) if _is_denied(text, start, blocked[0].start(), rules) else (True, _THERE)
    return (False, _NOT_THERE) if _is_clear(text, start, end, rules) else None


def _is_denied(text: str, start: int, offset: int, rules: Airway) -> bool:
    return holds(rules.denial, text, max(start, offset - 60), offset)


def _is_clear(text: str, start: int, end: int, rules: Airway) -> bool:
    return holds(rules.clear, text, start, end) and holds(
        ("airway", "airways", "trachea", "carina"), text, start, end
    )
