"""What the ledger keeps of pages, and whether a packet is an earlier one sent again.

A packet is taken for an earlier one only if every page is the same page: attaching it wrongly would lose
what it says. Pages with too few words to be told by are the same only where both are blank.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal

from pipeline.domain import Page, Problem, Reading, Submission
from pipeline.ledger.records import PageMark
from pipeline.pages.duplicates import same_page
from pipeline.pages.fingerprint import fingerprint

_CONFIDENT: Final = 0.85
_NEWS_SHARE: Final = 0.03  # of a page's words that the other page may surely lack: slips of recognition
_WORD: Final = 3  # letters; shorter ones come and go with specks


def page_marks(submission: Submission, reading: Reading) -> list[PageMark]:
    """A mark for each page of the submission's files, in their order, also for those not read."""
    pages = {(page.file, page.number): page for page in reading.pages}
    problems = {(problem.file, problem.page): problem for problem in reading.problems}
    return [
        _mark(position, number, pages.get((file.name, number)), problems.get((file.name, number)))
        for position, file in enumerate(submission.files)
        for number in range(1, reading.page_counts.get(file.name, 0) + 1)
    ]


def page_counts(submission: Submission, reading: Reading) -> list[int]:
    """The number of pages of each file, 0 where it cannot be known."""
    return [reading.page_counts.get(file.name, 0) for file in submission.files]


def is_same_packet(one: Reading, other: Reading) -> bool:
    """Whether two readings are of the same pages, apart from fax machines' lines and slips of reading."""
    if one.problems or other.problems or len(one.pages) != len(other.pages) or not one.pages:
        return False
    return all(_is_same(*pair) for pair in zip(one.pages, other.pages, strict=True))


def _mark(file: int, number: int, page: Page | None, problem: Problem | None) -> PageMark:
    if page is None:
        return PageMark(file, number, "unread", "", problem.code if problem else "missing")
    if page.blank:
        return PageMark(file, number, "blank")
    state: Literal["read", "duplicate"] = "duplicate" if page.duplicate_of else "read"
    return PageMark(file, number, state, fingerprint(page), problem.code if problem else None)


def _is_same(one: Page, other: Page) -> bool:
    if one.blank or other.blank:
        return one.blank and other.blank
    return same_page(one, other) and _news(one, other) <= _NEWS_SHARE >= _news(other, one)


def _news(page: Page, other: Page) -> float:
    """The share of the page's words that are read with confidence and stand nowhere on the other page."""
    words = [word for word in page.words if len(word.text) > _WORD and not _in_banner(page, word.start)]
    sure = Counter(word.text.lower() for word in words if word.confidence >= _CONFIDENT)
    return (sure - Counter(word.text.lower() for word in other.words)).total() / max(1, len(words))


def _in_banner(page: Page, position: int) -> bool:
    return page.banner is not None and page.banner[0] <= position < page.banner[1]
