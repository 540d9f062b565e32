"""What is known of each document type: its code, and the words that it is recognised by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import Field

from pipeline.catalog.pages import PageRules, load_pages
from pipeline.catalog.toml import Entry, read_toml
from pipeline.errors import CatalogError
from pipeline.spelling import Phrases


class Loinc(Entry):
    """A LOINC document code."""

    code: str = Field(pattern=r"^\d{1,6}-\d$")
    display: str


class Cue(Entry):
    """Phrases that speak for a type (or against it, with a negative weight), each counted once.

    `most` bounds what they give together. With `whole`, a title counts only where a cell says nothing else.
    """

    weight: float
    phrases: tuple[str, ...] = Field(min_length=1)
    most: float = Field(default=1000.0, gt=0)
    whole: bool = False


class TitlePair(Entry):
    """A title made of two near words, one of each list, in either order ("Prior approval slip")."""

    weight: float
    one: tuple[str, ...] = Field(min_length=1)
    other: tuple[str, ...] = Field(min_length=1)


class Shape(Entry):
    """Things on a page that are no fixed words, by their names in `models/shapes.toml`."""

    weight: float
    shapes: tuple[str, ...] = Field(min_length=1)


class DocumentType(Entry):
    """One file of `models/documents/`; its name is the file's.

    `titles` and `title_pairs` name the document at the head of a page, `headings` stand at the start
    of a line or a cell, `phrases` anywhere. `prior` is added to every score; `visit_note` marks the
    types that share their headings (history, examination, plan) and are told apart by how the visit
    came about. `announced` is what a list of enclosures calls the document.
    """

    title: str
    loinc: Loinc | None = None
    prior: float = 0.0
    visit_note: bool = False
    announced: tuple[str, ...] = ()
    titles: tuple[Cue, ...] = ()
    title_pairs: tuple[TitlePair, ...] = ()
    shapes: tuple[Shape, ...] = ()
    headings: tuple[Cue, ...] = ()
    phrases: tuple[Cue, ...] = ()


@dataclass(frozen=True)
class DocumentTypes:
    """All document types by name, and what is known of pages whatever their type."""

    types: Mapping[str, DocumentType]
    pages: PageRules

    def __iter__(self) -> Iterator[str]:
        return iter(self.types)

    def __getitem__(self, name: str) -> DocumentType:
        return self.types[name]

    def loinc(self, name: str) -> str | None:
        """The LOINC code of a type, None where there is none."""
        loinc = self.types[name].loinc
        return loinc.code if loinc else None

    @cached_property
    def titles(self) -> Phrases:
        return Phrases(
            phrase for type in self.types.values() for cue in type.titles for phrase in cue.phrases
        )

    @cached_property
    def pair_words(self) -> Phrases:
        """The words of all title pairs."""
        pairs = (pair for type in self.types.values() for pair in type.title_pairs)
        return Phrases(word for pair in pairs for word in (*pair.one, *pair.other))

    @cached_property
    def headings(self) -> Phrases:
        return Phrases(
            phrase for type in self.types.values() for cue in type.headings for phrase in cue.phrases
        )

    @cached_property
    def phrases(self) -> Phrases:
        return Phrases(
            phrase for type in self.types.values() for cue in type.phrases for phrase in cue.phrases
        )


def load_documents(models_dir: Path) -> DocumentTypes:
    """The types of `models/documents/`. Raises CatalogError where a file is wrong or `other` is missing."""
    folder = models_dir / "documents"
    types = {path.stem: read_toml(path, DocumentType) for path in sorted(folder.glob("*.toml"))}
    if "other" not in types:
        raise CatalogError(f"{folder} has no other.toml.", next_step="Restore it or set TRIAGE_MODELS_DIR.")
    pages = load_pages(models_dir)
    for name, type in types.items():
        if unknown := {shape for cue in type.shapes for shape in cue.shapes} - pages.shapes.keys():
            raise CatalogError(
                f"{folder / name}.toml names unknown shapes: {', '.join(sorted(unknown))}.",
                next_step="Name shapes of models/shapes.toml.",
            )
    return DocumentTypes(types, pages)
