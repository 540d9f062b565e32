"""Where a key stands in a TOML file, so that a message can name the line.

`tomllib` forgets positions. This reads no values: it follows table headers, keys and the quotes of
multi-line strings, which is enough for files written one key a line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_ARRAY_TABLE = re.compile(r"\s*\[\[\s*([\w.\"'-]+)\s*\]\]")
_TABLE = re.compile(r"\s*\[\s*([\w.\"'-]+)\s*\]")
_KEY = re.compile(r"\s*([\w\"'-]+(?:\.[\w\"'-]+)*)\s*=\s*")
_QUOTES = ('"""', "'''")

Path = tuple[str | int, ...]


class Places:
    """Line numbers (from 1) of the tables and keys of one TOML text."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {}
        self._starts: dict[Path, int] = {}
        self._read(text.splitlines())

    def line(self, path: Sequence[str | int]) -> int:
        """The line of the key or table at `path`, else of the nearest one around it, else 1."""
        for length in range(len(path), 0, -1):
            line = self._lines.get(tuple(path[:length]))
            if line is not None:
                return line
        return 1

    def line_in_value(self, path: Sequence[str | int], offset: int) -> int:
        """The line on which line `offset` (from 0) of the string at `path` stands."""
        return self._starts.get(tuple(path), self.line(path)) + offset

    def _read(self, lines: Sequence[str]) -> None:
        table: Path = ()
        counts: Counter[Path] = Counter()
        closing = ""
        for number, line in enumerate(lines, start=1):
            if closing:
                closing = "" if closing in line else closing
            elif match := _ARRAY_TABLE.match(line):
                name = self._inside(_split(match[1]), counts)
                table = (*name, counts[name])
                counts[name] += 1
                self._lines[table] = number
            elif match := _TABLE.match(line):
                table = self._inside(_split(match[1]), counts)
                self._lines[table] = number
            elif match := _KEY.match(line):
                key = (*table, *_split(match[1]))
                self._lines[key] = number
                closing = self._value(key, line[match.end() :], number)

    def _value(self, key: Path, rest: str, number: int) -> str:
        """Notes where a multi-line string starts; the quotes that end it, if it is still open."""
        opening = next((quotes for quotes in _QUOTES if rest.startswith(quotes)), "")
        body = rest.removeprefix(opening)
        if not opening or opening in body:
            return ""
        # TOML drops a line break right after the opening quotes.
        self._starts[key] = number if body.strip() else number + 1
        return opening

    @staticmethod
    def _inside(name: Path, counts: Counter[Path]) -> Path:
        """`name` with the index of the array entry that it belongs to: criteria.x → criteria, 3, x."""
        path: Path = ()
        for part in name[:-1]:
            path = (*path, part)
            if counts[path]:
                path = (*path, counts[path] - 1)
        return (*path, name[-1])


def _split(name: str) -> Path:
    return tuple(part.strip("\"'") for part in name.split("."))
