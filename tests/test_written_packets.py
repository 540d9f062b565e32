"""The packets written by hand render as they say, the same each time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from fixtures.written_packets import WRITTEN, write
from pipeline.domain import SourceFile
from pipeline.ocr import load
from pipeline.pages import read_pages

PACKETS = sorted(WRITTEN.glob("*.yaml"))


@pytest.mark.parametrize("path", PACKETS, ids=lambda path: path.stem)
def test_gold_stands_on_the_pages(path: Path) -> None:
    packet = yaml.safe_load(path.read_text(encoding="utf-8"))
    pages = {
        file["name"]: [page for document in file["documents"] for page in document["pages"]]
        for file in packet["files"]
    }
    assert packet["gold"]["documents"]
    for document in packet["gold"]["documents"]:
        assert 1 <= document["first_page"] <= document["last_page"] <= len(pages[document["file"]])
    everything = " ".join(" ".join(page for file in pages.values() for page in file).split())
    for shown in packet["gold"]["evidence"].values():
        assert " ".join(shown["quote"].split()) in everything


def test_rendering_is_the_same_each_time_and_reads_as_written(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    digital = next(path for path in PACKETS if "render: digital" in path.read_text(encoding="utf-8"))
    (source / digital.name).write_bytes(digital.read_bytes())
    [first], [second] = write(tmp_path / "a", source), write(tmp_path / "b", source)
    packet = yaml.safe_load(digital.read_text(encoding="utf-8"))
    assert json.loads((first / "expected.json").read_text())["findings"]
    for file in packet["files"]:
        assert (first / file["name"]).read_bytes() == (second / file["name"]).read_bytes()
        written = [page for document in file["documents"] for page in document["pages"]]
        if file["render"] != "digital":
            continue
        stored = SourceFile(file["name"], first / file["name"], "0" * 64, "application/pdf")
        read = read_pages(stored, load("none")).pages
        assert [page.text.split() for page in read] == [page.split() for page in written]
