"""The truth of a case as far as people said it: an `expected.json` of what they confirmed and changed."""

from __future__ import annotations

from typing import Any

from pipeline.domain import Case
from pipeline.prefill import Answer, Form


def expected_of(form: Form) -> dict[str, Any] | None:
    """The `expected.json` of a corrected case; None where nobody touched it.

    It names what a person confirmed, changed or refused (null: the packet does not say it) and nothing else,
    so that no value of the pipeline's becomes its own truth. `about` says where it comes from.
    """
    truth: dict[str, dict[str, Any]] = {}
    for answer in form.answers:
        group, _, name = answer.question.link_id.partition(".")
        if not _touched(answer) or (group == "findings" and "." in name):
            continue
        if answer.question.repeats:
            values = truth.setdefault(group, {}).setdefault(name, [])
            values += [answer.value] if answer.value is not None else []
        else:
            truth.setdefault(group, {})[name] = _value(form.case, answer, group, name)
    if not truth:
        return None
    return {**truth, "about": _about(form)}


def fields_in(expected: dict[str, Any]) -> int:
    """How many values an `expected.json` names."""
    return sum(len(group) for name, group in expected.items() if name != "about")


def _touched(answer: Answer) -> bool:
    touch = answer.touch
    return touch is not None and (touch.changed or touch.confirmed or touch.rejected) is not None


def _value(case: Case, answer: Answer, group: str, name: str) -> Any:
    if group != "elements":
        return answer.value
    document, _, element = name.partition(".")
    return case.completeness.documents[document].elements[element].status.value


def _about(form: Form) -> dict[str, Any]:
    return {
        "submission": form.case.case_id,
        "policy": f"{form.asked.policy.id}@{form.asked.policy.version}",
        "read_by": form.case.made_by.name if form.case.made_by else None,
    }
