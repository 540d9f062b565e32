"""Who may do what. A role sees the least of a patient's record that its work needs."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """One thing that a person may be allowed to do."""

    WORKLIST = "worklist"  # ids, states, times: nothing of a patient
    PAGES = "pages"  # the pages themselves, and which documents they are
    ANSWERS = "answers"  # patient, findings, criteria with their quotes
    CORRECT = "correct"  # change an answer, or the kind and extent of a document
    REQUEST = "request"  # see and send an information request
    QUEUE = "queue"  # work a submission again, reject it, hurry it
    OVERRIDE = "override"  # set another outcome than the rules recommend
    AUDIT = "audit"  # read the audit trail
    USERS = "users"  # accounts, and which systems are told of what happens
    SUBMIT = "submit"  # hand in submissions, and see how those stand


class Role(StrEnum):
    """What a person is in the department."""

    INTAKE = "intake"
    REVIEWER = "reviewer"
    MEDICAL_DIRECTOR = "medical_director"
    AUDITOR = "auditor"
    ADMIN = "admin"
    SENDER = "sender"  # a program outside that hands in submissions: no person, no password


_P = Permission
_GRANTED: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.INTAKE: frozenset({_P.WORKLIST, _P.PAGES, _P.REQUEST, _P.QUEUE}),
    Role.REVIEWER: frozenset({_P.WORKLIST, _P.PAGES, _P.ANSWERS, _P.CORRECT, _P.REQUEST}),
    Role.MEDICAL_DIRECTOR: frozenset(
        {_P.WORKLIST, _P.PAGES, _P.ANSWERS, _P.CORRECT, _P.REQUEST, _P.OVERRIDE}
    ),
    Role.AUDITOR: frozenset({_P.WORKLIST, _P.AUDIT}),
    Role.ADMIN: frozenset({_P.WORKLIST, _P.USERS, _P.QUEUE}),
    Role.SENDER: frozenset({_P.SUBMIT}),
}
# What a role may open by breaking the glass: with a reason, for one case and one session, on the record.
_BEHIND_GLASS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.AUDITOR: frozenset({_P.PAGES, _P.ANSWERS}),
    Role.ADMIN: frozenset({_P.PAGES, _P.ANSWERS}),
}


def granted(role: Role) -> frozenset[Permission]:
    """What a role may do every day."""
    return _GRANTED[role]


def behind_glass(role: Role) -> frozenset[Permission]:
    """What a role may do beyond that for one case, once it has given a reason."""
    return _BEHIND_GLASS.get(role, frozenset())
