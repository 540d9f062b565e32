"""ICD-10-CM without a network: whether a code exists, whether it is complete, what it stands for.

The home of the package simple-icd-10-cm. Its import builds a tree of the whole classification (2 to 3 s,
200 MB); only its two data files are asked here, in 0.2 s at the first question.
`tests/test_icd10.py` holds the answers against the package's own for every code.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

from pipeline.errors import ConfigurationError

SYSTEM = "ICD-10-CM"
_PACKAGE = "simple_icd_10_cm"
_MEANING = re.compile(r"<name>([A-Z]\d[0-9A-Z][0-9A-Z.]*)</name>\s*<desc>([^<]*)</desc>")
_EDITION = re.compile(r"code-list-(\w+)-(\d{4})")


@dataclass(frozen=True)
class Icd10:
    """One edition of the classification. Codes are asked in capitals, with or without their dot."""

    edition: str
    """Month and year in which it came into force."""
    _codes: frozenset[str]
    _incomplete: frozenset[str]
    _meanings: Mapping[str, str]

    def exists(self, code: str) -> bool:
        """Whether the code, or a category of that name, is in the classification."""
        return code.replace(".", "") in self._codes

    def complete(self, code: str) -> bool:
        """Whether the code can be billed: it exists and no longer code divides it further."""
        return self.exists(code) and code.replace(".", "") not in self._incomplete

    def meaning(self, code: str) -> str:
        """What it stands for in the classification's words; of a code with a seventh character, what the
        code without it does. Empty where the code does not exist."""
        plain = code.replace(".", "")
        if plain not in self._codes:
            return ""
        return self._meanings.get(plain) or self._meanings.get(plain[:6].rstrip("X"), "")

    def like(self, shape: str) -> Iterator[str]:
        """Complete codes, with their dot, of a shape: capitals and digits, `.` for any one character."""
        pattern = re.compile(shape)
        for plain in sorted(filter(pattern.fullmatch, self._codes - self._incomplete)):
            yield plain if len(plain) == 3 else f"{plain[:3]}.{plain[3:]}"


@cache
def load_icd10() -> Icd10:
    """The edition that is installed. Raises ConfigurationError where it is not as the lock file has it."""
    listed, tabular = _data_file("code-list-*.txt"), _data_file("icd10c-tabular-*.xml")
    edition = _EDITION.match(listed.name)
    # A line is a chapter's number, a block ("C00-C14"), a category or a code; what divides a code follows it.
    names = [line for line in listed.read_text("ascii").split() if line[0].isalpha() and "-" not in line]
    # A block of one category has its name ("B20" stands twice) and divides nothing.
    pairs = pairwise(names)
    incomplete = {name for name, following in pairs if following.startswith(name) and following != name}
    meanings = {
        match[1].replace(".", ""): html.unescape(match[2])
        for match in _MEANING.finditer(tabular.read_text("utf-8"))
    }
    return Icd10(
        edition=f"{edition[1]} {edition[2]}" if edition else "unknown",
        _codes=frozenset(names),
        _incomplete=frozenset(incomplete),
        _meanings=meanings,
    )


def nature_of(code: str) -> str | None:
    """`malignant`, `in_situ`, `benign`, `uncertain` or `unspecified`; None of a code of no neoplasm.

    By the blocks of chapter 2 of ICD-10-CM.
    """
    category = code[:3]
    if "C00" <= category <= "C96" or category in ("C4A", "C7A", "C7B"):
        return "malignant"
    for first, last, nature in (
        ("D00", "D09", "in_situ"),
        ("D10", "D36", "benign"),
        ("D37", "D48", "uncertain"),
        ("D49", "D49", "unspecified"),
    ):
        if first <= category <= last:
            return nature
    return None


def _data_file(pattern: str) -> Path:
    spec = find_spec(_PACKAGE)  # finds the package without running it
    folders = spec.submodule_search_locations if spec else None
    found = [path for folder in folders or () for path in Path(folder, "data").glob(pattern)]
    if len(found) != 1:
        raise ConfigurationError(
            "The list of ICD-10-CM codes is not installed as expected.",
            next_step="Install the versions of requirements.lock (`make setup`).",
        )
    return found[0]
