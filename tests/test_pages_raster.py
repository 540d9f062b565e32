"""Page images: fax and scan formats, orientation, skew, blank pages, boxes on the upright page."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import page_samples as samples
import PIL.Image
import pytest

from pipeline.domain import Page
from pipeline.ocr import Engine, OcrWord, load
from pipeline.pages import FilePages, raster, read_pages
from pipeline.pages.leftover import look_again
from pipeline.pages.stored import Raster
from pipeline.pages.ticks import read_ticks

WORDS = " ".join(samples.NOTE).split()
QUOTES = ("Patient: Marlow, Edwina", "measured 2.7 cm on the scan of 03/14/2026.", "right lower pole mass.")


@pytest.fixture(scope="module")
def note(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return samples.text_pdf(tmp_path_factory.mktemp("raster") / "note.pdf", size=12)


def recognised(path: Path) -> FilePages:
    return read_pages(samples.source(path), load("tesseract"))


def unread(path: Path) -> Page:
    """The page without recognition: for what is told from the image alone."""
    return read_pages(samples.source(path), load("none")).pages[0]


def share_read(page: Page) -> float:
    return len(set(WORDS) & set(page.text.split())) / len(set(WORDS))


def save_tiff(path: Path, image: PIL.Image.Image, dpi: tuple[float, float], **how: object) -> Path:
    image.save(path, "TIFF", dpi=dpi, **how)
    return path


@pytest.mark.parametrize("dpi", [(204, 196), (204, 98)], ids=["fine", "standard"])
@pytest.mark.parametrize(
    "how",
    [
        {"compression": "group4"},
        {"compression": "group3"},
        {"compression": "group3", "tiffinfo": {292: 1}},
        {"compression": "tiff_ccitt"},
        {"compression": "group4", "tiffinfo": {266: 2}},
    ],
    ids=["G4", "G3-1D", "G3-2D", "CCITT", "fill order"],
)
def test_fax_codecs_give_the_same_page(
    note: Path, tmp_path: Path, dpi: tuple[float, float], how: dict[str, object]
) -> None:
    image = samples.fax(note, dpi)
    path = save_tiff(tmp_path / "fax", image, dpi, **how)
    with PIL.Image.open(path) as stored:
        assert stored.mode == "1"
    page = unread(path)
    assert (page.width, page.height) == pytest.approx(samples.LETTER, abs=1)
    assert not page.blank
    from pipeline.pages.images import ImagePages

    assert np.array_equal(ImagePages(path, max_megapixels=60).raster(1).image < 128, ~np.asarray(image))


@pytest.mark.parametrize("dpi", [(204, 196), (204, 98)], ids=["fine", "standard"])
def test_a_fax_is_read(note: Path, tmp_path: Path, dpi: tuple[float, float]) -> None:
    page = recognised(
        save_tiff(tmp_path / "fax.tif", samples.fax(note, dpi), dpi, compression="group4")
    ).pages[0]
    assert share_read(page) > 0.95
    assert page.mean_confidence is not None
    assert page.mean_confidence > 0.8
    assert all(page.text[word.start : word.end] == word.text for word in page.words)


def test_digits_have_to_be_confirmed_on_a_standard_fax_alone(tmp_path: Path) -> None:
    lines = [*samples.NOTE, "", "Member number 7741-0093-5"]
    note = samples.text_pdf(tmp_path / "note.pdf", lines, size=12)

    def words(dpi: tuple[float, float]) -> dict[str, bool]:
        path = save_tiff(tmp_path / "fax.tif", samples.fax(note, dpi), dpi, compression="group4")
        return {word.text: word.confirmed for word in recognised(path).pages[0].words}

    assert set(words((204, 196)).values()) == {True}
    standard = words((204, 98))
    assert standard["7741-0093-5"]
    assert not standard["2.7"]  # too short to be asked about, and a date is not asked about either
    assert not standard["03/14/2026."]
    assert all(confirmed for word, confirmed in standard.items() if word.isalpha())


@pytest.mark.parametrize(
    ("dpi", "grey", "coarse"),
    [
        ((204, 98), False, True),
        ((98, 204), False, True),
        ((204, 196), False, False),
        ((204, 98), True, False),
    ],
)
def test_coarse_is_a_fax_of_standard_resolution(
    dpi: tuple[float, float], *, grey: bool, coarse: bool
) -> None:
    image = np.full((700, 700), 255, np.uint8)
    image[:, ::3] = 120 if grey else 0
    assert raster.is_coarse(Raster(image, *dpi)) is coarse


def test_white_on_black_is_read(note: Path, tmp_path: Path) -> None:
    image = samples.fax(note).point(lambda value: 255 - value)
    assert share_read(recognised(save_tiff(tmp_path / "fax.tif", image, (204, 196))).pages[0]) > 0.95


def test_every_page_of_a_tiff_is_a_page(note: Path, tmp_path: Path) -> None:
    images = [samples.fax(note), PIL.Image.new("1", (1728, 2156), 1), samples.fax(note)]
    path = tmp_path / "fax.tif"
    images[0].save(
        path, "TIFF", save_all=True, append_images=images[1:], dpi=(204, 196), compression="group4"
    )
    pages = read_pages(samples.source(path), load("none")).pages
    assert [(page.number, page.blank) for page in pages] == [(1, False), (2, True), (3, False)]


@pytest.mark.parametrize(
    ("size", "dpi", "points"),
    [
        ((1728, 1078), None, (610, 792)),
        ((1728, 2156), None, (610, 792)),
        ((1700, 2200), (72, 72), (612, 792)),
        ((2550, 3300), (300, 300), (612, 792)),
        ((2200, 1700), None, (792, 612)),
    ],
)
def test_page_size_without_a_believable_resolution(
    tmp_path: Path, size: tuple[int, int], dpi: tuple[int, int] | None, points: tuple[float, float]
) -> None:
    path = tmp_path / "page.png"
    PIL.Image.new("L", size, 255).save(path, **({"dpi": dpi} if dpi else {}))
    page = unread(path)
    assert (page.width, page.height) == pytest.approx(points, abs=2)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "I;16"])
def test_colour_modes_become_grey(note: Path, tmp_path: Path, mode: str) -> None:
    grey = PIL.Image.fromarray(samples.draw(note))
    if mode == "I;16":
        image = PIL.Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    else:
        image = grey.convert("RGB").convert(mode)
    path = tmp_path / "page"
    image.save(path, "TIFF" if mode in ("CMYK", "I;16") else "PNG", dpi=(200, 200))
    from pipeline.pages.images import ImagePages

    seen = ImagePages(path, max_megapixels=60).raster(1).image
    assert np.abs(seen.astype(int) - np.asarray(grey)).mean() < 3


@pytest.mark.parametrize(("degrees", "skew"), [(0, 0), (0, 2), (90, 0), (180, -1.5), (270, 1)])
def test_boxes_stand_on_the_words_of_the_upright_page(
    note: Path, tmp_path: Path, degrees: int, skew: float
) -> None:
    """`degrees` is how the sheet was turned clockwise, `skew` how crooked it was laid."""
    image = samples.draw(note, (204, 204))
    height, width = image.shape
    crooked = cv2.getRotationMatrix2D((width / 2, height / 2), -skew, 1)
    image = np.asarray(cv2.warpAffine(image, crooked, (width, height), borderValue=(255,)), np.uint8)
    image = np.ascontiguousarray(np.rot90(image, -degrees // 90))
    size = samples.LETTER if degrees % 180 == 0 else samples.LETTER[::-1]
    page = recognised(samples.image_pdf(tmp_path / "scan.pdf", PIL.Image.fromarray(image), size)).pages[0]

    assert page.rotation == -degrees % 360
    assert (page.width, page.height) == pytest.approx(samples.LETTER, abs=1)
    assert share_read(page) > 0.95
    for quote in QUOTES:
        box, truth = samples.quote_box(page, quote), true_box(note, quote, crooked)
        assert box is not None
        assert samples.iou(box, truth) > 0.8


def true_box(note: Path, quote: str, crooked: np.ndarray) -> samples.Box:
    """The quote's ink on the page as it was laid, in points."""
    words = samples.true_words(note)
    texts, wanted = [text for text, _ in words], quote.split()
    start = next(i for i in range(len(texts)) if texts[i : i + len(wanted)] == wanted)
    scale = 204 / 72
    corners = [
        (x * scale, y * scale, 1)
        for _, box in words[start : start + len(wanted)]
        for x in (box.x0, box.x1)
        for y in (box.top, box.bottom)
    ]
    xs, ys = crooked @ np.array(corners).T / scale
    return samples.Box(xs.min(), ys.min(), xs.max(), ys.max())


def noisy(image: np.ndarray, specks: int) -> np.ndarray:
    generator = np.random.default_rng(7)
    image = image.copy()
    image[generator.integers(0, image.shape[0], specks), generator.integers(0, image.shape[1], specks)] = 0
    return image


def test_specks_that_stand_alone_go_and_dots_stay(note: Path) -> None:
    image = np.where(samples.draw(note, (204, 196)) < 150, 0, 255).astype(np.uint8)
    cleaned = raster.clean(Raster(noisy(image, 300), 204, 196)).image
    assert np.array_equal(cleaned[image == 0], image[image == 0])
    assert ((cleaned == 0) & (image == 255)).sum() < 60


@pytest.mark.parametrize("specks", [0, 200])
def test_blank_pages(specks: int) -> None:
    paper = np.full((2156, 1728), 255, np.uint8)
    assert raster.is_blank(raster.clean(Raster(noisy(paper, specks), 204, 196)))


def test_a_grey_scan_of_nothing_is_blank() -> None:
    paper = np.random.default_rng(7).normal(225, 8, (2200, 1700)).clip(0, 255).astype(np.uint8)
    assert raster.is_blank(raster.clean(Raster(paper, 200, 200)))


@pytest.mark.parametrize("text", ["Signed: E. Marlow, 11/23/2026", "This page intentionally left blank"])
def test_one_line_is_not_blank(tmp_path: Path, text: str) -> None:
    image = samples.draw(samples.text_pdf(tmp_path / "a.pdf", [text]))
    assert not raster.is_blank(raster.clean(Raster(image, 200, 200)))


@pytest.mark.parametrize(("paper", "ink"), [(255, 175), (120, 20), (200, 120)], ids=["faint", "dark", "grey"])
def test_faint_and_dark_scans_become_black_on_white(note: Path, paper: int, ink: int) -> None:
    drawn = samples.draw(note)
    image = (ink + drawn.astype(float) / 255 * (paper - ink)).astype(np.uint8)
    cleaned = raster.clean(Raster(image, 200, 200)).image
    assert np.median(cleaned) > 230
    inked = (drawn < 60).mean()
    assert 0.8 * inked < (cleaned < 128).mean() < 2.5 * inked


@pytest.mark.parametrize("skew", [-2.0, -0.7, 0.0, 1.3])
def test_skew_is_found(note: Path, skew: float) -> None:
    image = samples.draw(note)
    height, width = image.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -skew, 1)
    crooked = np.asarray(cv2.warpAffine(image, matrix, (width, height), borderValue=(255,)), np.uint8)
    assert raster.find_skew(crooked, 200) == pytest.approx(skew, abs=0.15)


def test_exif_orientation_is_honoured(note: Path, tmp_path: Path) -> None:
    image = PIL.Image.fromarray(samples.draw(note)).transpose(PIL.Image.Transpose.ROTATE_90)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image.save(tmp_path / "photo.jpg", exif=exif, dpi=(200, 200))
    page = recognised(tmp_path / "photo.jpg").pages[0]
    assert page.rotation == 90
    assert (page.width, page.height) == pytest.approx(samples.LETTER, abs=1)
    assert share_read(page) > 0.9


FORM = (
    "PRECERTIFICATION REQUEST",
    "Review       [X] Standard    [ ] Expedited",
    "Place        [ ] office    [X] outpatient    [ ] inpatient",
    "Earlier request for this service    [ ] Yes   [X] No",
)


@pytest.mark.parametrize("font", ["Times", "Helvetica", "Courier"])
@pytest.mark.parametrize("dpi", [(204, 196), (204, 98)], ids=["fine", "standard"])
def test_tick_boxes_of_a_faxed_form(tmp_path: Path, font: str, dpi: tuple[float, float]) -> None:
    image = samples.fax(samples.text_pdf(tmp_path / "a.pdf", FORM, font=font, size=12), dpi)
    text = recognised(save_tiff(tmp_path / "fax.tif", image, dpi)).pages[0].text
    printed = "\n".join(FORM)
    assert text.count("[X]") == printed.count("[X]")
    # On a coarse fax one empty box may be lost; none may be made up.
    assert printed.count("[ ]") - (dpi[1] < 100) <= text.count("[ ]") <= printed.count("[ ]")
    for ticked in ("Standard", "outp", "No"):
        assert f"[X] {ticked}" in text


def box_word(text: str, x0: float, x1: float, line: int = 1) -> OcrWord:
    return OcrWord(text, x0, 20, x1, 46, 0.8, line)


def drawn_box(inside: str) -> np.ndarray:
    image = np.full((70, 120), 255, np.uint8)
    image[20:46, 20:23] = image[20:46, 45:48] = 0  # the strokes of two brackets
    if inside:
        cv2.line(image, (27, 22), (40, 43), (0,), 3)
        cv2.line(image, (40, 22), (27, 43), (0,), 3)
    return image


@pytest.mark.parametrize(
    ("inside", "words", "read"),
    [
        ("", [box_word("[]", 20, 48)], ["[ ]"]),
        ("", [box_word("[1", 20, 48)], ["[ ]"]),
        ("", [box_word("[", 20, 26), box_word("|", 42, 48)], ["[ ]"]),
        ("", [box_word("[", 20, 26)], ["[ ]"]),
        ("", [box_word("(ER)", 20, 80)], ["(ER)"]),
        ("", [box_word("[Initial", 20, 90)], ["[Initial"]),
        ("", [box_word("[]F", 20, 70)], ["[ ]", "F"]),
        ("", [box_word("[X]", 20, 48)], ["[X]"]),
        ("X", [box_word("|X]", 20, 48)], ["[X]"]),
        ("X", [box_word("[X", 20, 48)], ["[X]"]),
        ("X", [box_word("[1", 20, 48)], ["[1"]),
        ("X", [box_word("[1]", 20, 48)], ["[1]"]),
        ("X", [box_word("IX", 20, 48)], ["IX"]),
        ("X", [box_word("X", 20, 48)], ["X"]),
        ("X", [box_word("[sic]", 20, 48)], ["[sic]"]),
    ],
)
def test_what_can_be_a_tick_box_is_decided_by_its_ink(
    inside: str, words: list[OcrWord], read: list[str]
) -> None:
    assert [word.text for word in read_ticks(drawn_box(inside), words)] == read


def test_words_that_were_passed_over_are_read_at_a_second_look(note: Path) -> None:
    image = raster.prepare(Raster(samples.draw(note), 200, 200)).image
    whole = load("tesseract")

    def forgetful(image: np.ndarray, dpi: float) -> list[OcrWord]:
        return [word for word in whole.recognize(image, dpi) if word.text not in ("right", "DOB", "surgery")]

    first = forgetful(image, 200)
    assert sorted(word.text for word in look_again(image, 200, first, whole)) == sorted(WORDS)
    assert look_again(image, 200, first, Engine(forgetful)) == first
    # A page with rows of dots can lose every word at first.
    assert sorted(word.text for word in look_again(image, 200, [], whole)) == sorted(WORDS)


@pytest.mark.parametrize(
    ("box", "confidence"), [((0, 0, 80, 14), 0.9), ((0, 0, 14, 80), 0.0)], ids=["level", "upwards"]
)
def test_words_that_run_up_the_page_are_not_read_well(box: tuple[int, ...], confidence: float) -> None:
    from pipeline.pages.reading import _confidence

    assert _confidence([OcrWord("summary", *box, 0.9, 1)] * 3) == pytest.approx(confidence)


def test_a_box_is_drawn_close_around_the_ink() -> None:
    page = np.full((200, 200), 255, np.uint8)
    page[90:100, 40:80] = 0
    prepared = raster.Prepared(page, page, 72, 0.0)
    assert prepared.level_box(35, 80, 90, 120) == (40, 90, 80, 100)
    assert prepared.level_box(120, 20, 150, 40) == (120, 20, 150, 40)
