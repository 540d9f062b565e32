"""Matching the terms of knowledge files in untouched text, and the units in which text is read.

Every function gives offsets into the text as it stands; nothing is cleaned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_SENTENCE_END = re.compile(
    r"""
      (?<!\bDr)(?<!\bvs)(?<!\bapprox)(?<!\bNo)(?<!\bMr)(?<!\bMs)(?<!\bSt)(?<!\bhx)(?<!\bw/o)
      (?<=[^\s.])[.!](?=\s|$)              # a full stop that no known abbreviation ends with, no leader
    | (?<=\S)\?(?=\s|$)(?![ \t]*(?:\.{2,}|[\[(:☐☒☑]|[ \t]{2,}\S))   # a question, its answer not beside it
    | ;(?=\s)
    | \n[ \t]*\n                           # a blank line
    | \n(?=[ \t]*(?:[-*•]|\(?\d{1,2}[.)])[ \t])      # the next list item
    | \n(?=[ \t]*[A-Z][A-Za-z/&() ]{1,28}\??(?::|[ \t]{2,}|[ ]?\.{3,}))   # the next labelled line
    | \n(?=[ \t]*[A-Za-z][\w/&()',+\-]*(?:[ ][\w/&()',+\-]+){0,6}\??(?:[ ]?\.{3,}|[ \t]{3,}\S)) # a table row
    """,
    re.VERBOSE,
)


@lru_cache(maxsize=512)
def terms(words: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern for `words`: whole words, any case, any blank or hyphen between words.

    `*` ends a term of varying ending or starts one of varying beginning, a leading `=` keeps the
    letter case. Longer terms win.
    """
    ordered = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(_pattern, ordered))})(?!\w)", re.IGNORECASE)


def _pattern(term: str) -> str:
    exact = term.startswith("=")
    parts = re.split(r"[\s-]+", term.removeprefix("="))
    body = r"[\s-]*".join(_word(part) for part in parts) if "-" in term else r"[\s-]+".join(map(_word, parts))
    return f"(?-i:{body})" if exact else body


def _word(part: str) -> str:
    return re.escape(part).replace(r"\*", r"\w*")


def find(words: tuple[str, ...], text: str, start: int = 0, end: int | None = None) -> list[re.Match[str]]:
    """All matches of `words` in `text[start:end]`, none for an empty list of words."""
    if not words:
        return []
    return list(terms(words).finditer(text, start, len(text) if end is None else end))


def holds(words: tuple[str, ...], text: str, start: int = 0, end: int | None = None) -> bool:
    """Whether one of `words` stands in `text[start:end]`."""
    return bool(words) and terms(words).search(text, start, len(text) if end is None else end) is not None


def clause(text: str, start: int, end: int) -> tuple[int, int]:
    """The sentence or list item around `text[start:end]`, without white space around it."""
    left, right = 0, len(text)
    window = max(0, start - 600)
    for match in _SENTENCE_END.finditer(text, window, start):
        left = match.end()
    after = _SENTENCE_END.search(text, end, min(len(text), end + 600))
    if after:
        right = after.start()
    left = max(left, window) if left else (window if window else 0)
    right = min(right, end + 600)
    words = text[left:right]
    return left + len(words) - len(words.lstrip()), right - len(words) + len(words.rstrip())


def clauses(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The sentences and list items of `text[start:end]` in order."""
    found, position = [], start
    for match in [*_SENTENCE_END.finditer(text, start, end), None]:
        stop = match.start() if match else end
        words = text[position:stop]
        if words.strip():
            left = position + len(words) - len(words.lstrip())
            found.append((left, left + len(words.strip())))
        position = match.end() if match else end
    return found


def joined(parts: Iterable[str]) -> str:
    """Words of several lines as one phrase."""
    return " ".join(" ".join(parts).split())
