"""Text layers: words, boxes, rotation, forms, and when not to trust them."""

from __future__ import annotations

from pathlib import Path

import fpdf
import page_samples as samples
import pikepdf
import pypdfium2
import pytest

from pipeline.domain import Page
from pipeline.errors import UnreadableFile
from pipeline.ocr import load
from pipeline.pages import plumber, read_pages
from pipeline.pages.geometry import Token
from pipeline.pages.pdf import PdfPages


def read(path: Path) -> Page:
    return read_pages(samples.source(path), load("none")).pages[0]


def fast_words(path: Path) -> list[Token]:
    layer = PdfPages(path, max_megapixels=60).text_layer(1)
    assert layer is not None
    return list(layer.tokens)


@pytest.mark.parametrize("font", ["Helvetica", "Times", "Courier"])
@pytest.mark.parametrize("size", [8, 11, 14])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_fast_way_and_pdfplumber_agree(tmp_path: Path, font: str, size: float, degrees: int) -> None:
    path = samples.text_pdf(tmp_path / "a.pdf", font=font, size=size)
    path = (
        samples.set_rotate(
            samples.turn_content(path, tmp_path / "b.pdf", degrees), tmp_path / "c.pdf", -degrees % 360
        )
        if degrees
        else path
    )
    # In large Courier the last word of a line stands outside the page, where nobody sees it.
    width, height = pypdfium2.PdfDocument(path)[0].get_size()
    on_page = [word for word in plumber.words(path, 1) if word.box.x0 < width and word.box.top < height]
    fast, slow = fast_words(path), [word for word in on_page if word.box.x1 > 0 and word.box.bottom > 0]
    assert [word.text for word in fast] == [word.text for word in slow]
    for one, other in zip(fast, slow, strict=True):
        assert max(abs(a - b) for a, b in zip(one.box, other.box, strict=True)) < 2


def test_text_is_laid_out_as_printed(tmp_path: Path) -> None:
    page = read(samples.text_pdf(tmp_path / "a.pdf", font="Courier"))
    assert page.text == "\n".join(samples.NOTE)
    assert (page.source, page.rotation, page.width, page.height) == ("text", 0, 612, 792)
    assert all(page.text[word.start : word.end] == word.text for word in page.words)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_content_is_read_upright(tmp_path: Path, degrees: int) -> None:
    upright = samples.text_pdf(tmp_path / "a.pdf")
    page = read(samples.turn_content(upright, tmp_path / "b.pdf", degrees))
    assert page.rotation == 360 - degrees
    assert (page.width, page.height) == samples.LETTER
    assert_same_place(page, read(upright))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotate_entry_over_upright_content_is_turned_back(tmp_path: Path, degrees: int) -> None:
    upright = samples.text_pdf(tmp_path / "a.pdf")
    page = read(samples.set_rotate(upright, tmp_path / "b.pdf", degrees))
    assert page.rotation == 0
    assert_same_place(page, read(upright))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotate_entry_that_makes_content_upright(tmp_path: Path, degrees: int) -> None:
    upright = samples.text_pdf(tmp_path / "a.pdf")
    turned = samples.turn_content(upright, tmp_path / "b.pdf", degrees)
    page = read(samples.set_rotate(turned, tmp_path / "c.pdf", 360 - degrees))
    assert page.rotation == 360 - degrees
    assert_same_place(page, read(upright))


def assert_same_place(page: Page, upright: Page) -> None:
    assert page.text == upright.text
    for one, other in zip(page.words, upright.words, strict=True):
        assert max(abs(a - b) for a, b in zip(one.box, other.box, strict=True)) < 0.01


def test_boxes_hold_the_ink(tmp_path: Path) -> None:
    path = samples.text_pdf(tmp_path / "a.pdf")
    for word, (text, ink) in zip(read(path).words, samples.true_words(path), strict=True):
        assert word.text == text
        assert word.box.x0 - 1 <= ink.x0 <= ink.x1 <= word.box.x1 + 1
        assert word.box.top - 0.5 <= ink.top <= ink.bottom <= word.box.bottom + 0.5


def test_crop_box_is_the_page(tmp_path: Path) -> None:
    path = samples.text_pdf(tmp_path / "a.pdf")
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.pages[0].cropbox = [50, 42, 612, 782]
        pdf.save(path)
    page = read(path)
    assert (page.width, page.height) == (562, 740)
    assert page.words[0].box.x0 == pytest.approx(10, abs=1)


def shifted(lines: tuple[str, ...]) -> list[str]:
    """What a font without a character map gives: every letter moved by the same step."""
    return ["".join(chr(ord(c) - 29) if ord(c) > 62 else c for c in line) for line in lines]


def test_garbage_is_not_a_text_layer(tmp_path: Path) -> None:
    path = samples.text_pdf(tmp_path / "a.pdf", shifted(samples.NOTE))
    assert PdfPages(path, max_megapixels=60).text_layer(1) is None


@pytest.mark.parametrize(
    "lines",
    [
        [line.upper() for line in samples.NOTE],
        ["ICD-10 C64.1", "CPT 50593"],
        ["07/21/2026  8.4  14.0  203  1.0  0.9  139  4.4"] * 6,
    ],
    ids=["capitals", "few words", "numbers"],
)
def test_odd_but_true_text_is_kept(tmp_path: Path, lines: list[str]) -> None:
    assert read(samples.text_pdf(tmp_path / "a.pdf", lines)).source == "text"


def over_scan(tmp_path: Path, text: list[str], mode: int) -> Path:
    """A page image with a text layer over it."""
    scan = samples.fax(samples.text_pdf(tmp_path / "scan.pdf"))
    pdf = fpdf.FPDF(unit="pt", format="letter")
    pdf.set_auto_page_break(False)
    pdf.add_page()
    scan.save(tmp_path / "scan.png")
    pdf.image(tmp_path / "scan.png", 0, 0, 612, 792)
    pdf.set_font("Helvetica", size=11)
    with pdf.local_context(text_mode=mode):
        for row, line in enumerate(text):
            pdf.text(60, 70 + row * 14.3, line)
    pdf.output(str(tmp_path / "a.pdf"))
    return tmp_path / "a.pdf"


def test_hidden_text_over_a_scan_is_not_trusted(tmp_path: Path) -> None:
    path = over_scan(tmp_path, list(samples.NOTE), mode=3)
    assert PdfPages(path, max_megapixels=60).text_layer(1) is None


def test_a_stamp_on_a_scan_is_not_the_page(tmp_path: Path) -> None:
    path = over_scan(
        tmp_path, ["Received by the plan on 08/19/2026 and numbered 26-0715-3390 for the file"], mode=0
    )
    pages = PdfPages(path, max_megapixels=60)
    assert pages.text_layer(1) is None
    assert (pages.raster(1).image < 128).mean() > 0.005


def test_a_logo_beside_the_text_does_no_harm(tmp_path: Path) -> None:
    path = samples.text_pdf(tmp_path / "a.pdf")
    assert read(path).source == "text"


def form(path: Path) -> Path:
    """Form fields as PDF editors make them: two tick boxes, one with its state in its parent, one text."""
    samples.text_pdf(path, ["Review of the request:      Standard        Expedited", "Member"])
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:

        def widget(rect: list[float], **entries: object) -> pikepdf.Object:
            made = pikepdf.Dictionary(
                Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Widget, Rect=rect, **entries
            )
            return pdf.make_indirect(made)

        button, text, on, off = pikepdf.Name.Btn, pikepdf.Name.Tx, pikepdf.Name.Yes, pikepdf.Name.Off
        parent = pdf.make_indirect(pikepdf.Dictionary(FT=button, T="review"))
        fields = [
            widget([180, 719, 190, 729], Parent=parent, AS=on),
            widget([240, 719, 250, 729], FT=button, T="fast", AS=off),
            widget([120, 700, 300, 714], FT=text, T="member", V="QRS 550017"),
        ]
        pdf.pages[0].Annots = pikepdf.Array(fields)
        pdf.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array(fields))
        pdf.save(path)
    return path


def test_form_fields_are_words(tmp_path: Path) -> None:
    lines = read(form(tmp_path / "a.pdf")).text.split("\n")
    assert lines[0].split() == ["Review", "of", "the", "request:", "[X]", "Standard", "[", "]", "Expedited"]
    assert lines[1].split() == ["Member", "QRS", "550017"]


def drawn_boxes(path: Path) -> Path:
    pdf = fpdf.FPDF(unit="pt", format="letter")
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    for row, (mark, label) in enumerate(
        [("cross", "Kidney"), ("", "Liver"), ("X", "Lung"), ("inner", "Bone")]
    ):
        top = 100 + 30 * row
        pdf.rect(60, top, 10, 10)
        if mark == "cross":
            pdf.line(61, top + 1, 69, top + 9)
            pdf.line(69, top + 1, 61, top + 9)
        elif mark == "inner":
            pdf.rect(62, top + 2, 6, 6, style="F")
        elif mark:
            pdf.text(61.5, top + 9, mark)
        pdf.text(80, top + 9, label)
    pdf.rect(60, 300, 10, 300)  # a margin bar is no box
    pdf.output(str(path))
    return path


def test_drawn_boxes_are_read_as_ticked_or_not(tmp_path: Path) -> None:
    text = read(drawn_boxes(tmp_path / "a.pdf")).text
    assert [" ".join(line.split()) for line in text.split("\n") if line] == [
        "[X] Kidney",
        "[ ] Liver",
        "[X] Lung",
        "[X] Bone",
    ]


def test_what_pdfium_refuses_is_a_damaged_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise pypdfium2.PdfiumError("no")

    monkeypatch.setattr(PdfPages, "_check_images", refuse)
    with pytest.raises(UnreadableFile, match="damaged") as refused:
        PdfPages(samples.text_pdf(tmp_path / "a.pdf"), max_megapixels=60).raster(1)
    assert refused.value.code == "truncated"


def test_a_hyphen_at_the_end_of_a_line_stays(tmp_path: Path) -> None:
    """pdfium joins the lines there and tells the hyphen as a character of its own."""
    lines = ["The plan is percutaneous cryo-", "ablation of the right renal mass with a follow\u00adup CT."]
    words = read(samples.text_pdf(tmp_path / "a.pdf", lines)).text.split()
    assert words[3:6] == ["percutaneous", "cryo-", "ablation"]
    assert words[-2] == "follow-up"
