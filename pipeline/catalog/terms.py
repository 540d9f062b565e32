"""The dictionary: sites, histologies and abbreviations (files of those names in `models/`)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from pipeline.catalog.toml import Entry, read_toml
from pipeline.errors import CatalogError

SiteName = Literal[
    "kidney",
    "prostate",
    "lung",
    "breast",
    "bone",
    "pancreas",
    "liver",
    "skin",
    "uvea",
    "cervix",
    "soft_tissue",
    "adrenal",
    "thyroid",
    "head_neck",
    "esophagus",
    "brain",
    "lymph_node",
    "bladder",
    "colorectal",
    "stomach",
    "pleura",
    "testis",
    "bile_duct",
    "ovary",
    "uterus",
    "other",
]
Behavior = Literal["malignant", "benign", "premalignant", "uncertain"]
Side = Literal["left", "right"]


class SiteEntry(Entry):
    """One tumour site and the words for it; see the head of `sites.toml`."""

    name: SiteName
    display: str
    icdo3: str = Field(pattern=r"^C\d{2}\.\d$")
    paired: bool = False
    words: tuple[str, ...] = Field(min_length=1)
    weak: tuple[str, ...] = ()
    contextual: tuple[str, ...] = ()
    procedures: tuple[str, ...] = ()
    sides: dict[str, Side] = Field(default_factory=dict)
    parts: dict[str, str] = Field(default_factory=dict)


class Sites(Entry):
    """All sites, and phrases that hold an organ's word without naming a site."""

    site: tuple[SiteEntry, ...]
    look_alikes: tuple[str, ...] = ()


class Histology(Entry):
    """One histology; see the head of `histologies.toml`."""

    name: str
    synonyms: tuple[str, ...] = ()
    behavior: Behavior
    icdo3: str = Field(pattern=r"^\d{4}/\d$")
    site: SiteName | None = None
    likely: tuple[SiteName, ...] = ()
    lung_type: Literal["nsclc", "sclc"] | None = None
    generic: bool = False


class Histologies(Entry):
    """All histologies; a name or synonym belongs to one of them, the first in the file."""

    histology: tuple[Histology, ...]


class Abbreviation(Entry):
    """A short form; see the head of `abbreviations.toml`."""

    short: tuple[str, ...] = Field(min_length=1)
    means: str
    needs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    exact: bool = True
    unit: bool = False


class Misspelt(Entry):
    """Which words are known with one character wrong: those with the `endings` and the words of `also`, from
    `shortest` characters on; `own_words` are words themselves."""

    shortest: int = Field(ge=6)
    endings: tuple[str, ...] = Field(min_length=1)
    also: frozenset[str] = frozenset()
    own_words: frozenset[str] = frozenset()


class Abbreviations(Entry):
    """Abbreviations, other spellings of single words, and words that are known misspelt."""

    abbreviation: tuple[Abbreviation, ...]
    spelling: dict[str, str] = Field(default_factory=dict)
    misspelt: Misspelt


class Terms(Entry):
    """Everything that the dictionary matcher knows."""

    sites: Sites
    histologies: Histologies
    abbreviations: Abbreviations

    @model_validator(mode="after")
    def _check(self) -> Terms:
        known = {word.lower() for site in self.sites.site for word in site.words}
        for histology in self.histologies.histology:
            known.update(word.lower() for word in (histology.name, *histology.synonyms))
        unknown = [entry.means for entry in self.abbreviations.abbreviation if entry.means not in known]
        if unknown:
            raise ValueError(f"abbreviations mean unknown terms: {', '.join(unknown)}")
        return self


def load_terms(models_dir: Path) -> Terms:
    """The three dictionary files, checked against one another. Raises CatalogError."""
    try:
        return _read(models_dir)
    except ValidationError as error:
        problems = "; ".join(problem["msg"] for problem in error.errors())
        raise CatalogError(
            f"{models_dir / 'abbreviations.toml'}: {problems}.", next_step="Correct the named entries."
        ) from error


def _read(models_dir: Path) -> Terms:
    return Terms(
        sites=read_toml(models_dir / "sites.toml", Sites),
        histologies=read_toml(models_dir / "histologies.toml", Histologies),
        abbreviations=read_toml(models_dir / "abbreviations.toml", Abbreviations),
    )
