"""The drawn boxes stand on the words that they claim, on any stored rotation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
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
    Patient,
    Request,
    SourceFile,
    Status,
    Submission,
)
from pipeline.evidence_images import DPI, FILL, MARGIN, draw_evidence
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
    assert drawn.stat().st_mode & 0o077 == 0, "an image is for its owner alone"
    with Image.open(drawn) as image:
        assert image.size == (round(WIDTH * DPI / 72) + MARGIN, round(HEIGHT * DPI / 72))
        middle = round((BAR.top + BAR.bottom) / 2 * DPI / 72)
        at = {x: image.getpixel((round(x * DPI / 72), middle)) for x in (40, 90, 160)}
        assert max(at[160]) < 40, "the ink shows through the mark"
        assert at[90] == FILL, "the mark covers what lies beside the ink"
        assert at[40] == (255, 255, 255), "the rest of the page is untouched"


def test_names_stand_in_the_margin_and_every_value_has_its_own(tmp_path: Path) -> None:
    file = page_with_bar(tmp_path / "fax.pdf", 0)

    def field(value: str, top: float) -> Field:
        box = Box(BAR.x0, top, BAR.x1, top + 12)
        return Field(value, Status.FOUND, 0.9, evidence=(Evidence("fax.pdf", 1, "d1", 0, 1, "x", (box,)),))

    def drawn(**parts: object) -> Image.Image:
        case = Case(
            "abc",
            "complete",
            (),
            None,
            (CaseFile("fax.pdf", "0", "application/pdf", 1),),
            pages=(CasePage("fax.pdf", 1, "ocr", 0, False, None, 0.9, WIDTH, HEIGHT),),
            **parts,  # type: ignore[arg-type]
        )
        folder = tmp_path / "-".join(parts)
        [path] = draw_evidence(case, Submission("abc", (file,)), folder, load_settings({}))
        with Image.open(path) as image:
            image.load()
            return image

    page = round(WIDTH * DPI / 72)
    for parts in (
        {"patient": Patient(name=field("Marlow, Edwina", 300))},
        {"patient": Patient(member_id=field("QRS550017", 780))},  # its name must not fall off the sheet
        {"request": Request(cpt=(field("50593", 300), field("50593", 301)))},
        {"findings": {"tumor_site": field("kidney", 300)}},
    ):
        image = drawn(**parts)
        names = image.crop((page + 16, 0, image.width, image.height)).convert("L")
        assert np.asarray(names).min() < 120, "the name is written"
        beside = image.crop((round(BAR.x1 * DPI / 72) + 3, 0, page, image.height)).convert("L")
        assert np.asarray(beside).min() > 150, "no name on the page, only a pale line"
