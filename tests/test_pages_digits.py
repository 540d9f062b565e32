"""Words with digits are read twice, and by another recogniser where the two differ."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import page_samples as samples
import pytest

from pipeline.ocr import Engine, Image, OcrWord, load
from pipeline.pages.second_opinion import read_digits_again

PAPER = np.full((100, 400), 255, np.uint8)


def words(*texts: str) -> list[OcrWord]:
    return [
        OcrWord(text, 10 + 40 * place, 20, 40 + 40 * place, 45, 0.95, 1) for place, text in enumerate(texts)
    ]


def engine(second: str, by_shape: str) -> Engine:
    return Engine(lambda *_: [], reread=lambda _: second, reread_by_shape=lambda _: by_shape)


@pytest.mark.parametrize(
    ("first", "second", "by_shape", "read"),
    [
        ("45", "4.5", "4.5", "4.5"),
        ("0820/1943", "08/20/1943", "08/20/l943", "08/20/1943"),
        ("45", "4.5", "45", "45"),
        ("4.5", "45", "4.6", "4.5"),
        ("4.5", "4.5", "45", "4.5"),
        ("C22.0", "", "(222.0", "C22.0"),
        ("1A2", "IA2", "IA2", "1A2"),
        ("liver", "river", "river", "liver"),
    ],
)
def test_what_two_of_three_readings_say_is_taken(first: str, second: str, by_shape: str, read: str) -> None:
    assert [word.text for word in read_digits_again(PAPER, words(first), engine(second, by_shape))] == [read]


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
    assert " ".join(word.text for word in read_digits_again(PAPER, words(*line.split()), both)) == read


def test_an_engine_with_one_way_of_reading_is_left_alone() -> None:
    assert read_digits_again(PAPER, words("45"), Engine(lambda *_: [])) == words("45")


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
