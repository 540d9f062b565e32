"""What is known of how papers name their author and the specialty (`models/authors.toml`)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from pydantic import Field

from pipeline.catalog.identity import NameRules, load_identity
from pipeline.catalog.toml import Entry, read_toml
from pipeline.spelling import Phrases


class AuthorLabels(Entry):
    """Labels in front of a name, by how surely it is the author's; `specialty` heads a specialty."""

    signed: tuple[str, ...] = Field(min_length=1)
    wrote: tuple[str, ...]
    heads: tuple[str, ...]
    others: tuple[str, ...]
    specialty: tuple[str, ...]


class WithoutAuthor(Entry):
    """Document types that have no author of their own."""

    types: frozenset[str]


class Specialty(Entry):
    """A specialty by the words that name it or who practises it; `short` count as they are written."""

    name: str
    words: tuple[str, ...] = Field(min_length=1)
    short: tuple[str, ...] = ()


class AuthorFile(Entry):
    """The whole of `models/authors.toml`."""

    labels: AuthorLabels
    without_author: WithoutAuthor
    specialty: tuple[Specialty, ...] = Field(min_length=1)


class AuthorRules(AuthorFile):
    """All that `pipeline.authors` knows."""

    names: NameRules

    @cached_property
    def ranks(self) -> dict[str, int]:
        """How surely the author's name follows each label: 3 signed, 2 wrote, 1 heads, 0 somebody else's."""
        lists = (self.labels.others, self.labels.heads, self.labels.wrote, self.labels.signed)
        return {label: rank for rank, labels in enumerate(lists) for label in labels}

    @cached_property
    def phrases(self) -> Phrases:
        return Phrases(self.ranks)

    @cached_property
    def named(self) -> re.Pattern[str]:
        """A specialty where a text names one, the longest at its place."""
        return re.compile(rf"(?<![\w-])(?:(?i:{_any(self._words)})|{_any(self._short)})(?![\w-])")

    def specialty_of(self, words: str) -> str:
        """The specialty that `words`, as `named` found them, mean."""
        plain = " ".join(words.split())
        return self._short.get(plain) or self._words[plain.lower()]

    @cached_property
    def _words(self) -> dict[str, str]:
        return {word: specialty.name for specialty in self.specialty for word in specialty.words}

    @cached_property
    def _short(self) -> dict[str, str]:
        return {word: specialty.name for specialty in self.specialty for word in specialty.short}


def _any(words: Iterable[str]) -> str:
    longest_first = sorted(words, key=len, reverse=True)
    return "|".join(r"[ ]+".join(map(re.escape, word.split())) for word in longest_first)


def load_authors(models_dir: Path) -> AuthorRules:
    """`models/authors.toml`, with what `models/identity.toml` knows of names. Raises CatalogError."""
    file = read_toml(models_dir / "authors.toml", AuthorFile)
    return AuthorRules(**dict(file), names=load_identity(models_dir).names)
