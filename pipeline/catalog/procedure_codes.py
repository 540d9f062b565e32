"""What is known of procedure codes: the organ each is for, by what means (`models/procedure_codes.toml`)."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import Field

from pipeline.catalog.toml import Entry, read_toml
from pipeline.spelling import Phrases

SYSTEM = "CPT"


class CodeRange(Entry):
    """Numbers that belong to one part of the body; no `sites` where the part tells no organ of a tumour."""

    first: str
    last: str
    title: str
    sites: frozenset[str] = frozenset()
    laboratory: bool = False
    """Whether its codes are tests on a specimen and treat nothing."""


class ProcedureCode(Entry):
    """One code; no `sites` where it may be used for any organ, no `way` where it leaves the means open."""

    code: str
    title: str
    sites: frozenset[str] = frozenset()
    way: str | None = None


class CodeFamily(Entry):
    """Codes that differ only in place, size or number of lesions."""

    codes: tuple[str, ...] = Field(min_length=1)
    title: str
    sites: frozenset[str] = frozenset()


class ProcedureCodes(Entry):
    """The whole file."""

    ways: dict[str, tuple[str, ...]]
    range: tuple[CodeRange, ...]
    code: tuple[ProcedureCode, ...]
    family: tuple[CodeFamily, ...]

    @cached_property
    def by_code(self) -> dict[str, ProcedureCode]:
        """Every listed code."""
        listed = {one.code: one for one in self.code}
        for family in self.family:
            for code in family.codes:
                listed[code] = ProcedureCode(code=code, title=family.title, sites=family.sites)
        return listed

    def range_of(self, code: str) -> CodeRange | None:
        """The part of the body of a number of five digits, None where there is no such number."""
        if len(code) != 5 or not code.isdigit():
            return None
        return next((one for one in self.range if one.first <= code <= one.last), None)

    def exists(self, code: str) -> bool:
        """Whether there may be such a code: a listed one, one in a range, four digits and a letter."""
        return code in self.by_code or self.range_of(code) is not None or not code[-1:].isdigit()

    def sites_of(self, code: str) -> frozenset[str]:
        """Organs that the code is for, as far as it tells; none where it tells none."""
        if code in self.by_code:
            return self.by_code[code].sites
        found = self.range_of(code)
        return found.sites if found else frozenset()

    @cached_property
    def way_by_word(self) -> dict[str, str]:
        return {word: way for way, words in self.ways.items() for word in words}

    @cached_property
    def way_words(self) -> Phrases:
        return Phrases(self.way_by_word)


def load_procedure_codes(models_dir: Path) -> ProcedureCodes:
    """`models/procedure_codes.toml`. Raises CatalogError."""
    return read_toml(models_dir / "procedure_codes.toml", ProcedureCodes)
