"""What lines and shapes say of a page's place among others (`models/pages.toml`, `models/shapes.toml`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from pydantic import Field, RootModel, field_validator

from pipeline.catalog.identity import load_identity
from pipeline.catalog.toml import Entry, read_toml

# What stands behind a word that heads a part of a note: its colon, a number, a gap, the end of the line.
_BEHIND_HEADING = r"\s*(?:[:.(]|\d|\s{2}|$)"


class FirstPage(Entry):
    """How a document opens, the lines that head it, and what tells it from another of its kind."""

    opening: tuple[str, ...] = Field(min_length=1)
    headed: tuple[str, ...] = Field(min_length=1)
    own: tuple[str, ...] = Field(min_length=1)


class LaterPage(Entry):
    """What stands only further inside a document."""

    inside: tuple[str, ...] = Field(min_length=1)


class LastPage(Entry):
    """How a document ends."""

    closing: tuple[str, ...] = Field(min_length=1)


class Days(Entry):
    """Labels of the day of service, and of a birth date."""

    service: tuple[str, ...] = Field(min_length=1)
    birth: tuple[str, ...] = Field(min_length=1)


class Count(Entry):
    """How a cover sheet says how many pages were sent."""

    labels: tuple[str, ...] = Field(min_length=1)
    without_cover: tuple[str, ...]


class Reference(Entry):
    """How a note refers to a paper that is with it."""

    words: tuple[str, ...] = Field(min_length=1)


class PageFile(Entry):
    """The whole of `models/pages.toml`."""

    first_page: FirstPage
    later_page: LaterPage
    last_page: LastPage
    dates: Days
    count: Count
    reference: Reference


class Shape(Entry):
    """A thing on a page that is no fixed word: see the head of `models/shapes.toml`."""

    pattern: str
    least: int = Field(default=1, gt=0)
    exact_case: bool = False

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern, re.VERBOSE)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        return pattern

    @cached_property
    def expression(self) -> re.Pattern[str]:
        return re.compile(
            self.pattern, re.VERBOSE | re.MULTILINE | (re.NOFLAG if self.exact_case else re.IGNORECASE)
        )

    def stands_in(self, text: str) -> bool:
        """Whether it stands in the text as often as it must."""
        matches = self.expression.finditer(text)
        return all(next(matches, None) is not None for _ in range(self.least))


class Shapes(RootModel[Mapping[str, Shape]]):
    """All shapes by name."""


class PageRules(PageFile):
    """All that the stages know of pages; every expression is matched against one line."""

    shapes: Mapping[str, Shape]
    credentials: tuple[str, ...]

    @cached_property
    def opens(self) -> re.Pattern[str]:
        return _compiled(rf"^\s*(?:{_any(self.first_page.opening)})")

    @cached_property
    def is_headed(self) -> re.Pattern[str]:
        return _compiled(rf"\b(?:{_any(self.first_page.headed)})")

    @cached_property
    def is_its_own(self) -> re.Pattern[str]:
        return _compiled(rf"^\s*(?:{_any(self.first_page.own)})\s?(?:\#|no\.?|number)?[ .:#]+\S*\d")

    @cached_property
    def is_inside(self) -> re.Pattern[str]:
        return _compiled(rf"^\s*(?:{_any(self.later_page.inside)}|\d{{1,2}}[.)]\s.*){_BEHIND_HEADING}")

    @cached_property
    def closes(self) -> re.Pattern[str]:
        degrees = "|".join(r"\.?".join(map(re.escape, degree)) for degree in self.credentials)
        return _compiled(
            rf"\b(?:{_any(self.last_page.closing)})|^\s*cc:|(?:,|\s)(?:{degrees})\b\.?\s*(?:$|\s{{2}}|\d)"
        )

    @cached_property
    def before_service_day(self) -> re.Pattern[str]:
        return _compiled(rf"\b(?:{_any(self.dates.service)})[^\n\d]{{0,12}}$")

    @cached_property
    def before_birth_date(self) -> re.Pattern[str]:
        return _compiled(rf"\b(?:{_any(self.dates.birth)})[^\n\d]*$")

    @cached_property
    def page_count(self) -> re.Pattern[str]:
        """A cover sheet's count of pages, in the group `behind` or `before` its label."""
        labels = _any(self.count.labels)
        return _compiled(
            rf"\b(?:{labels})[ .:=_#(]*(?P<behind>\d{{1,3}})\b(?!\s?(?:of\b|/|-))"
            rf"|(?<![\d/.-])(?P<before>\d{{1,3}})\s(?:{labels})"
            r"(?=\W{0,3}(?:total|in\ all|incl|with|counting|plus|and))"
        )

    @cached_property
    def refers(self) -> re.Pattern[str]:
        return _compiled(rf"\b(?:{_any(self.reference.words)})")

    @cached_property
    def leaves_out_cover(self) -> re.Pattern[str]:
        return _compiled(rf"(?:{_any(self.count.without_cover)})")


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.MULTILINE)


def _any(words: Iterable[str]) -> str:
    return "|".join(map(_word, sorted(words, key=len, reverse=True)))


def _word(words: str) -> str:
    """A word of the file as an expression: "s:" with its colon, "e-sign*" with any ending."""
    stem = words.removesuffix("*").removesuffix(":")
    expression = r"\s+".join(map(re.escape, stem.split()))
    if words.endswith("*"):
        return expression + r"(?:[^\n]*?)"
    if words.endswith(":"):
        return expression + r"\s?:"
    return expression + (r"\b" if stem[-1].isalnum() else "")


def load_pages(models_dir: Path) -> PageRules:
    """The rules of `models/pages.toml` and `models/shapes.toml`. Raises CatalogError."""
    file = read_toml(models_dir / "pages.toml", PageFile)
    shapes = read_toml(models_dir / "shapes.toml", Shapes).root
    credentials = load_identity(models_dir).names.credentials
    return PageRules(**dict(file), shapes=shapes, credentials=credentials)
