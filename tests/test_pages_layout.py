"""Words to text: lines, gaps, columns, banners, duplicates."""

from __future__ import annotations

import dataclasses
import re
import time

import pytest

from pipeline.domain import Box, Page, Word
from pipeline.pages.banner import find_banner
from pipeline.pages.duplicates import mark_duplicates
from pipeline.pages.geometry import Token, turned, turned_size
from pipeline.pages.layout import lay_out

ADVANCE, LEADING = 6.0, 12.0


def typed(text: str, *, left: float = 54, top: float = 60) -> list[Token]:
    """The words of a typewritten text where a typewriter would put them."""
    return [
        Token(
            match.group(),
            Box(
                left + match.start() * ADVANCE,
                top + row * LEADING,
                left + match.end() * ADVANCE,
                top + row * LEADING + 10,
            ),
        )
        for row, line in enumerate(text.split("\n"))
        for match in re.finditer(r"\S+", line)
    ]


FORM = """\
Last name   Marlow            First name   Edwina
DOB         11/23/1948        Sex          F
Member ID   QRS 550017        Group        none on file

  [X] Standard    [ ] Expedited
Phone       555-0101          Fax          555-0102
City        Alder Falls       State        Ohio

Notes: she wants to be called after four."""


def test_a_form_stays_as_it_is_laid_out() -> None:
    text, placed = lay_out(typed(FORM))
    assert text == FORM
    assert all(text[start:end] == token.text for token, start, end in placed)


def test_order_of_arrival_does_not_matter() -> None:
    assert lay_out(typed(FORM)[::-1])[0] == FORM


def test_no_words_no_text() -> None:
    assert lay_out([]) == ("", [])


def test_words_of_one_line_may_stand_a_little_higher_or_lower() -> None:
    tokens = [
        token._replace(box=token.box._replace(top=token.box.top + 2 * (index % 3), bottom=token.box.bottom))
        for index, token in enumerate(typed(FORM))
    ]
    assert lay_out(tokens)[0] == FORM


LEFT = """\
The patient is a woman of 77 who
was found to have a mass of the
right kidney when she had a scan
for another reason. She feels well
and has not lost weight. The scan
was read by us and the mass is in
the lower pole and grows outwards."""
RIGHT = """\
We talked about the choices that
she has. Watching would be safe
for a year or so, but she would
rather have it done with. Surgery
is open to her but her heart makes
it a risk. Freezing was chosen by
her and we shall ask for consent."""


def side_by_side(left: str, right: str, *, shift: float = 0) -> list[Token]:
    return typed(left) + typed(right, left=54 + 42 * ADVANCE, top=60 + shift)


@pytest.mark.parametrize("shift", [0, 5], ids=["level", "shifted"])
def test_two_columns_of_prose_are_read_one_after_the_other(shift: float) -> None:
    text, placed = lay_out(side_by_side(LEFT, RIGHT, shift=shift))
    assert text == f"{LEFT}\n\n{RIGHT}"
    assert all(text[start:end] == token.text for token, start, end in placed)


def test_a_heading_over_two_columns_comes_first() -> None:
    heading = typed(
        "RIDGELINE SURGICAL ASSOCIATES - a letter to the referring physician of the patient", top=20
    )
    text, _ = lay_out(heading + side_by_side(LEFT, RIGHT))
    assert text.startswith("RIDGELINE")
    assert text.endswith(f"{LEFT}\n\n{RIGHT}")


def test_a_table_is_not_two_columns() -> None:
    table = "\n".join(f"{name:<24}{value}" for name, value in LABS)
    assert lay_out(typed(table))[0] == table


QUESTIONS = [
    ("Has she been treated for this before", "[ ] yes  [X] no  [ ] unknown"),
    ("Is the service meant to heal and not", "[X] yes  [ ] no  [ ] unknown"),
    ("only to ease what she suffers from it", "[X] yes  [ ] no  [ ] unknown"),
    ("Does she take part in a trial that is", "[ ] yes  [X] no  [ ] unknown"),
    ("run by the clinic or by someone else", "[ ] yes  [X] no  [ ] unknown"),
    ("Was the tumor seen under a microscope", "[X] yes  [ ] no  [ ] unknown"),
    ("before the request was written by you", "[X] yes  [ ] no  [ ] unknown"),
]


def test_questions_and_their_answers_stay_together() -> None:
    asked = "\n".join(f"{question:<44}{answer}" for question, answer in QUESTIONS)
    assert lay_out(typed(asked))[0] == asked


LABS = [
    ("Hemoglobin", "13.1 g/dL within range"),
    ("White cells", "6.2 thousand per microliter"),
    ("Platelets", "240 thousand per microliter"),
    ("Creatinine", "1.4 mg/dL above the range"),
    ("Sodium", "139 mmol/L within range"),
    ("Potassium", "4.4 mmol/L within range"),
    ("Calcium", "9.3 mg/dL within range"),
]


@pytest.mark.parametrize(
    "line",
    [
        "2026-08-19 09:47 FROM: 555-0182 TO: 555-0190 PAGE 002/006",
        "AUG-26-2026 WED 03:41 PM  ELM STREET UROLOGY  FAX 608 555 0162  P. 01/6",
        "08/19/26 9:47AM  From 6085550162  ELM STREET  p.3",
        "2026-08-19 09 47 FROM: 555-0182 TO: 555-0190 PAGE 002/006",
        "Received 19 Aug 2026 14:02 from 608-555-0162 3/12",
    ],
)
def test_banner(line: str) -> None:
    text, placed = lay_out(typed(f"{line}\n\nThe letter begins here.", top=12))
    found = find_banner(text, placed, 792)
    assert found is not None
    assert text[slice(*found)] == line


@pytest.mark.parametrize(
    ("line", "top"),
    [
        ("Visit of 08/19/2026 09:47, Dr. Farrow", 12),
        ("ELM STREET UROLOGY   Tel 608 555 0162   Fax 608 555 0163", 12),
        ("DATE 08/19/2026   PAGE 1 OF 6", 12),
        ("2026-08-19 09:47 FROM: 555-0182 TO: 555-0190 PAGE 002/006", 300),
    ],
)
def test_no_banner(line: str, top: float) -> None:
    text, placed = lay_out(typed(f"{line}\n\nThe letter begins here.", top=top))
    assert find_banner(text, placed, 792) is None


def page(number: int, text: str, *, source: str = "ocr", banner: bool = False, shift: float = 0) -> Page:
    laid, placed = lay_out(typed(text, top=60 + shift))
    words = tuple(Word(token.text, token.box, start, end) for token, start, end in placed)
    span = (0, laid.index("\n")) if banner else None
    return Page("fax.pdf", number, source, 0, 612, 792, laid, words, banner=span)  # type: ignore[arg-type]


BANNER = "2026-08-19 09:47 FROM: 555-0182 TO: 555-0190 PAGE 00{}/006\n"


def duplicates(*pages: Page) -> list[int | None]:
    return [marked.duplicate_of and marked.duplicate_of[1] for marked in mark_duplicates(pages)]


def test_a_page_sent_twice_repeats_the_first() -> None:
    again = LEFT.replace("kidney", "kidncy")
    first = page(1, BANNER.format(1) + LEFT, banner=True)
    second = page(2, RIGHT)
    third = page(3, BANNER.format(3) + again, banner=True, shift=7)
    assert duplicates(first, second, third) == [None, None, 1]


@pytest.mark.parametrize(
    ("old", "new"),
    [("77", "71"), ("right", "left"), ("has not lost weight", "has not lost weight nor eaten")],
)
def test_another_page_on_the_same_template_is_no_duplicate(old: str, new: str) -> None:
    assert duplicates(page(1, LEFT, source="text"), page(2, LEFT.replace(old, new), source="text")) == [
        None,
        None,
    ]


@pytest.mark.parametrize(("old", "new"), [("77", "71"), ("right", "left"), ("77 who", "who")])
def test_an_other_value_on_a_fax_is_no_duplicate(old: str, new: str) -> None:
    expected = 1 if new == "who" else None  # a word may be lost on a fax; it is not another word
    assert duplicates(page(1, LEFT), page(2, LEFT.replace(old, new))) == [None, expected]


def test_many_pages_of_the_same_few_words_are_compared_at_once() -> None:
    """Comparing in order what is the same word five thousand times takes minutes."""
    pages = [page(number, "mass mass mass mass\n" * 1000 + f"{'end ' * number}") for number in range(1, 12)]
    start = time.process_time()
    found = duplicates(*pages, dataclasses.replace(pages[0], number=12))
    assert time.process_time() - start < 2
    assert found == [*[None] * 11, 1]


def test_blank_pages_repeat_nothing() -> None:
    blank = [Page("fax.pdf", number, "ocr", 0, 612, 792, "", (), blank=True) for number in (1, 2)]
    assert duplicates(*blank) == [None, None]


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_turning_all_the_way_round_changes_nothing(degrees: int) -> None:
    box = Box(10, 20, 110, 40)
    there = turned(box, degrees, 600, 800)
    assert turned(there, -degrees, *turned_size(degrees, 600, 800)) == box
    assert there != box or degrees == 0
