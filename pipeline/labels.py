"""Labelled values on a page: "DOB 02/17/1954", "Member ID ...... XEH 1", "Last name  X   First name  Y"."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from pipeline.spelling import Hit, Phrases, Token


class Labelled(NamedTuple):
    """A label and the room for its value: up to the next label of the line, or the line's end."""

    label: str
    start: int
    end: int


# What parts a label from its value; at least one blank, colon, leader or number sign.
_GAP = re.compile(r"(?:\s?(?:[:#.=|>'’\"]|\bno\b\.?|\(s\)|~+)){0,12}[ \t.:]*", re.IGNORECASE)


def labelled_values(
    text: str,
    tokens: list[Token],
    labels: Phrases,
    *,
    misread: bool,
    sure: Collection[str] = (),
    joined: Collection[str] = (),
) -> Iterator[Labelled]:
    """Every label at the start of a cell, or before a colon, with the room for its value.

    Those in `sure` are labels anywhere where a number follows, those in `joined` anywhere.
    """
    hits = sorted(labels.find(tokens, misread=misread), key=lambda hit: (hit.start, -hit.end))
    kept: list[Hit] = []
    for hit in hits:
        if kept and hit.start < kept[-1].end:  # the longest label at a place
            continue
        numbered = hit.phrase in sure and _NUMBER.match(text, hit.end)
        if _is_label(text, hit.start, hit.end) or numbered or hit.phrase in joined:
            kept.append(hit)
    for index, hit in enumerate(kept):
        line_end = text.find("\n", hit.end)
        line_end = len(text) if line_end < 0 else line_end
        following = kept[index + 1].start if index + 1 < len(kept) else len(text)
        gap = _GAP.match(text, hit.end)
        start = min(gap.end() if gap else hit.end, line_end)
        end = max(start, min(line_end, following))
        yield Labelled(hit.phrase, start, end)


_NUMBER = re.compile(r"\s{0,3}[:#.]?\s{0,3}(?:[A-Za-z]{1,3}-?)?\d|\s?:?\s?[A-Z][a-z]{2,8}\.? \d{1,2},")


def _is_label(text: str, start: int, end: int) -> bool:
    before, after = text[max(0, start - 3) : start], text[end : end + 3]
    opens = (
        not before.strip()
        or before.endswith("  ")
        or before[-1] in "\n([|,;:/"
        or before[-2:-1] in ".,;|:)]\n"
    )
    parted = bool(re.match(r"\s*[:#=.]|\s{2}|\n|$|\s\d|\s[A-Z(]", after)) if after else True
    return (opens and parted) or after.lstrip().startswith((":", "#"))
