"""How a page came: digital, scan, fine or standard fax."""

from __future__ import annotations

from pathlib import Path

import page_samples as samples
import pytest

from pipeline.errors import UnreadableFile
from pipeline.intake.folder import receive
from pipeline.pages.kinds import page_kind
from pipeline.pages.limits import Limits
from pipeline.settings import load_settings

LIMITS = Limits.of(load_settings({}))


def kind_of(path: Path) -> str:
    return page_kind(receive([path]).files[0], 1, limits=LIMITS)


def test_kinds(tmp_path: Path) -> None:
    text = samples.text_pdf(tmp_path / "a.pdf")
    assert kind_of(text) == "digital"
    for name, dpi, kind in (("b.tif", (204, 196), "fine fax"), ("c.tif", (204, 98), "standard fax")):
        samples.fax(text, dpi).save(tmp_path / name, dpi=dpi)
        assert kind_of(tmp_path / name) == kind
    grey = samples.fax(text).convert("L").point(lambda level: 40 + level * 180 // 255)
    grey.save(tmp_path / "d.png", dpi=(200, 200))
    assert kind_of(tmp_path / "d.png") == "scan"


def test_a_file_that_cannot_be_opened_has_none(tmp_path: Path) -> None:
    (tmp_path / "e.pdf").write_bytes(b"%PDF-1.4 nothing")
    with pytest.raises(UnreadableFile):
        kind_of(tmp_path / "e.pdf")
