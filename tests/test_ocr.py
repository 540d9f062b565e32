"""Engines and their contract."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import page_samples as samples
import pytest

from pipeline.errors import ConfigurationError
from pipeline.ocr import ENGINES, Image, load, rapid, tesseract


@pytest.fixture(scope="module")
def note(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return samples.draw(samples.text_pdf(tmp_path_factory.mktemp("ocr") / "note.pdf"))


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_every_engine_keeps_the_contract(name: str, note: Image) -> None:
    if name == "rapidocr":
        pytest.importorskip("rapidocr", reason="an extra: pip install 'clinical-triage[rapidocr]'")
    height, width = note.shape
    for word in load(name).recognize(note, 200.0):
        assert word.text == word.text.strip() != ""
        assert 0 <= word.x0 < word.x1 <= width
        assert 0 <= word.top < word.bottom <= height
        assert 0 <= word.confidence <= 1
    assert load(name).recognize(np.full((200, 200), 255, np.uint8), 200.0) == []


def test_tesseract_reads_a_clean_page(note: Image) -> None:
    words = load("tesseract").recognize(note, 200.0)
    assert [word.text for word in words] == " ".join(samples.NOTE).split()
    assert len({word.line for word in words}) == sum(map(bool, samples.NOTE))


def test_the_same_page_reads_the_same_whatever_was_read_before(note: Image) -> None:
    first = load("tesseract").recognize(note, 200.0)
    load("tesseract").recognize(np.ascontiguousarray(note[::-1]), 200.0)
    assert load("tesseract").recognize(note, 200.0) == first


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_orientation_says_how_to_turn_the_page_upright(degrees: int, note: Image) -> None:
    orient = load("tesseract").orientation
    assert orient is not None
    lying = np.ascontiguousarray(np.rot90(note, degrees // 90))  # anticlockwise
    found = orient(lying, 200.0)
    assert found.degrees == degrees
    assert found.confidence > 1


def test_orientation_of_an_empty_page_is_no_idea() -> None:
    orient = load("tesseract").orientation
    assert orient is not None
    assert orient(np.full((800, 600), 255, np.uint8), 200.0).confidence == 0
    assert load("none").orientation is None


def test_unknown_engine_names_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="none, rapidocr, tesseract"):
        load("tesseractt")
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        load("no_such_module:recognize")


def test_missing_data_names_the_install_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.delenv("TESSDATA_PREFIX", raising=False)
    with pytest.raises(ConfigurationError, match="pip install"):
        tesseract._data_folder("eng.traineddata")


def test_a_missing_extra_names_the_install_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    rapid._reader.cache_clear()
    with pytest.raises(ConfigurationError, match="not installed") as missing:
        load("rapidocr").recognize(np.full((200, 200), 255, np.uint8), 200.0)
    assert "clinical-triage[rapidocr]" in missing.value.next_step


def test_words_of_a_line_get_their_share_of_its_box() -> None:
    assert list(rapid._words("CT of the", 100, 190)) == [
        ("CT", 100, 120),
        ("of", 130, 150),
        ("the", 160, 190),
    ]
