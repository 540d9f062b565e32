"""What a request for information says, who sends it and how long an answer may take (`models/letters/`).

The sentences are data with named gaps; a gap that is not known, or one that is left out, is told when the
file is read and not when a letter is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from string import Formatter
from typing import ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from pipeline.catalog.documents import Loinc
from pipeline.catalog.toml import Entry, read_toml
from pipeline.errors import CatalogError
from pipeline.spelling import Phrases, tokenize


class Plan(Entry):
    """Who asks. The systems name the plan's own identifiers in FHIR."""

    name: str
    department: str
    address: tuple[str, ...]
    phone: str
    fax: str
    hours: str
    payer_id: str
    payer_id_system: str
    member_id_system: str
    reference_system: str
    case_system: str
    payer_url: str
    timezone: str

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            raise ValueError("no time zone of the IANA database, like America/New_York") from None
        return name

    def day(self, at: datetime) -> date:
        """The day that it is at the plan."""
        return at.astimezone(ZoneInfo(self.timezone)).date()


class Deadlines(Entry):
    """Days from sending. `weekends` says whether a due day may be a Saturday or Sunday. `within_clock`: an
    answer is due `review_days` before the plan must decide (`models/clock.toml`), if that is sooner."""

    answer_days: int = Field(gt=0)
    remind_days: tuple[int, ...] = ()
    expire_days: int = Field(gt=0)
    weekends: bool = False
    within_clock: bool = True
    review_days: int = Field(default=1, ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> Deadlines:
        if any(not 0 < day < self.answer_days for day in self.remind_days):
            raise ValueError("remind_days lie before answer_days")
        if self.expire_days < self.answer_days:
            raise ValueError("expire_days is before answer_days")
        return self


class PolicyDeadlines(Entry):
    standard: Deadlines
    expedited: Deadlines


class AllDeadlines(PolicyDeadlines):
    """The plan's days, and those of single policies by their id."""

    policies: dict[str, PolicyDeadlines] = Field(default_factory=dict)


class Acknowledge(Entry):
    """Hours after which a sending that nobody acknowledged is told to be late."""

    standard_hours: float = Field(gt=0)
    expedited_hours: float = Field(gt=0)

    def within(self, *, expedited: bool) -> timedelta:
        return timedelta(hours=self.expedited_hours if expedited else self.standard_hours)


class PlanFile(Entry):
    """`models/letters/plan.toml`."""

    plan: Plan
    deadlines: AllDeadlines
    acknowledge: Acknowledge


class _Sentences(Entry):
    """Sentences whose gaps are fixed: `gaps` maps each to the names that it holds."""

    gaps: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="after")
    def _gaps(self) -> _Sentences:
        for sentence, names in self.gaps.items():
            held = {name for _, name, _, _ in Formatter().parse(getattr(self, sentence)) if name is not None}
            if held != set(names.split()):
                wanted = ", ".join(f"{{{name}}}" for name in names.split()) or "none"
                raise ValueError(f"{sentence} must hold these gaps and no other: {wanted}")
        return self


class Why(_Sentences):
    gaps: ClassVar = {"document": "source", "fact": "criterion title", "other": ""}

    document: str
    fact: str
    other: str


class FoundWords(_Sentences):
    gaps: ClassVar = {
        "lacks": "record element",
        "unclear": "record element",
        "others": "records document",
        "none": "document",
        "announced": "pages",
        "other_patient": "pages",
        "pages_lost": "record missing total",
        "apart": "",
        "too_old": "record",
        "silent": "record",
        "silent_all": "",
        "open": "record",
        "says": "record value",
        "lost_file": "pages",
    }

    lacks: str
    unclear: str
    others: str
    none: str
    announced: str
    other_patient: str
    pages_lost: str
    apart: str
    too_old: str
    silent: str
    silent_all: str
    open: str
    says: str
    lost_file: str


class Settles(_Sentences):
    gaps: ClassVar = {
        "document": "document elements",
        "addendum": "record element",
        "other_record": "element",
        "facts": "records facts",
        "newer": "document days",
        "copy_of": "document",
    }

    document: str
    addendum: str
    other_record: str
    facts: str
    newer: str
    copy_of: str
    most: int = Field(gt=0)


class Deciding(Entry):
    """Words that decide; `*` stands for all endings."""

    words: tuple[str, ...]

    @cached_property
    def phrases(self) -> Phrases:
        return Phrases(self.words)


class WordsFile(Entry):
    """`models/letters/words.toml`."""

    deciding: Deciding
    why: Why
    found: FoundWords
    settles: Settles
    elements: dict[str, str]


class FactItem(Entry):
    """How a request calls a fact, and which records usually say it."""

    title: str
    name: str
    records: tuple[str, ...] = Field(min_length=1)
    beside: tuple[str, ...] = ()

    @field_validator("title", "name")
    @classmethod
    def _one_line(cls, text: str) -> str:
        if not re.fullmatch(r"\S.*", text):
            raise ValueError("one line of text")
        return text


class ItemsFile(Entry):
    """`models/letters/items.toml`."""

    not_a_side: frozenset[str]
    not_records: frozenset[str]
    x12_report_type: str
    medical_records: Loinc
    facts: dict[str, FactItem]


class Points(Entry):
    """How much each agreement of a reply with an open request counts."""

    name: float
    name_maybe: float
    dob: float
    dob_maybe: float
    number: float
    number_maybe: float
    words: float
    record: float
    service: float
    phrase: float
    other_service: float
    new_request: float


class RejoinFile(Entry):
    """`models/letters/rejoin.toml`."""

    points: Points
    enough: float
    ahead: float = Field(ge=0)
    phrases: tuple[str, ...]

    @cached_property
    def known(self) -> Phrases:
        return Phrases(self.phrases)


@dataclass(frozen=True)
class Letters:
    """All of `models/letters/`."""

    folder: Path
    fonts: Path
    plan: Plan
    acknowledge: Acknowledge
    words: WordsFile
    items: ItemsFile
    rejoin: RejoinFile
    _deadlines: AllDeadlines

    def deadlines(self, policy_id: str, *, expedited: bool) -> Deadlines:
        """The days for a request under a policy."""
        chosen = self._deadlines.policies.get(policy_id, self._deadlines)
        return chosen.expedited if expedited else chosen.standard

    def decides(self, text: str) -> bool:
        """Whether a text holds a word that decides."""
        return bool(self.words.deciding.phrases.find(tokenize(text)))


def load_letters(models_dir: Path, document_types: frozenset[str]) -> Letters:
    """The files of `models/letters/`. Raises CatalogError, also for an unknown name of a record."""
    folder = models_dir / "letters"
    plan = read_toml(folder / "plan.toml", PlanFile)
    items = read_toml(folder / "items.toml", ItemsFile)
    for name, fact in items.facts.items():
        unknown = [record for record in fact.records if record not in document_types]
        if unknown:
            raise CatalogError(
                f"{folder / 'items.toml'}: facts.{name}.records: there is no document type {unknown[0]}.",
                next_step=f"Types: {', '.join(sorted(document_types))}.",
            )
    return Letters(
        folder=folder,
        fonts=models_dir / "fonts",
        plan=plan.plan,
        acknowledge=plan.acknowledge,
        words=read_toml(folder / "words.toml", WordsFile),
        items=items,
        rejoin=read_toml(folder / "rejoin.toml", RejoinFile),
        _deadlines=plan.deadlines,
    )
