"""The reviewer's form: what is asked, what is answered, and who answered.

Question, Group, Asked      what a policy asks: its questionnaire, before any case
By, Touch                   what people did about one answer
Answer, Form                the same questions with a case's answers
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pipeline.domain import Alternative, Case, Code, Evidence, PolicyRef, Value

Kind = Literal["text", "date", "flag", "choice", "open", "code"]


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `link_id` is where the case has its answer (`findings.intent`, `patient.dob`,
    `elements.treatment_plan.treatment_area`), the same as a correction's subject.

    `options` are the answers of a choice, and the usual ones where it is open; `codes` is the code system
    of a code. `computed` answers follow from others and cannot be given by a person.
    """

    link_id: str
    text: str
    kind: Kind
    options: tuple[str, ...] = ()
    codes: str | None = None
    repeats: bool = False
    computed: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Questions under one heading. `code` is of the document that they ask about."""

    link_id: str
    title: str
    questions: tuple[Question, ...]
    code: Code | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """All that one version of a policy asks for."""

    policy: PolicyRef
    title: str
    groups: tuple[Group, ...]

    def __iter__(self) -> Iterator[Question]:
        return (question for group in self.groups for question in group.questions)


@dataclass(frozen=True, slots=True)
class By:
    """Who did something, in what role, and when; None where that is not known."""

    actor: str
    role: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Touch:
    """What people last did about one answer: changed it, said that it is right, said that it is not there.

    `replaced` says whether the pipeline had answered before.
    """

    changed: By | None = None
    confirmed: By | None = None
    rejected: By | None = None
    replaced: bool = False


Touches = Mapping[str, Touch]
"""By link id."""


class Source(StrEnum):
    """Where an answer comes from; the words of DTR's information-origin."""

    AUTO = "auto-server"
    OVERRIDE = "override"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Answer:
    """A question with what the case says.

    `value` is None unless it stands: a value that conflicts with another, and one that is uncertain, is no
    answer, and is found among `candidates`. `status` is a field's, or that of a required element (`missing`,
    `unclear`). `source` is where a value comes from, None without one.
    """

    question: Question
    status: str
    value: Value | None = field(default=None, repr=False)
    source: Source | None = None
    confidence: float | None = None
    codes: tuple[Code, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    candidates: tuple[Alternative, ...] = ()
    others: tuple[Alternative, ...] = ()
    basis: str | None = None
    edition: str | None = None
    touch: Touch | None = None

    @property
    def author(self) -> By | None:
        """Who gave the value, where a person did."""
        if self.source in (None, Source.AUTO) or self.touch is None:
            return None
        return self.touch.changed

    @property
    def last(self) -> By | None:
        """Who last touched the answer."""
        touch = self.touch
        return (touch.confirmed or touch.rejected or touch.changed) if touch else None


@dataclass(frozen=True, slots=True)
class Form:
    """The filled form of one case; `answers` in the order of the questions, at least one for each."""

    case: Case = field(repr=False)
    asked: Asked
    answers: tuple[Answer, ...]

    def of(self, link_id: str) -> tuple[Answer, ...]:
        """The answers of one question."""
        return tuple(answer for answer in self.answers if answer.question.link_id == link_id)
