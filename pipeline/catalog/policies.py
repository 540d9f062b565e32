"""Policies as data: `models/policies/<policy>/<version>/policy.toml`, versions side by side.

A pack says what the policy says (criteria, required documents, service codes, with the section each
comes from) and how questions that its text leaves open are ruled. `docs/analysts-guide.md` walks
through one; `pipeline.catalog.conditions` is the language of its conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError

from pipeline.catalog.conditions import Condition, ConditionError, parse
from pipeline.catalog.facts import NAME
from pipeline.catalog.toml import Entry
from pipeline.domain import PolicyRef
from pipeline.errors import UsageError

CODE = r"^[0-9A-Z]{4}[0-9A-Z](-[0-9A-Z]{4}[0-9A-Z])?$"


def _condition(value: Any) -> Condition:
    """The tree of a condition as pydantic reads it; a fault keeps its line for the message."""
    if not isinstance(value, str):
        raise PydanticCustomError("condition", "a condition is a text", {})
    try:
        return parse(value)
    except ConditionError as error:
        raise PydanticCustomError("condition", "{why}", {"why": str(error), "line": error.line}) from error


When = Annotated[Condition, PlainValidator(_condition)]


class RequiredDocument(Entry):
    """A document that must be submitted. `accepted_types` are names of `models/documents/` that may
    hold it; `elements` are what it must hold; `max_age_days` counts from the document's date to the day
    of receipt and is a question for a person where either is not known."""

    name: str = Field(pattern=NAME)
    title: str
    loinc: str | None = Field(default=None, pattern=r"^\d{1,6}-\d$")
    accepted_types: tuple[str, ...] = Field(min_length=1)
    elements: tuple[str, ...] = ()
    max_age_days: int | None = Field(default=None, gt=0)
    source: str


class ServiceCode(Entry):
    """A code that the policy lists, or a range of codes (`17260-17286`). `states` are facts that a
    request with the code implies, used only where no document tells them."""

    code: str = Field(pattern=CODE)
    title: str
    states: dict[str, str] = Field(default_factory=dict)
    source: str

    def covers(self, code: str) -> bool:
        """Whether `code` is this code or lies in its range."""
        first, _, last = self.code.partition("-")
        return first <= code <= (last or first) and len(code) == len(first)


class CodeFact(Entry):
    """A fact that only service codes tell (how the tumor is reached)."""

    name: str = Field(pattern=NAME)
    values: tuple[str, ...] = Field(min_length=1)


class NamedCondition(Entry):
    """A condition with a name, to be used in others. `means` says it in the policy's words."""

    name: str = Field(pattern=NAME)
    means: str
    when: When


class Reading(Entry):
    """One way of telling a combined fact."""

    value: str
    when: When


class CombinedFact(Entry):
    """A fact that several findings tell, each in its own way. Where they disagree it stays open."""

    name: str = Field(pattern=NAME)
    means: str
    readings: tuple[Reading, ...] = Field(min_length=1)

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(reading.value for reading in self.readings))


class Route(Entry):
    """A request that this policy does not judge. Routes are looked at first and in this order."""

    id: str = Field(pattern=NAME)
    outcome: Literal["out_of_scope", "other_policy"]
    when: When
    policy: str | None = None
    source: str
    needs_person: str | None = None


class Criterion(Entry):
    """One indication that the policy accepts. `unless` rules it out where it is known to hold; where
    it is not documented it does not stand in the way. `beside` names criteria that the policy means to
    be met together with it; any other overlap is a mistake."""

    id: str
    title: str
    when: When
    unless: When | None = None
    beside: tuple[str, ...] = ()
    source: str


class Otherwise(Entry):
    """What holds where no criterion is met."""

    id: str
    title: str
    source: str


class Ruling(Entry):
    """How a question that the policy's text leaves open is answered, until its owner answers it.

    Where `when` is known to hold, the results named in `replaces` of the `criteria` become `result`;
    without `result` they stay, and the case is only marked. `needs_person` marks it for a person.
    """

    id: str = Field(pattern=NAME)
    question: str
    criteria: tuple[str, ...] = Field(min_length=1)
    when: When
    result: Literal["met", "not_met"] | None = None
    replaces: tuple[Literal["met", "not_met", "unknown"], ...] = ("met", "not_met", "unknown")
    reason: str
    needs_person: bool = True


class Wording(Entry):
    """What an office is asked for, for each element of a required document."""

    name: str = Field(pattern=NAME)
    ask: str


class Policy(Entry):
    """One version of one policy: the whole of a `policy.toml`."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    version: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    title: str
    number: str | None = None
    effective: date
    last_review: str | None = None
    next_review: str | None = None
    example: bool = False
    minimum_confidence: float = Field(default=0.0, ge=0.0, le=1.0)
    """A finding with a lower confidence counts as not documented: it abstains."""
    thresholds: dict[str, Annotated[float, Field(ge=0.0, le=1.0)]] = Field(default_factory=dict)
    """Findings with a `minimum_confidence` of their own."""
    service_codes: tuple[ServiceCode, ...] = ()
    code_facts: tuple[CodeFact, ...] = ()
    required_documents: tuple[RequiredDocument, ...] = ()
    elements: tuple[Wording, ...] = ()
    combined: tuple[CombinedFact, ...] = ()
    named: tuple[NamedCondition, ...] = ()
    routes: tuple[Route, ...] = ()
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    otherwise: Otherwise
    rulings: tuple[Ruling, ...] = ()

    @property
    def ref(self) -> PolicyRef:
        return PolicyRef(self.id, self.version)

    def least_confidence(self, finding: str) -> float:
        """The confidence below which a finding counts as not documented."""
        return self.thresholds.get(finding, self.minimum_confidence)

    @property
    def ruleset(self) -> str:
        """Name under which an evaluation says by which rules it was made."""
        return f"{self.id}@{self.version}"


@dataclass(frozen=True)
class Policies:
    """All versions of all policies, the oldest first."""

    versions: Mapping[str, tuple[Policy, ...]]

    def __contains__(self, policy_id: str) -> bool:
        return policy_id in self.versions

    def __getitem__(self, policy_id: str) -> Policy:
        """The newest version. Raises UsageError, which names the policies that there are."""
        return self._of(policy_id)[-1]

    def in_force(self, policy_id: str, on: date) -> Policy:
        """The version in force on a day; before the first version, the first."""
        versions = self._of(policy_id)
        return next((policy for policy in reversed(versions) if policy.effective <= on), versions[0])

    def version(self, ref: PolicyRef) -> Policy:
        """The version that a case was judged under. Raises UsageError where it is not kept."""
        for policy in self._of(ref.id):
            if policy.version == ref.version:
                return policy
        kept = ", ".join(policy.version for policy in self._of(ref.id))
        raise UsageError(
            f"Policy {ref.id} has no version {ref.version}.", next_step=f"Versions kept: {kept}."
        )

    def _of(self, policy_id: str) -> tuple[Policy, ...]:
        if policy_id not in self.versions:
            known = ", ".join(sorted(self.versions))
            raise UsageError(f"There is no policy {policy_id}.", next_step=f"Policies: {known}.")
        return self.versions[policy_id]
