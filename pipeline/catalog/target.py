"""Which tumour a packet is about: weights, votes and what codes say (`models/target.toml`)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pipeline.catalog.toml import Entry, read_toml

Side = Literal["left", "right", "bilateral"]


class Weights(Entry):
    """How much a statement about the tumour weighs: by document type, adjusted by section."""

    documents: dict[str, int]
    sections: dict[str, int]
    forms: tuple[str, ...]
    alone: int
    """What a document weighs at least where there is no other to believe instead."""


class Votes(Entry):
    """Votes for where the target is; `least` and `clear` say when they are an answer."""

    area_first: float
    area_other: float
    plan_line: float
    plan_sentence: float
    code_cpt: float
    code_icd_first: float
    code_icd_other: float
    code_icd_secondary: float
    form: float
    diagnosis: float
    least: float
    clear: float


class Words(Entry):
    """Words that tie a statement to one of several lesions, or to another time."""

    metastatic: tuple[str, ...]
    primary: tuple[str, ...]
    origin_of: tuple[str, ...]
    superseded: tuple[str, ...]
    restaged: tuple[str, ...]
    history: tuple[str, ...]
    hedges: tuple[str, ...]
    denied_after: tuple[str, ...]
    becoming: tuple[str, ...]
    becoming_after: tuple[str, ...]
    unproven: tuple[str, ...]
    other_stage: tuple[str, ...]
    broad: tuple[str, ...]
    midline: tuple[str, ...]
    whole: tuple[str, ...]


class TargetSites(Entry):
    """What holds for a site: metastases common there, no side, two halves of one organ, nodes to be felt."""

    often_metastatic: tuple[str, ...]
    unpaired: tuple[str, ...]
    halves: tuple[str, ...]
    palpable_nodes: tuple[str, ...]


class TargetRules(Entry):
    """All of `models/target.toml`."""

    weights: Weights
    votes: Votes
    cpt: dict[str, str]
    cpt_ranges: dict[str, str]
    icd10: dict[str, str]
    icd10_secondary: dict[str, str]
    icd10_sides: tuple[str, ...]
    lung_types: dict[Literal["nsclc", "sclc"], tuple[str, ...]]
    words: Words
    sites: TargetSites

    def site_of_cpt(self, code: str) -> str | None:
        """The organ that a CPT code names, None where it names none."""
        if code in self.cpt:
            return self.cpt[code]
        for span, site in self.cpt_ranges.items():
            first, last = span.split("-")
            if first <= code <= last and len(code) == len(first):
                return site
        return None

    def site_of_icd10(self, code: str) -> tuple[str, bool] | None:
        """(organ, whether it is a metastasis there) of a diagnosis code, None where it names no tumour."""
        for table, secondary in ((self.icd10_secondary, True), (self.icd10, False)):
            prefixes = [prefix for prefix in table if code.startswith(prefix)]
            if prefixes:
                return table[max(prefixes, key=len)], secondary
        return None

    def side_of_icd10(self, code: str) -> Side | None:
        """The side that the last digit of a code tells, None where it tells none."""
        if not any(code.startswith(prefix) for prefix in self.icd10_sides):
            return None
        sides: dict[str, Side] = {"1": "right", "2": "left"}
        return sides.get(code[-1]) if "." in code and len(code) > 4 else None


def load_target(models_dir: Path) -> TargetRules:
    """`models/target.toml`. Raises CatalogError."""
    return read_toml(models_dir / "target.toml", TargetRules)
