"""The drawn boxes stand on the words that they claim, on any stored rotation."""

from __future__ import annotations

from pathlib import Path

import pytest
from fpdf import FPDF
from PIL import Image

from pipeline.domain import (
    Box,
    Case,
    CaseFile,
    CasePage,
    Evidence,
    Field,
    SourceFile,
    Status,
    Submission,
)
from pipeline.evidence_images import DPI, FILL, draw_evidence
from pipeline.settings import load_settings

# A black bar of known place on a letter page, in points: what the evidence is about.
BAR = Box(100, 200, 220, 212)
WIDTH, HEIGHT = 612.0, 792.0


def turned_bar(rotation: int) -> Box:
    """Where BAR must be stored for a page that is turned clockwise by `rotation` to be upright."""
    x0, top, x1, bottom = BAR
    return {
        0: BAR,
        90: Box(top, WIDTH - x1, bottom, WIDTH - x0),
        180: Box(WIDTH - x1, HEIGHT - bottom, WIDTH - x0, HEIGHT - top),
        270: Box(HEIGHT - bottom, x0, HEIGHT - top, x1),
    }[rotation]


def page_with_bar(path: Path, rotation: int) -> SourceFile:
    size = (WIDTH, HEIGHT) if rotation % 180 == 0 else (HEIGHT, WIDTH)
    pdf = FPDF(unit="pt", format=size)
    pdf.add_page()
    x0, top, x1, bottom = turned_bar(rotation)
    pdf.set_fill_color(0, 0, 0)
    pdf.rect(x0, top, x1 - x0, bottom - top, style="F")
    pdf.output(str(path))
    return SourceFile("fax.pdf", path, "0" * 64, "application/pdf")


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_boxes_are_drawn_on_the_ink(rotation: int, tmp_path: Path) -> None:
    file = page_with_bar(tmp_path / "fax.pdf", rotation)
    beside = Box(BAR.x0 - 20, BAR.top, BAR.x1 + 20, BAR.bottom)
    evidence = Evidence("fax.pdf", 1, "d1", 0, 1, "x", (beside,))
    case = Case(
        "abc",
        "complete",
        (),
        None,
        (CaseFile("fax.pdf", "0", "application/pdf", 1),),
        pages=(CasePage("fax.pdf", 1, "ocr", rotation, False, None, 0.9, WIDTH, HEIGHT),),
        findings={"tumor_site": Field("kidney", Status.FOUND, 0.9, evidence=(evidence,))},
    )

    [drawn] = draw_evidence(case, Submission("abc", (file,)), tmp_path / "out", load_settings({}))

    assert drawn.name == "file-1-page-1.png"
    with Image.open(drawn) as image:
        assert image.size == (round(WIDTH * DPI / 72), round(HEIGHT * DPI / 72))
        middle = round((BAR.top + BAR.bottom) / 2 * DPI / 72)
        at = {x: image.getpixel((round(x * DPI / 72), middle)) for x in (40, 90, 160)}
        assert max(at[160]) < 40, "the ink shows through the mark"
        assert at[90] == FILL, "the mark covers what lies beside the ink"
        assert at[40] == (255, 255, 255), "the rest of the page is untouched"
