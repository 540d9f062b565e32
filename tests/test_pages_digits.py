"""Words with digits are read twice, and by another recogniser where the two differ."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import page_samples as samples
import pytest

from pipeline.ocr import Engine, Image, OcrWord, load
from pipeline.pages.second_opinion import read_digits_again
from pipeline.pages.strokes import read_strokes

PAPER = np.full((100, 400), 255, np.uint8)


def words(*texts: str) -> list[OcrWord]:
    return [
        OcrWord(text, 10 + 40 * place, 20, 40 + 40 * place, 45, 0.95, 1) for place, text in enumerate(texts)
    ]


def engine(second: str, by_shape: str, third: str = "") -> Engine:
    readings = iter((second, third))
    return Engine(lambda *_: [], reread=lambda _: next(readings), reread_by_shape=lambda _: by_shape)


@pytest.mark.parametrize(
    ("first", "second", "by_shape", "third", "read"),
    [
        ("45", "4.5", "4.5", "", "4.5"),
        ("0820/1943", "08/20/1943", "08/20/l943", "", "08/20/1943"),
        ("45", "4.5", "45", "4.5", "45"),
        ("45", "4.5", "4.6", "4.5", "4.5"),
        ("4.5", "45", "4.6", "4.5", "4.5"),
        ("4.5", "45", "4.6", "4.8", "4.5"),
        ("4.5", "4.5", "45", "45", "4.5"),
        ("C22.0", "", "(222.0", "", "C22.0"),
        ("30077514", "30077514 01", "30077514 0l", "30077514 01", "30077514"),  # the next word is cut out too
        ("30077514", "30077614 01", "30077614 01", "", "30077614 01"),
        ("5.", "6.", "6.", "6.", "5."),
        ("1A2", "IA2", "IA2", "IA2", "1A2"),
        ("liver", "river", "river", "river", "liver"),
    ],
)
def test_what_two_others_say_is_taken_against_the_first(
    first: str, second: str, by_shape: str, third: str, read: str
) -> None:
    both = engine(second, by_shape, third)
    assert [word.text for word in read_digits_again(PAPER, PAPER, words(first), both)] == [read]


@pytest.mark.parametrize(
    ("first", "second", "by_shape", "third", "confirmed"),
    [
        ("410227983", "410227983", "410227983", "", True),
        ("410227983", "410221983", "410227983", "410227983", True),
        ("410227983", "410227983.", "41()227983", "", True),
        ("0820/1943", "08/20/1943", "08/20/l943", "", True),
        ("08/20/1943", "08/20/1943", "08/20/1943", "", True),  # may be a birth date
        ("08/20/1943", "08/20/1943", "08/20/1948", "", False),
        ("8/20/43", "8/20/43", "8/20/43", "", True),
        ("08/20/2026", "08/20/2026", "08/20/2026", "", False),  # nobody asks whether it is confirmed
        ("8/20/26", "8/20/26", "8/20/26", "", False),
        ("555-0101", "555-0101", "555-0101", "", False),
        ("410227983", "410227983", "410227933", "410227983", False),
        ("410227983", "410221983", "410227983", "410227933", False),
        ("410227983", "", "", "", False),
        ("55018834-02", "556018834-02", "5501883402", "55018834-02", True),
        ("331-904-55", "331-904-55", "331-901-55", "331-904-55", False),
        ("J7701", "J7701", "J7701", "", True),
        ("30077514", "30077514 01", "30077514", "", True),
        ("42", "42", "42", "42", False),  # too short to be asked about by itself
    ],
)
def test_a_coarse_page_s_digits_are_confirmed_by_both_kinds_of_recogniser(
    first: str, second: str, by_shape: str, third: str, *, confirmed: bool
) -> None:
    both = engine(second, by_shape, third)
    assert [word.confirmed for word in read_digits_again(PAPER, PAPER, words(first), both, coarse=True)] == [
        confirmed
    ]
    both = engine(second, by_shape, third)
    assert [word.confirmed for word in read_digits_again(PAPER, PAPER, words(first), both)] == [True]


def test_a_short_group_is_asked_about_beside_a_long_one() -> None:
    both = Engine(lambda *_: [], reread=lambda _: "01", reread_by_shape=lambda _: "01")
    for line, confirmed in (("30077514 01", True), ("age 01", False)):
        *_, short = read_digits_again(PAPER, PAPER, words(*line.split()), both, coarse=True)
        assert (short.text, short.confirmed) == ("01", confirmed)


@pytest.mark.parametrize(
    ("line", "confirmed"),
    [
        ("20 Aug 1943", [True, True, True]),
        ("August 20, 1943", [True, True, True]),
        ("DOB: August 20, 2026", [True, True, True, True]),
        ("D O B 08/20/2026", [True, True, True, True]),
        ("Birth Date: August 20, 2026", [True, True, True, True, True]),
        ("20 Aug 2026", [False, True, False]),
        ("born 2 Aug 1943", [True, True, True, True]),
        ("2 mm 2026", [False, True, False]),
    ],
)
def test_a_day_is_asked_about_beside_a_year_of_the_last_century_and_behind_a_label_of_birth(
    line: str, confirmed: list[bool]
) -> None:
    seen = "2 20 1943 2026 08/20/2026"
    both = Engine(lambda *_: [], reread=lambda _: seen, reread_by_shape=lambda _: seen)
    found = read_digits_again(PAPER, PAPER, words(*line.split()), both, coarse=True)
    assert [word.confirmed for word in found] == confirmed


def test_only_digits_are_confirmed_and_by_one_recogniser_alone_never() -> None:
    found = read_digits_again(PAPER, PAPER, words("liver", "410227983"), Engine(lambda *_: []), coarse=True)
    assert [word.confirmed for word in found] == [True, False]


@pytest.mark.parametrize(
    ("line", "by_shape", "read"),
    [
        ("cT1a NO MO.", "N0", "cT1a N0 MO."),
        ("T2 NO", "NO", "T2 NO"),
        ("NO MASS", "N0", "NO MASS"),
        ("NO T-SHAPED", "N0", "NO T-SHAPED"),
        ("stage NO", "N0", "stage NO"),
        ("pNO M0", "pN0", "pN0 M0"),
    ],
)
def test_zero_or_o_beside_a_stage_is_told_by_its_shape(line: str, by_shape: str, read: str) -> None:
    both = engine("", by_shape)
    assert " ".join(word.text for word in read_digits_again(PAPER, PAPER, words(*line.split()), both)) == read


def test_an_engine_with_one_way_of_reading_is_left_alone() -> None:
    assert read_digits_again(PAPER, PAPER, words("45"), Engine(lambda *_: [])) == words("45")


@pytest.mark.parametrize("font", ["Times", "Helvetica", "Courier"])
def test_both_ways_of_tesseract_read_a_date(tmp_path: Path, font: str) -> None:
    image = samples.draw(samples.text_pdf(tmp_path / "a.pdf", ["08/20/2026"], font=font))
    rows, columns = np.nonzero(image < 128)
    cut: Image = image[rows.min() - 12 : rows.max() + 12, columns.min() - 12 : columns.max() + 12]
    tesseract = load("tesseract")
    assert tesseract.reread is not None
    assert tesseract.reread_by_shape is not None
    assert tesseract.reread(cut) == "08/20/2026"
    assert tesseract.reread_by_shape(cut) == "08/20/2026"


def test_streaks_of_a_bad_line_go_and_letters_and_rules_stay(tmp_path: Path) -> None:
    from pipeline.pages import raster
    from pipeline.pages.stored import Raster

    drawn = samples.draw(samples.text_pdf(tmp_path / "a.pdf"), (204, 196))
    page = np.where(drawn < 150, 0, 255).astype(np.uint8)
    cv2.rectangle(page, (200, 1500), (1200, 1502), (0,), -1)  # a printed rule, three rows high
    whole = raster.clean(Raster(page, 204, 196)).image
    streaked = page.copy()
    row = int(np.argmax((page < 128).sum(axis=1)[:1000]))  # through the middle of a line
    streaked[row, 150:700] = streaked[1800, 400:900] = 0
    cleaned = raster.clean(Raster(streaked, 204, 196)).image
    assert (cleaned[1500:1503, 300:1100] == 0).all()
    assert (cleaned[1800] == 255).all()
    assert (cleaned != whole).sum() < 100


def line_of(tmp_path: Path, font: str, text: str) -> tuple[Image, list[OcrWord]]:
    """A drawn line, and its words with boxes around their ink."""
    image = samples.draw(samples.text_pdf(tmp_path / "a.pdf", [text], font=font))
    columns = np.flatnonzero((image < 128).any(axis=0))
    parts = np.split(columns, np.flatnonzero(np.diff(columns) > 7) + 1)
    assert len(parts) == len(text.split())
    found = []
    for part, word in zip(parts, text.split(), strict=True):
        rows = np.flatnonzero((image[:, part[0] : part[-1] + 1] < 128).any(axis=1))
        found.append(OcrWord(word, part[0], rows[0], part[-1] + 1, rows[-1] + 1, 0.9, 1))
    return image, found


@pytest.mark.parametrize(
    ("font", "printed", "recognised", "read"),
    [
        ("Helvetica", "but I think", "but | think", "but I think"),
        ("Helvetica", "Name | Date", "Name | Date", "Name | Date"),
        ("Times", "Name | Date", "Name | Date", "Name | Date"),
        ("Times", "Lidocaine 1 percent", "Lidocaine | percent", "Lidocaine 1 percent"),
        ("Helvetica", "stage III today", "stage Ill today", "stage III today"),
        ("Helvetica", "stage II, today", "stage Il, today", "stage II, today"),
        ("Helvetica", "General: Ill appearing", "General: Ill appearing", "General: Ill appearing"),
        ("Helvetica", "box II here", "box || here", "box || here"),
    ],
)
def test_words_of_upright_strokes_are_read_by_where_they_stand(
    tmp_path: Path, font: str, printed: str, recognised: str, read: str
) -> None:
    image, words = line_of(tmp_path, font, printed)
    words = [word._replace(text=text) for word, text in zip(words, recognised.split(), strict=True)]
    assert " ".join(word.text for word in read_strokes(image, words)) == read


def test_a_rule_of_a_table_stays_a_bar(tmp_path: Path) -> None:
    image, words = line_of(tmp_path, "Helvetica", "but I think")
    words[1] = words[1]._replace(text="|")
    image = image.copy()
    image[:, int(words[1].x0) : int(words[1].x1)] = 0
    assert read_strokes(image, words)[1].text == "|"
