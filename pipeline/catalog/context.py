"""Words that say whether a mention is so: assertion cues and what ends them (`models/context.toml`)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipeline.catalog.expressions import checked
from pipeline.catalog.toml import Entry, read_toml
from pipeline.domain import Assertion


class CueRule(Entry):
    """Words that say something of what stands after or before them; see the head of the file."""

    says: Assertion
    reach: Literal["forward", "backward", "both"]
    words: tuple[str, ...] = Field(min_length=1)
    tokens: int = Field(default=14, gt=0)
    list: bool = True
    known: bool = True
    over_no: bool = False


class Words(Entry):
    """A plain list of phrases."""

    words: tuple[str, ...] = Field(min_length=1)


class Terminator(Words):
    """Words that end a cue's reach, unless the cue says one of `except`."""

    spared: tuple[Assertion, ...] = Field(default=(), alias="except")


class Course(Entry):
    """Words that tell a disease that is over from one that is there; regular expressions without case."""

    treatments: tuple[str, ...] = Field(min_length=1)
    treated: tuple[str, ...] = Field(min_length=1)
    purposes: tuple[str, ...] = Field(min_length=1)
    now: tuple[str, ...] = Field(min_length=1)

    @field_validator("*")
    @classmethod
    def _compiles(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        return checked(words)


class Clauses(Entry):
    """Words at the seams of a sentence; see the head of the file."""

    new_thought: tuple[str, ...] = Field(min_length=1)
    known: frozenset[str] = Field(min_length=1)
    not_known: frozenset[str] = Field(min_length=1)
    takes_back: tuple[str, ...] = Field(min_length=1)
    asks: tuple[str, ...] = Field(min_length=1)

    @field_validator("new_thought", "takes_back")
    @classmethod
    def _compiles(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        return checked(words)


class ContextRules(Entry):
    """Cues, terminators, look-alikes, and the words at the seams of a sentence."""

    clauses: Clauses
    course: Course
    cue: tuple[CueRule, ...]
    terminator: tuple[Terminator, ...]
    look_alike: tuple[Words, ...]

    @model_validator(mode="after")
    def _check(self) -> ContextRules:
        if present := [rule for rule in self.cue if rule.says is Assertion.PRESENT]:
            raise ValueError(f"{len(present)} cues say present, which is what holds without a cue")
        return self


def load_context(models_dir: Path) -> ContextRules:
    """`models/context.toml`. Raises CatalogError."""
    return read_toml(models_dir / "context.toml", ContextRules)
