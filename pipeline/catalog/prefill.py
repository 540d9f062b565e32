"""What the reviewer's form asks beside the policy's findings, and its names (`models/prefill.toml`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from pipeline.catalog.toml import Entry, read_toml

_URL = r"^https?://[^\s/]+(/[^\s/]+)*$"


class IntendedUse(Entry):
    """A code of the form's intended use."""

    system: str
    code: str
    display: str


class FormQuestion(Entry):
    """One question about the patient or the request. `codes` is the code system that answers come from."""

    name: str
    text: str
    kind: Literal["text", "date", "flag", "code"]
    codes: str | None = None
    repeats: bool = False

    @model_validator(mode="after")
    def _check(self) -> FormQuestion:
        if (self.kind == "code") != (self.codes is not None):
            raise ValueError("a code names its code system, and nothing else does")
        return self


class FormGroup(Entry):
    """Questions under one heading; `name` is where the case has their answers."""

    name: Literal["patient", "request"]
    title: str
    questions: tuple[FormQuestion, ...] = Field(min_length=1)


class FindingTitles(Entry):
    """Headings of the findings that the policy turns on, and of the others."""

    turns: str
    others: str


class ElementTitles(Entry):
    """Heading of a required document; `{title}` is the policy's name for it."""

    title: str


class PrefillRules(Entry):
    """`models/prefill.toml`."""

    canonical: str = Field(pattern=_URL)
    user_system: str
    intended_use: IntendedUse
    systems: Mapping[str, str]
    groups: tuple[FormGroup, ...]
    findings: FindingTitles
    elements: ElementTitles

    def url(self, kind: str, name: str) -> str:
        """A canonical URL of our own: `url("StructureDefinition", "evidence")`."""
        return f"{self.canonical}/{kind}/{name}"


def load_prefill(models_dir: Path) -> PrefillRules:
    """The form's rules. Raises CatalogError."""
    return read_toml(models_dir / "prefill.toml", PrefillRules)
