"""What the elements of required documents are and how they are recognised (`models/elements.toml`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from pipeline.catalog.toml import Entry, read_toml
from pipeline.spelling import Phrases


class ElementRule(Entry):
    """One element; see the head of the file for the kinds.

    Where it is missing one looks for it in a section of `expected_in`, or behind one of `expected_after`.
    """

    kind: Literal["history", "examination", "finding", "planned", "section"]
    finding: str | None = None
    sections: tuple[str, ...] = ()
    expected_in: tuple[str, ...] = ()
    expected_after: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> ElementRule:
        if self.kind in ("finding", "planned") and not self.finding:
            raise ValueError(f"an element of kind {self.kind} names its finding")
        if self.kind == "section" and not self.sections:
            raise ValueError("an element of kind section names its sections")
        return self


class HistoryRules(Entry):
    """What tells a history: sections, and words where headings are missing."""

    narrative: frozenset[str]
    core: frozenset[str]
    background: frozenset[str]
    narrative_words: int = Field(gt=0)
    narrative_cues: tuple[str, ...]
    core_cues: tuple[str, ...]
    background_cues: tuple[str, ...]
    story_marks: tuple[str, ...]
    background_marks: tuple[str, ...]


class ExaminationRules(Entry):
    """Where an examination stands and which words name the systems examined."""

    sections: frozenset[str]
    openings: tuple[str, ...]
    least_systems: int = Field(gt=0)
    signs: Mapping[str, tuple[str, ...]]
    systems: Mapping[str, tuple[str, ...]]


class PlaceholderRules(Entry):
    """Words that stand where content should."""

    words: tuple[str, ...]
    no_examination: tuple[str, ...]
    no_visit: tuple[str, ...]
    at_a_distance: tuple[str, ...]


class PlanRules(Entry):
    """Where a plan stands, and what makes a procedure in it less than planned."""

    sections: frozenset[str]
    lines: frozenset[str]
    procedures: tuple[str, ...]
    denied: tuple[str, ...]
    tentative: tuple[str, ...]
    words: int = Field(gt=0)
    headings: tuple[str, ...]
    future: tuple[str, ...]
    ordered: tuple[str, ...]
    area_labels: tuple[str, ...]


class ReportRules(Entry):
    """Documents that describe a test or a procedure: they examine nobody; see the file for the keys."""

    tests: frozenset[str]
    procedures: frozenset[str]
    reasons: frozenset[str]
    least_words: int = Field(gt=0)
    consent: tuple[str, ...]


class ElementRules(Entry):
    """All that `pipeline.completeness` knows."""

    elements: Mapping[str, ElementRule]
    claims: Mapping[str, frozenset[str]]
    history: HistoryRules
    examination: ExaminationRules
    placeholders: PlaceholderRules
    plan: PlanRules
    reports: ReportRules

    @cached_property
    def phrases(self) -> Mapping[str, Phrases]:
        """The phrases of each list of words, by the list's name; systems as `system:<name>`."""
        lists: dict[str, tuple[str, ...]] = {
            "narrative": self.history.narrative_cues,
            "core": self.history.core_cues,
            "background": self.history.background_cues,
            "story_marks": self.history.story_marks,
            "background_marks": self.history.background_marks,
            "openings": self.examination.openings,
            "placeholders": self.placeholders.words,
            "no_examination": self.placeholders.no_examination,
            "no_visit": self.placeholders.no_visit,
            "at_a_distance": self.placeholders.at_a_distance,
            "procedures": self.plan.procedures,
            "denied": self.plan.denied,
            "tentative": self.plan.tentative,
            "future": self.plan.future,
            "ordered": self.plan.ordered,
            "consent": self.reports.consent,
            "plan_headings": self.plan.headings,
            "area_labels": self.plan.area_labels,
        }
        lists |= {f"system:{name}": words for name, words in self.examination.systems.items()}
        lists |= {f"sign:{name}": words for name, words in self.examination.signs.items()}
        return {name: Phrases(words) for name, words in lists.items()}


def load_elements(models_dir: Path) -> ElementRules:
    """The rules of `models/elements.toml`. Raises CatalogError."""
    return read_toml(models_dir / "elements.toml", ElementRules)
