"""Whether a correction makes sense for its case."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from pipeline.catalog import Catalog
from pipeline.catalog.fields import FieldRule
from pipeline.domain import Case, Met
from pipeline.errors import UsageError
from pipeline.review.corrections import OF_DOCUMENTS, OUTCOME, Correction, Kind, value_of
from pipeline.review.layout import cuts_of, laid_out
from pipeline.wording import OUTCOMES

_BASES: Final = ("c", "p", "yc", "yp", "r", "rc")
_LONGEST_VALUE, _LONGEST_REASON, _MOST_MARKS = 300, 2000, 20


def check(correction: Correction, case: Case, catalog: Catalog) -> None:
    """Raises UsageError where a correction makes no sense for its case: what it says cannot be, or is
    not shown."""
    if correction.kind is not Kind.ACCEPT and not correction.why.strip():
        raise UsageError("A change needs its reason.")
    if len(correction.why) > _LONGEST_REASON:
        raise UsageError(f"The reason is longer than {_LONGEST_REASON} characters.")
    if correction.kind in OF_DOCUMENTS:
        if correction.kind is Kind.RETYPE and correction.after not in tuple(catalog.documents):
            raise UsageError("There is no such type of document.")
        laid_out(cuts_of(case), correction, case)
    elif correction.kind is Kind.OUTCOME:
        _check_outcome(correction, case)
    else:
        _check_answer(correction, case, catalog.findings.fields)


def _check_outcome(correction: Correction, case: Case) -> None:
    if correction.subject != OUTCOME or case.evaluation is None:
        raise UsageError("There is no recommendation to set another outcome beside.")
    if correction.after not in OUTCOMES:
        raise UsageError("There is no such outcome.")


def _check_answer(correction: Correction, case: Case, rules: Mapping[str, FieldRule]) -> None:
    group, _, name = correction.subject.partition(".")
    now = value_of(case, correction.subject)
    if correction.kind is Kind.ACCEPT and now is None:
        raise UsageError("There is no value to accept.")
    if correction.kind is Kind.REJECT and now is None:
        raise UsageError("There is no value to reject.")
    if correction.kind is not Kind.CHANGE:
        return
    if group == "elements":
        if correction.after not in tuple(Met):
            raise UsageError("An element is met, missing or unclear.")
        if correction.after == Met.MET and not correction.evidence:
            raise UsageError("Mark the words that show it.")
        return
    if not correction.evidence:
        raise UsageError("Mark the words that show the value.")
    if len(correction.evidence) > _MOST_MARKS:
        raise UsageError(f"More than {_MOST_MARKS} places are marked.")
    if group == "findings":
        if name not in rules:
            raise UsageError("This finding is not known any more.")
        _check_finding(correction, rules[name])
    elif correction.subject == "request.expedited":
        _check_flag(correction.after)
    else:
        _check_text(correction.after)
        if correction.subject == "patient.dob" and not _is_day(correction.after):
            raise UsageError("A date of birth is written year-month-day, as 1950-02-28.")


def _check_finding(correction: Correction, rule: FieldRule) -> None:
    if rule.kind == "flag":
        _check_flag(correction.after)
    else:
        _check_text(correction.after)
    if rule.kind == "choice" and correction.after not in rule.values:
        raise UsageError(f"{rule.title}: one of {', '.join(rule.values)}.")
    if correction.basis is not None and correction.basis not in _BASES:
        raise UsageError(f"The prefix is one of {', '.join(_BASES)}.")


def _check_flag(value: Any) -> None:
    if not isinstance(value, bool):
        raise UsageError("The value is yes or no.")


def _check_text(value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise UsageError("The value is empty.")
    if len(value) > _LONGEST_VALUE or not value.isprintable():
        raise UsageError(f"The value is one line of at most {_LONGEST_VALUE} characters.")


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
