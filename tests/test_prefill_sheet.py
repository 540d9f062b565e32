"""The form as PDF: the words beside the answers, and the words themselves cut out of the right place."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pdfplumber
import pytest
from PIL import Image
from prefill_cases import CATALOG, KIDNEY, POLICY, case_of, conflicting, found
from report_samples import SETTINGS, true_boxes, write_packet
from report_samples import case_of as read_case

from pipeline.domain import Box, Case, Evidence, Submission
from pipeline.errors import UsageError
from pipeline.prefill import FORMATS, By, Touch, form_of, form_pdf, page_images, rendered
from pipeline.prefill.crops import crop, shown

FONTS = CATALOG.letters.fonts
AT = datetime(2026, 8, 7, 9, 30, tzinfo=UTC)


def text_of(pdf: bytes) -> list[str]:
    """The text of each page."""
    with pdfplumber.open(io.BytesIO(pdf)) as document:
        return [page.extract_text() for page in document.pages]


def drawn(case: Case, **touches: Touch) -> str:
    form = form_of(case, CATALOG, {f"findings.{name}": one for name, one in touches.items()})
    return "\n".join(text_of(form_pdf(form, FONTS, at=AT, page_image=lambda *_: None)))


def test_every_answer_stands_with_its_page_and_its_words() -> None:
    text = drawn(case_of(KIDNEY))
    assert 'Intent of the treatment (page 1) "some words"\ncurative' in text
    assert "T category (clinical, page 1)" in text
    assert "page 1 of" in text.splitlines()[0]


def test_names_keep_their_accents() -> None:
    text = drawn(case_of({"treatment_area": found("Łukasz’s left kidney – 2 cm, 李")}))
    assert "Núñez, José" in text
    assert "Łukasz’s left kidney – 2 cm, ?" in text


def test_what_needs_a_look_stands_first() -> None:
    case = case_of({**KIDNEY, "laterality": conflicting("left", "right")})
    first = drawn(case).split("Patient\n")[0]
    assert "Missing: The treatment area." in first
    assert "Side of the lesion to be treated: left or right, the packet says both" in first
    calm = case_of(KIDNEY, evaluation=None)
    assert "Look at first" not in drawn(calm)


def test_what_a_person_did_is_said_by_role() -> None:
    nora = By("nora", "medical_director")
    text = drawn(
        case_of(KIDNEY),
        intent=Touch(changed=nora, replaced=True),
        t=Touch(confirmed=nora),
        n=Touch(changed=nora),
    )
    assert [text.count(word) for word in ("changed", "confirmed", "entered")] == [1, 1, 1]
    assert text.count("director") == 3
    assert "nora" not in text


def test_the_same_form_gives_the_same_bytes() -> None:
    form = form_of(case_of(KIDNEY), CATALOG)
    one, other = (form_pdf(form, FONTS, at=AT, page_image=lambda *_: None) for _ in range(2))
    assert one == other


# --------------------------------------------------------------------------- pictures


@pytest.fixture(scope="module")
def packet(tmp_path_factory: pytest.TempPathFactory) -> Submission:
    return write_packet(tmp_path_factory.mktemp("packet"))


def _place(file: str, page: int, boxes: list[Box]) -> Evidence:
    return Evidence(file, page, "d1", 0, 1, "x", tuple(boxes))


@pytest.mark.parametrize(("file", "page"), [("a.pdf", 1), ("b.tif", 1), ("c.tif", 1)])
def test_the_words_are_cut_from_their_place(packet: Submission, file: str, page: int) -> None:
    """A text page, a fax upside down, a coarse fax with dots that are not square."""
    case = read_case(packet)
    boxes = true_boxes(packet, "Marlow, Edwina")
    form = form_of(replace(case, policy=POLICY.ref), CATALOG)
    form = replace(
        form,
        answers=tuple(
            replace(one, evidence=(_place(file, page, boxes),), candidates=()) for one in form.answers
        ),
    )
    images = page_images(form, packet, SETTINGS)
    assert set(images) == {(file, page)}
    cut = crop(_place(file, page, boxes), form.case, lambda *key: images.get(key))
    assert cut is not None
    inside = _ink(_framed(cut.picture))
    assert inside > 0.04  # letters
    blank = crop(
        _place(file, page, [Box(60.0, 500.0, 200.0, 512.0)]), form.case, lambda *key: images.get(key)
    )
    assert blank is not None
    assert _ink(_framed(blank.picture)) < 0.005


def _framed(picture: Image.Image) -> np.ndarray:
    """What the frame holds, without the frame."""
    dark = np.asarray(picture) < 100
    rows = np.flatnonzero(dark.sum(axis=1) > 0.2 * dark.shape[1])
    columns = np.flatnonzero(dark.sum(axis=0) > 0.45 * dark.shape[0])
    return dark[rows[0] + 3 : rows[-1] - 2, columns[0] + 3 : columns[-1] - 2]


def _ink(dark: np.ndarray) -> float:
    return float(dark.mean())


def test_a_page_that_cannot_be_opened_leaves_the_words(packet: Submission, tmp_path: Path) -> None:
    case = read_case(packet)
    gone = replace(packet, files=tuple(replace(one, path=tmp_path / "gone") for one in packet.files))
    for file in gone.files:
        file.path.write_bytes(b"")
    form = form_of(replace(case, policy=POLICY.ref), CATALOG)
    assert page_images(form, gone, SETTINGS) == {}
    text = "\n".join(text_of(form_pdf(form, FONTS, at=AT, page_image=lambda *_: None)))
    assert '"Marlow, Edwina"' in text


def test_the_place_that_is_shown_has_boxes() -> None:
    silent = Evidence("a.pdf", 1, "d1", 0, 1, "x")
    told = _place("a.pdf", 2, [Box(1, 2, 3, 4)])
    assert shown((silent, told)) is told
    assert shown((silent,)) is None


# --------------------------------------------------------------------------- formats


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_comes_as_it_is_called(name: str) -> None:
    made = rendered(form_of(case_of(KIDNEY), CATALOG), CATALOG, name, at=AT)
    start = {"application/pdf": b"%PDF", "text/csv; charset=utf-8": b"case_id,", "application/json": b"["}
    assert made.content.startswith(start.get(made.media_type, b'{\n  "resourceType"'))
    assert (made.media_type, made.ending) == FORMATS[name]


def test_there_is_no_other_format() -> None:
    with pytest.raises(UsageError, match="no format docx"):
        rendered(form_of(case_of(KIDNEY), CATALOG), CATALOG, "docx", at=AT)
