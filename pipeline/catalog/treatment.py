"""What a packet says about the treatment that is asked for: `models/treatment.toml`.

Terms are words as they are written; `pipeline.findings.phrases` says how they are matched.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.catalog.toml import Entry, read_toml


class Modality(Entry):
    """One way of destroying a tumour. `codes` are CPT codes that mean this modality and no other;
    `short` are abbreviations that count only beside a tick box or a procedure label."""

    name: str
    terms: tuple[str, ...]
    short: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()


class Procedures(Entry):
    """Which procedure is asked for. `neutral_codes` name an organ but no modality; `setback` are
    cues that a modality in the same clause is not the one that is asked for."""

    modalities: tuple[Modality, ...]
    neutral_codes: tuple[str, ...]
    labels: tuple[str, ...]
    setback: tuple[str, ...]
    comparison: tuple[str, ...]


class Regions(Entry):
    """Where a text says what will be done: by document type and by section of a note.

    A paper of `disguised_documents` is a plan where its title has a word of `plan_titles` and it has
    several rows labelled with `plan_rows` and none with `form_rows`."""

    plan_documents: tuple[str, ...]
    note_documents: tuple[str, ...]
    board_documents: tuple[str, ...]
    letter_documents: tuple[str, ...]
    form_documents: tuple[str, ...]
    cover_documents: tuple[str, ...]
    consent_documents: tuple[str, ...]
    silent_documents: tuple[str, ...]
    plan_sections: tuple[str, ...]
    assessment_sections: tuple[str, ...]
    background_sections: tuple[str, ...]
    disguised_documents: tuple[str, ...]
    plan_titles: tuple[str, ...]
    plan_rows: tuple[str, ...]
    form_rows: tuple[str, ...]
    weights: dict[str, int]


class Area(Entry):
    """The phrase that says what is treated. `labels` are known names of its line. Of any other label
    the words decide: `label_treat` speak of treating, `label_strong` of an area, `label_fair` of a
    lesion or place, `label_other` of something else. `lesions` are words for a lesion, `places` words
    that are narrower than an organ, `organs` words for an organ alone, `margins` say how far around,
    `aims` what is to be reached, `naming` words that still name the procedure. A value of `blank`, or a short
    one with words of `unfilled`, says nothing; `purpose` and `technique` end what is treated."""

    labels: tuple[str, ...]
    label_treat: tuple[str, ...]
    label_strong: tuple[str, ...]
    label_fair: tuple[str, ...]
    label_other: tuple[str, ...]
    margins: tuple[str, ...]
    aims: tuple[str, ...]
    lesions: tuple[str, ...]
    places: tuple[str, ...]
    organs: tuple[str, ...]
    sides: tuple[str, ...]
    whole: tuple[str, ...]
    blank: tuple[str, ...]
    unfilled: tuple[str, ...]
    purpose: tuple[str, ...]
    technique: tuple[str, ...]
    naming: tuple[str, ...]


class Intent(Entry):
    """Cues of curative and palliative intent and what makes them speak of something else."""

    labels: tuple[str, ...]
    curative: tuple[str, ...]
    palliative: tuple[str, ...]
    denial: tuple[str, ...]
    other_subject: tuple[str, ...]
    condition: tuple[str, ...]
    anchors: tuple[str, ...]


class Airway(Entry):
    """Cues of a central airway obstructing lesion, documented as there or as not there."""

    airways: tuple[str, ...]
    obstruction: tuple[str, ...]
    clear: tuple[str, ...]
    none_of: tuple[str, ...]
    denial: tuple[str, ...]
    not_stated: tuple[str, ...]
    question: tuple[str, ...]


class Nodes(Entry):
    """Words for involved and uninvolved regional nodes where no N category is stated."""

    negative: tuple[str, ...]
    pathology_negative: tuple[str, ...]
    pathology_positive: tuple[str, ...]


class Treatment(Entry):
    """All of `models/treatment.toml`."""

    procedures: Procedures
    regions: Regions
    area: Area
    intent: Intent
    airway: Airway
    nodes: Nodes


def load_treatment(models_dir: Path) -> Treatment:
    """The treatment knowledge under `models_dir`. Raises CatalogError."""
    return read_toml(models_dir / "treatment.toml", Treatment)
