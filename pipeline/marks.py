"""Tick boxes and answered questions: what a form or an order says by a mark."""

from __future__ import annotations

import re

_BOX = re.compile(
    r"""[\[({|][ \t]*(?P<mark>[xX✓✔*■]|[ _]|)[ \t]*[\])}|]      # [X], ( ), {x}, |_|
      | (?P<empty>☐|□) | (?P<ticked>☒|☑|✓|✔)
      | (?<!\w)_{2,4}(?!_)(?=\s?[A-Za-z])                     # a short line to write a mark on
    """,
    re.VERBOSE,
)
_ANSWER = re.compile(
    r"""[\s:?.=-]*(?:
        (?P<ringed>(?:yes|y)[ \t/]*\([ \t]*(?:no|n)[ \t]*\) | \([ \t]*(?:yes|y)[ \t]*\)[ \t/]*(?:no|n)\b)
      | (?P<yes>\b(?:yes|y)\b(?![ \t]*[\]\[/]))
      | (?P<no>\b(?:no|n|none|neg|negative|denied|absent)\b(?![ \t]*[\]\[/]))
      | (?P<boxes>[\[(].*)
      )""",
    re.VERBOSE | re.IGNORECASE,
)
_YES_OR_NO = re.compile(r"[ \t]*(?:yes|y|no|n)\b[ \t]*\S", re.IGNORECASE)
_BOXED = re.compile(
    r"""(?:[\[(][ \t]*(?P<mark>[xX✓✔]|[ _]?)[ \t]*[\])]|(?P<empty>☐|□)|(?P<ticked>☒|☑))   # a box
        [ \t]*(?P<word>yes|y|no|n)\b                                                    # and its word
      | \b(?P<before>yes|y|no|n)[ \t]*[\[(][ \t]*(?P<mark2>[xX✓✔])[ \t]*[\])]            # or the word first
    """,
    re.VERBOSE | re.IGNORECASE,
)


# A mark and its words stand at most so far apart, in characters.
_REACH = 200


def line_of(text: str, offset: int) -> tuple[int, int]:
    """(start, end) of the line on which `offset` stands."""
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    return start, len(text) if end < 0 else end


def ticked(text: str, start: int) -> bool | None:
    """Whether the choice that `start` belongs to is ticked: its box stands before it on its line.

    None where no box stands before it. A box belongs to the words up to the next box or column gap
    of three blanks behind other words; that of an answer to its yes or no only.
    """
    line_start, _ = line_of(text, start)
    last: re.Match[str] | None = None
    for match in _BOX.finditer(text, max(line_start, start - _REACH), start):
        last = match
    if last is None:
        return None
    between = text[last.end() : start]
    if re.search(r"\S[ \t]{3,}", between) or _YES_OR_NO.match(between):
        return None
    if last["ticked"]:
        return True
    if last["empty"] or last["mark"] is None:
        return False
    return last["mark"].strip(" _") != ""


def choice_around(text: str, start: int) -> tuple[int, int] | None:
    """(start, end) of the ticked or unticked choice that `start` stands in: behind its box, up to the next
    box of the line. None where no box stands before it."""
    if ticked(text, start) is None:
        return None
    line_start, line_end = line_of(text, start)
    before = [box.end() for box in _BOX.finditer(text, max(line_start, start - _REACH), start)]
    behind = _BOX.search(text, start, line_end)
    return before[-1], behind.start() if behind else line_end


def answer_after(text: str, end: int) -> bool | None:
    """The answer to a printed question that ends at `end`: yes, no, or None where none is readable.

    Reads `... ? no`, `... ....... Y`, `[X] Yes  [ ] No`, `Y (N)` on the rest of the line.
    """
    _, line_end = line_of(text, end)
    rest = text[end : min(line_end, end + _REACH)]
    match = re.match(r"[^\[(\n?:]{0,40}?(?=\?|:|\.{2,}|[ \t]{2,}|[\[(☐☒☑])", rest)
    if match is None:
        return None
    found = _ANSWER.match(rest, match.end())
    if found is None:
        return None
    if found["ringed"]:
        return found["ringed"].startswith("(")
    if found["yes"]:
        return True
    if found["no"]:
        return False
    return _boxed_answer(rest[match.end() :])


def _boxed_answer(words: str) -> bool | None:
    chosen = set()
    for match in _BOXED.finditer(words):
        word = (match["word"] or match["before"]).lower()
        mark = match["mark2"] or match["mark"] or match["ticked"]
        if mark and mark.strip(" _"):
            chosen.add(word[0] == "y")
    return chosen.pop() if len(chosen) == 1 else None
