"""How much each statement of one text counts (`models/one_text.toml`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from pipeline.catalog.expressions import Expression
from pipeline.catalog.sections import load_sections
from pipeline.catalog.toml import Entry, read_toml
from pipeline.domain import Assertion
from pipeline.errors import CatalogError


class SiteWeights(Entry):
    """How much a statement says about where the tumour of a text is; see the head of the file."""

    section: Mapping[str, float]
    other_section: float
    assertion: Mapping[Assertion, float]
    strength: Mapping[Literal["weak", "contextual", "procedure"], float]
    implied: float
    resolved: float
    metastatic: float
    beside: float
    labelled: float
    node: float
    outweighs: float
    labels: Expression
    questions: frozenset[str]

    @model_validator(mode="after")
    def _check(self) -> SiteWeights:
        if missing := set(Assertion) - set(self.assertion):
            raise ValueError(f"assertion has no weight of {', '.join(sorted(missing))}")
        return self

    def of_section(self, name: str) -> float:
        """The weight of a section."""
        return self.section.get(name, self.other_section)

    def of_strength(self, strength: str) -> float:
        """The weight of an organ word of this strength; 1 for a word that means the organ itself."""
        return next((weight for name, weight in self.strength.items() if name == strength), 1.0)


class StageWeights(Entry):
    """How much a stated category counts."""

    section: Mapping[str, float]
    other_section: float
    basis: Mapping[str, float]
    hedged: float
    not_assessed: float


class OneText(Entry):
    """What one text is about, and which stage it gives."""

    site: SiteWeights
    stage: StageWeights


def load_one_text(models_dir: Path) -> OneText:
    """`models/one_text.toml`. Raises CatalogError, also for a section that `sections.toml` has not."""
    path = models_dir / "one_text.toml"
    rules = read_toml(path, OneText)
    known = {rule.name for rule in load_sections(models_dir).section} | {"preamble"}
    named = {*rules.site.section, *rules.site.questions, *rules.stage.section}
    if unknown := named - known:
        raise CatalogError(
            f"{path} names sections that are not in sections.toml: {', '.join(sorted(unknown))}.",
            next_step="Correct the names.",
        )
    return rules
