"""A reply and the submission that it answers as one, and what of the request it answers.

Nothing of either is left out: all files, all pages, as they were read. What names a page twice (a file of
the reply with the name of an earlier one) is told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Literal

from pipeline.domain import Page, Problem, Reading, Submission
from pipeline.information_request.record import InformationRequest
from pipeline.pages.duplicates import mark_duplicates


def joined(
    original: tuple[Submission, Reading], reply: tuple[Submission, Reading]
) -> tuple[Submission, Reading]:
    """One submission with the files of both, under the id of the original; a file that both have, once.

    Pages of the reply that repeat earlier ones are marked as such, as inside one submission.
    """
    first, read = original
    second, read_second = reply
    known = {file.sha256 for file in first.files}
    names = _new_names(first, second)
    files = tuple(replace(file, name=names[file.name]) for file in second.files if file.sha256 not in known)
    kept = {file.name for file in second.files if file.sha256 not in known}
    pages = (*read.pages, *(_renamed(page, names) for page in read_second.pages if page.file in kept))
    problems = (*read.problems, *_problems(read_second.problems, names, kept))
    counts = {**read.page_counts, **{names[name]: read_second.page_counts.get(name, 0) for name in kept}}
    return (
        replace(first, files=(*first.files, *files)),
        Reading(tuple(mark_duplicates(pages)), problems, counts),
    )


def _new_names(first: Submission, second: Submission) -> Mapping[str, str]:
    """A name for each file of the second that none of the first has."""
    used, names = {file.name for file in first.files}, dict[str, str]()
    for file in second.files:
        name, number = file.name, 2
        while name in used:
            name = f"{PurePath(file.name).stem} ({number}){PurePath(file.name).suffix}"
            number += 1
        used.add(name)
        names[file.name] = name
    return names


def _renamed(page: Page, names: Mapping[str, str]) -> Page:
    repeated = page.duplicate_of
    return replace(
        page,
        file=names[page.file],
        duplicate_of=(names[repeated[0]], repeated[1]) if repeated else None,
    )


def _problems(problems: tuple[Problem, ...], names: Mapping[str, str], kept: set[str]) -> list[Problem]:
    return [
        replace(problem, file=names[problem.file]) if problem.file else problem
        for problem in problems
        if problem.file is None or problem.file in kept
    ]


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a request's items: `why` the closed ones are closed."""

    closed: tuple[str, ...]
    open: tuple[str, ...]
    new: tuple[str, ...] = ()
    why: Literal["answered", "not_needed"] = "answered"


def settle(before: InformationRequest, after: InformationRequest | None, *, outcome: str | None) -> Settled:
    """Which items of `before` the joined case answers, by what it would be asked for now (`after`).

    A document that came without one of its elements leaves its item open. `outcome` is of the joined
    case; without one (the case is parked) nothing is answered.
    """
    if outcome is None:
        return Settled((), before.codes)
    asked = after.codes if after else ()
    open_codes = tuple(code for code in before.codes if any(_is_part(one, code) for one in asked))
    return Settled(
        closed=tuple(code for code in before.codes if code not in open_codes),
        open=open_codes,
        new=tuple(code for code in asked if not any(_is_part(code, one) for one in before.codes)),
        why="not_needed" if outcome in ("out_of_scope", "other_policy") else "answered",
    )


def _is_part(code: str, of: str) -> bool:
    return code == of or code.startswith(f"{of}.")
