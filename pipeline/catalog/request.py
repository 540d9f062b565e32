"""What is known of how requests state their codes (`models/request.toml`)."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import Field

from pipeline.catalog.identity import NameRules, load_identity
from pipeline.catalog.procedure_codes import ProcedureCodes, load_procedure_codes
from pipeline.catalog.toml import Entry, read_toml
from pipeline.spelling import Phrases


class CodeLines(Entry):
    """Labels and words about procedure codes; see the file for what the keys mean."""

    labels: tuple[str, ...] = Field(min_length=1)
    not_requested: tuple[str, ...]
    corrections: tuple[str, ...]


class DiagnosisLines(Entry):
    """Labels and words about diagnosis codes; see the file for what the keys mean."""

    labels: tuple[str, ...] = Field(min_length=1)
    not_requested: tuple[str, ...]
    three_characters: frozenset[str]
    common_words: frozenset[str]
    sides: dict[str, tuple[str, ...]]
    natures: dict[str, tuple[str, ...]]


class Urgency(Entry):
    """Words of an expedited and of a standard review, and the labels they may follow."""

    yes: tuple[str, ...] = Field(min_length=1)
    no: tuple[str, ...]
    labels: tuple[str, ...]


class Attachments(Entry):
    """Labels of a list of the papers that are sent along."""

    labels: tuple[str, ...] = Field(min_length=1)


class ProviderLabels(Entry):
    """Labels in front of names by what they do, and in front of an NPI; see the file."""

    asks: tuple[str, ...] = Field(min_length=1)
    refers: tuple[str, ...]
    treats: tuple[str, ...]
    others: tuple[str, ...]
    npi: tuple[str, ...] = Field(min_length=1)
    places: frozenset[str]

    @cached_property
    def by_phrase(self) -> dict[str, str]:
        """Label to what its person does."""
        return {
            label: kind for kind in ("asks", "refers", "treats", "others") for label in getattr(self, kind)
        }

    @cached_property
    def phrases(self) -> Phrases:
        return Phrases(self.by_phrase)


class RequestFile(Entry):
    """The whole of `models/request.toml`."""

    sources: tuple[str, ...] = Field(min_length=1)
    descriptions: frozenset[str]
    cpt: CodeLines
    icd10: DiagnosisLines
    expedited: Urgency
    provider: ProviderLabels
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


class RequestRules(RequestFile):
    """All that `pipeline.request` knows."""

    codes: ProcedureCodes
    names: NameRules


def load_request(models_dir: Path) -> RequestRules:
    """The rules of `models/request.toml` and `models/procedure_codes.toml`. Raises CatalogError."""
    file = read_toml(models_dir / "request.toml", RequestFile)
    return RequestRules(
        **dict(file), codes=load_procedure_codes(models_dir), names=load_identity(models_dir).names
    )
