"""How a case is told to people, in one place: outcomes, names of answers, why a value was not taken.

A recommendation: no word here decides (a person does).
"""

from __future__ import annotations

from collections.abc import Collection

from pipeline.domain import Alternative, Case, CriterionResult, Value

# How a case's status is said: "complete" would be taken for a packet in which nothing is missing.
STATUSES = {"complete": "all read", "partial": "read in part", "parked": "parked"}
OUTCOMES = {
    "meets": "Policy criteria appear to be met",
    "investigational": "Appears to fall under what the policy calls investigational",
    "needs_information": "More information is needed before a review",
    "out_of_scope": "Not addressed by this policy",
    "other_policy": "Belongs to another policy",
}

# Prefixes of T, N and M (AJCC): when and how the category was determined.
BASES = {
    "c": "clinical",
    "p": "pathological",
    "yc": "clinical, after treatment",
    "yp": "pathological, after treatment",
    "r": "at recurrence",
    "rc": "clinical, at recurrence",
}

# Names of answers that are not simply their words.
_LABELS = {
    "t": "T",
    "n": "N",
    "m": "M",
    "derived_stage_group": "stage group from T, N and M",
    "lung_type": "type of lung cancer",
    "node_status": "lymph nodes",
}

# Why a value stands beside the one that was taken; a reason that is not here is told by its words.
_REASONS = {
    "conflicting": "the packet says both",
    "other_lesion": "of another lesion",
    "historical": "past history",
    "history": "past history",
    "family": "a relative's",
    "ruled_out": "ruled out",
    "suspected": "only suspected",
    "hypothetical": "not a fact: only considered",
    "conditional": "not a fact: under a condition",
    "possible": "only possible",
    "absent": "said not to be there",
    "superseded": "a newer statement stands",
    "outweighed": "less support than the value taken",
    "hardly_legible": "hardly legible: look at the page",
    "contradicts_tnm": "T, N and M as stated give another stage",
    "derived_from_tnm": "what the stated T, N and M give",
    "printed": "printed form text, not about the patient",
    "mentioned": "mentioned, not planned",
    "as_printed": "where the code is asked for",
    "words_beside": "the words beside the code",
    "not_readable": "hard to read",
    "wrong_check_digit": "its check digit is wrong",
}
# What stands before such a value; "not" where nothing is said here.
_LEADS = {
    "conflicting": "or",
    "as_printed": "printed:",
    "words_beside": "for:",
    "not_readable": "printed:",
    "wrong_check_digit": "printed:",
}


def label_of(name: str) -> str:
    """An answer's name as clinic and payer say it: `T`, `tumor site`, `date of birth`."""
    return _LABELS.get(name) or name.replace("_", " ")


def labels_of(names: str) -> str:
    """A set of facts that settle a criterion together ("t+n"): `T and N`."""
    return " and ".join(map(label_of, names.split("+")))


def lead(alternative: Alternative) -> str:
    """What stands before a value that stands beside the one taken: `not`, `or`, `printed:`."""
    return _LEADS.get(alternative.reason, "not")


def reason(alternative: Alternative) -> str:
    """Why the value was not taken."""
    return _REASONS.get(alternative.reason, label_of(alternative.reason))


def plain(value: Value) -> str:
    """A value as a person says it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if " " in value else value.replace("_", " ")


def place_of(case: Case, file: str | None, page: int | None) -> str:
    """`page 3`; with its file's name where the case has several files or no page is meant."""
    parts = [f"page {page}"] if page else []
    if file and (len(case.files) > 1 or page is None):
        parts.append(f"of {file}" if parts else file)
    return " ".join(parts)


def pages_of(numbers: tuple[int, ...]) -> str:
    """`page 3`, `pages 3-4`, `pages 3, 5`."""
    first, last = min(numbers), max(numbers)
    if first == last:
        return f"page {first}"
    if len(numbers) == last - first + 1:
        return f"pages {first}-{last}"
    return "pages " + ", ".join(str(number) for number in numbers)


def open_facts(criteria: Collection[CriterionResult]) -> set[str]:
    """Names of the facts that would answer a criterion that is still open."""
    unknown = [one for one in criteria if one.result == "unknown"]
    return {name for one in unknown for names in one.would_settle for name in names.split("+")}
