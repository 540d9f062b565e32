"""What the ledger keeps of pages, and whether a packet is an earlier one sent again.

A packet is taken for an earlier one only if every page is the same page: attaching it wrongly would lose
what it says. Pages with too few words to be told by are the same only where both are blank.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal

from pipeline.domain import Page, Problem, Reading, Submission, Word
from pipeline.ledger.records import PageMark
from pipeline.pages.duplicates import same_page
from pipeline.pages.fingerprint import fingerprint

_CONFIDENT: Final = 0.85
_NEWS_SHARE: Final = 0.03  # of a page's words that the other page may surely lack: slips of recognition
_WORD: Final = 3  # letters; shorter ones come and go with specks
# Confidence of a number. One slip in a number costs a second look at the packet; a value taken for another
# would lose what the second packet says.
_READ: Final = 0.5


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
    return same_page(one, other) and not any(_says_more(*pair) for pair in ((one, other), (other, one)))


def _says_more(page: Page, other: Page) -> bool:
    """Whether the page surely has words, or any number that can be read, which stand nowhere on the other."""
    start, end = page.banner or (0, 0)
    body = [word for word in page.words if not start <= word.start < end]
    there = Counter(word.text.lower() for word in other.words)
    sure = Counter(word.text.lower() for word in body if _is_sure(word))
    numbers = Counter(word.text.lower() for word in body if _is_number(word))
    return bool(numbers - there) or (sure - there).total() > _NEWS_SHARE * len(body)


def _is_sure(word: Word) -> bool:
    return len(word.text) > _WORD and word.confidence >= _CONFIDENT


def _is_number(word: Word) -> bool:
    return word.confidence >= _READ and any(character.isdigit() for character in word.text)
