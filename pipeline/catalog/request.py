"""What is known of how requests state their codes (`models/request.toml`)."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import Field

from pipeline.catalog.toml import Entry, read_toml
from pipeline.spelling import Phrases


class ProcedureCodes(Entry):
    """See the file for what the keys mean."""

    labels: tuple[str, ...] = Field(min_length=1)
    known: tuple[str, ...]
    not_requested: tuple[str, ...]
    corrections: tuple[str, ...]


class DiagnosisCodes(Entry):
    """See the file for what the keys mean."""

    labels: tuple[str, ...] = Field(min_length=1)
    not_requested: tuple[str, ...]
    three_characters: frozenset[str]


class Urgency(Entry):
    """Words of an expedited and of a standard review, and the labels they may follow."""

    yes: tuple[str, ...] = Field(min_length=1)
    no: tuple[str, ...]
    labels: tuple[str, ...]


class Attachments(Entry):
    """Labels of a list of the papers that are sent along."""

    labels: tuple[str, ...] = Field(min_length=1)


class RequestRules(Entry):
    """All that `pipeline.request` knows."""

    sources: tuple[str, ...] = Field(min_length=1)
    cpt: ProcedureCodes
    icd10: DiagnosisCodes
    expedited: Urgency
    attachments: Attachments

    @cached_property
    def cpt_labels(self) -> Phrases:
        return Phrases(self.cpt.labels)

    @cached_property
    def cpt_not_requested(self) -> Phrases:
        return Phrases(self.cpt.not_requested)

    @cached_property
    def corrections(self) -> Phrases:
        return Phrases(self.cpt.corrections)

    @cached_property
    def icd10_labels(self) -> Phrases:
        return Phrases(self.icd10.labels)

    @cached_property
    def icd10_not_requested(self) -> Phrases:
        return Phrases(self.icd10.not_requested)

    @cached_property
    def attached(self) -> Phrases:
        return Phrases(self.attachments.labels)

    @cached_property
    def urgency(self) -> Phrases:
        return Phrases((*self.expedited.yes, *self.expedited.no))


def load_request(models_dir: Path) -> RequestRules:
    """The rules of `models/request.toml`. Raises CatalogError."""
    return read_toml(models_dir / "request.toml", RequestRules)
