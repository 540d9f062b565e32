"""Whole submissions through the reading processes: nothing that is sent stops the rest, nothing is lost."""

from __future__ import annotations

import os
import struct
import time
import zlib
from pathlib import Path

import page_samples as samples
import pikepdf
import PIL.Image
import PIL.ImageDraw
import pytest

from pipeline.domain import Reading
from pipeline.errors import ConfigurationError
from pipeline.intake.folder import receive
from pipeline.pages import Workers, read_submission, reading_processes
from pipeline.settings import Settings, load_settings


def settings(**changes: str) -> Settings:
    return load_settings({f"TRIAGE_{name.upper()}": value for name, value in changes.items()})


def read(*paths: Path, **changes: str) -> Reading:
    return read_submission(receive(paths), settings(**{"ocr_engine": "none", **changes}))


def codes(reading: Reading) -> list[tuple[str | None, int | None, str]]:
    return [(problem.file, problem.page, problem.code) for problem in reading.problems]


def bad_page() -> PIL.Image.Image:
    """A page with a black bar across its top."""
    image = good_page()
    PIL.ImageDraw.Draw(image).rectangle((0, 0, 850, 200), fill=0)
    return image


def good_page() -> PIL.Image.Image:
    image = PIL.Image.new("L", (850, 1100), 255)
    PIL.ImageDraw.Draw(image).rectangle((100, 400, 300, 420), fill=0)
    return image


def three_pages(path: Path) -> Path:
    """A TIFF whose second page is bad."""
    pages = [good_page(), bad_page(), good_page()]
    pages[0].save(path, "TIFF", save_all=True, append_images=pages[1:], dpi=(100, 100))
    return path


def test_pages_of_several_files_in_order(tmp_path: Path) -> None:
    samples.text_pdf(tmp_path / "b.pdf", pages=3)
    three_pages(tmp_path / "a.tif")
    seen: list[tuple[int, int]] = []
    reading = read_submission(
        receive([tmp_path]),
        settings(ocr_engine="none"),
        on_page=lambda done, total: seen.append((done, total)),
    )
    assert [(page.file, page.number) for page in reading.pages] == [
        *(("a.tif", number) for number in (1, 2, 3)),
        *(("b.pdf", number) for number in (1, 2, 3)),
    ]
    assert reading.page_counts == {"a.tif": 3, "b.pdf": 3}
    assert reading.problems == ()
    assert seen == [(number, 6) for number in range(1, 7)]
    assert [page.duplicate_of for page in reading.pages[3:]] == [None, ("b.pdf", 1), ("b.pdf", 1)]


def test_a_small_digital_letter_is_read_at_once(tmp_path: Path) -> None:
    samples.text_pdf(tmp_path / "a.pdf")
    start = time.perf_counter()
    assert read(tmp_path / "a.pdf").pages[0].source == "text"
    assert time.perf_counter() - start < 5  # half a second on a quiet machine


@pytest.mark.parametrize(
    ("engine", "code", "limits"),
    [
        ("crash", "crashed", {}),
        ("hang", "timed_out", {"page_timeout_s": "1.5"}),
        ("eat", "out_of_memory", {"worker_memory_mb": "1000"}),
    ],
)
def test_a_page_that_breaks_the_reader_costs_one_page(
    tmp_path: Path, engine: str, code: str, limits: dict[str, str]
) -> None:
    path = three_pages(tmp_path / "fax.tif")
    reading = read(path, ocr_engine=f"failing_engines:{engine}", workers="1", **limits)
    assert [page.number for page in reading.pages] == [1, 3]
    assert codes(reading) == [("fax.tif", 2, code)]
    assert reading.page_counts == {"fax.tif": 3}


def processes_of(workers: Workers) -> list[int]:
    return sorted(one.process.pid for one in workers._idle)


def test_reading_processes_are_kept_and_let_go_of_what_they_read(tmp_path: Path) -> None:
    first, second = samples.text_pdf(tmp_path / "a.pdf"), samples.text_pdf(tmp_path / "b.pdf", pages=2)
    with reading_processes(settings(ocr_engine="none")) as workers:
        read_submission(receive([first]), settings(ocr_engine="none"), workers=workers)
        before = processes_of(workers)
        reading = read_submission(receive([second]), settings(ocr_engine="none"), workers=workers)
        assert (len(before), processes_of(workers)) == (1, before)
        assert reading == read(second)
        held = Path(f"/proc/{before[0]}/fd")
        if held.is_dir():
            assert not [link for link in held.iterdir() if os.readlink(link).endswith(".pdf")]


def test_a_reading_process_that_ends_while_it_waits_costs_no_page(tmp_path: Path) -> None:
    fax = three_pages(tmp_path / "fax.tif")
    with reading_processes(settings(ocr_engine="none")) as workers:
        read_submission(receive([fax]), settings(ocr_engine="none"), workers=workers)
        for one in workers._idle:
            one.process.kill()
            one.process.wait()
        again = read_submission(receive([fax]), settings(ocr_engine="none"), workers=workers)
    assert again == read(fax)


def test_a_reading_process_has_no_key_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a stranger's file may take over has nothing to give away."""
    monkeypatch.setenv("TRIAGE_KEYS", "k1=secret")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "triage:secret")
    monkeypatch.setenv("TESSDATA_PREFIX", "kept")
    with reading_processes(settings(ocr_engine="none")) as workers:
        workers.start()
        environ = Path(f"/proc/{processes_of(workers)[0]}/environ")
        if not environ.exists():
            pytest.skip("only Linux shows the environment of a process")
        names = {entry.split(b"=")[0] for entry in environ.read_bytes().split(b"\0") if entry}
    assert not [name for name in names if name.startswith((b"TRIAGE_", b"PREFECT_"))]
    assert {b"TESSDATA_PREFIX", b"OMP_THREAD_LIMIT", b"PATH"} <= names


def test_reading_that_is_broken_off_leaves_nothing_to_the_next(tmp_path: Path) -> None:
    fax, letter = three_pages(tmp_path / "fax.tif"), samples.text_pdf(tmp_path / "letter.pdf")

    def stop(done: int, of: int) -> None:
        raise InterruptedError

    with reading_processes(settings(ocr_engine="none")) as workers:
        with pytest.raises(InterruptedError):
            read_submission(receive([fax]), settings(ocr_engine="none"), workers=workers, on_page=stop)
        reading = read_submission(receive([letter]), settings(ocr_engine="none"), workers=workers)
    assert reading == read(letter)


def test_the_text_of_an_error_stays_in_its_process(tmp_path: Path) -> None:
    reading = read(three_pages(tmp_path / "fax.tif"), ocr_engine="failing_engines:fail")
    assert [code for _, _, code in codes(reading)] == ["crashed"] * 3
    assert "RuntimeError" in reading.problems[0].message
    assert "Marlow" not in str(reading.problems)


def test_a_missing_engine_is_a_configuration_error(tmp_path: Path) -> None:
    path = three_pages(tmp_path / "fax.tif")
    with pytest.raises(ConfigurationError, match="Known engines"):
        read(path, ocr_engine="abbyy")
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        read(path, ocr_engine="no_such_module:recognize")


def encrypted(path: Path) -> None:
    samples.text_pdf(path)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.save(path, encryption=pikepdf.Encryption(owner="o", user="u"))


def owner_only(path: Path) -> None:
    samples.text_pdf(path)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.save(path, encryption=pikepdf.Encryption(owner="o", user=""))


def cut(path: Path, share: float = 0.5) -> None:
    samples.text_pdf(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def cut_tiff(path: Path) -> None:
    samples.fax(samples.text_pdf(path)).save(path, "TIFF", dpi=(204, 196))
    path.write_bytes(path.read_bytes()[:300])


def bomb(path: Path) -> None:
    """A PNG that says it has 900 million pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 30000, 30000, 1, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(100))
    chunks = [
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (header, data)
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def pdf_bomb(path: Path) -> None:
    """A PDF of some kilobytes whose one image has 900 million pixels."""
    samples.image_pdf(path, good_page())
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        image = next(iter(pdf.pages[0].get_images().values()))
        image.Width, image.Height = 30000, 30000
        pdf.save(path)


def huge_page(path: Path) -> None:
    """A scanned page of 200 inches by 200: at a resolution to read it by, it has a gigapixel."""
    samples.image_pdf(path, bad_page(), (14400, 14400))
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.pages[0].contents_add(b"0 0 50 50 re f")
        pdf.save(path)


def huge_page_of_text(path: Path) -> None:
    """200 inches by 200 with a text layer: nothing to draw, so nothing too large."""
    samples.text_pdf(path)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.pages[0].mediabox = [0, 0, 14400, 14400]
        pdf.save(path)


def many_pages(path: Path) -> None:
    with pikepdf.new() as pdf:
        for _ in range(51):
            pdf.add_blank_page()
        pdf.save(path)


@pytest.mark.parametrize(
    ("make", "code", "page"),
    [
        (encrypted, "encrypted", None),
        (lambda path: path.write_bytes(b""), "empty", None),
        (cut, "truncated", None),
        (cut_tiff, "truncated", 1),
        (lambda path: path.write_bytes(b"PK\x03\x04 a letter"), "unsupported_type", None),
        (lambda path: path.write_bytes(b"%PDF-1.7\n" + b"\x00\xff" * 500), "truncated", None),
        (lambda path: path.write_bytes(b"II*\x00\xff\xff\xff\xff" + b"\x00" * 50), "truncated", None),
        (lambda path: path.write_bytes(b"%PDF-1.7\n" + b" " * 3 * 2**20), "too_large", None),
        (bomb, "too_large", None),
        (pdf_bomb, "too_large", 1),
        (huge_page, "too_large", 1),
        (many_pages, "too_many_pages", None),
    ],
)
def test_a_file_that_cannot_be_read_is_a_problem_and_the_others_are_read(
    tmp_path: Path, make: object, code: str, page: int | None
) -> None:
    make(tmp_path / "bad.pdf")  # type: ignore[operator]
    samples.text_pdf(tmp_path / "good.pdf")
    reading = read(tmp_path, max_file_mb="2", max_pages="50")
    assert codes(reading) == [("bad.pdf", page, code)]
    assert reading.problems[0].message.endswith(".")
    assert [read_page.file for read_page in reading.pages] == ["good.pdf"]
    assert reading.page_counts == {"bad.pdf": page or 0, "good.pdf": 1}


def with_script_and_file(path: Path) -> None:
    """A PDF that wants to run a script when it is opened and carries another file inside."""
    samples.text_pdf(path)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="while(1) app.alert('Pay');")
        pdf.attachments["invoice.exe"] = pikepdf.AttachedFileSpec(pdf, b"MZ" + bytes(5000))
        pdf.save(path)


def turned_in_a_circle(path: Path) -> None:
    """A PDF whose page draws a form that draws itself, without end."""
    samples.text_pdf(path)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        form = pdf.make_stream(b"/Again Do", Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Form)
        form.BBox = [0, 0, 612, 792]
        form.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Again=form))
        page = pdf.pages[0]
        page.Resources.XObject = pikepdf.Dictionary(Again=form)
        page.contents_add(b"/Again Do")
        pdf.save(path)


def test_files_and_scripts_inside_are_told_and_left_alone(tmp_path: Path) -> None:
    with_script_and_file(tmp_path / "odd.pdf")
    reading = read(tmp_path / "odd.pdf")
    assert [page.text for page in reading.pages] == [samples_text(tmp_path)]
    assert codes(reading) == [("odd.pdf", None, "not_received"), ("odd.pdf", None, "script")]
    assert "not opened: 1" in reading.problems[0].message
    assert "not run" in reading.problems[1].message


def samples_text(folder: Path) -> str:
    return read(samples.text_pdf(folder / "plain.pdf")).pages[0].text


@pytest.mark.parametrize("make", [owner_only, huge_page_of_text, turned_in_a_circle])
def test_odd_files_that_can_be_read_are_read(tmp_path: Path, make: object) -> None:
    make(tmp_path / "odd")  # type: ignore[operator]
    reading = read(tmp_path / "odd")
    assert reading.problems == ()
    assert len(reading.pages) == reading.page_counts["odd"] > 0


def doubling_forms(page: pikepdf.Page, pdf: pikepdf.Pdf) -> None:
    """Forms that each draw the next one eight times: twelve of them make billions of marks."""
    form = pdf.make_stream(b"0 0 1 1 re f", Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Form)
    form.BBox = [0, 0, 612, 792]
    for _ in range(12):
        outer = pdf.make_stream(b"/In Do " * 8, Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Form)
        outer.BBox = [0, 0, 612, 792]
        outer.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(In=form))
        form = outer
    page.Resources.XObject = pikepdf.Dictionary(In=form)
    page.contents_add(b"/In Do")


def test_a_page_without_end_costs_that_page_and_not_its_file(tmp_path: Path) -> None:
    path = samples.text_pdf(tmp_path / "fax.pdf", pages=3)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        doubling_forms(pdf.pages[1], pdf)
        pdf.save(path)
    reading = read(path, page_timeout_s="3")
    assert [page.number for page in reading.pages] == [1, 3]
    assert codes(reading) == [("fax.pdf", 2, "timed_out")]


def test_a_drawing_of_very_many_strokes_is_read(tmp_path: Path) -> None:
    """Its squares are no tick boxes, for which pdfplumber would look for minutes."""
    path = samples.text_pdf(tmp_path / "map.pdf")
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.pages[0].contents_add(b"0 0 10 10 re f " * 100_000)
        pdf.save(path)
    reading = read(path, page_timeout_s="20")
    assert (codes(reading), len(reading.pages)) == ([], 1)


def test_a_photograph_whose_dots_were_taken_for_points_is_read(tmp_path: Path) -> None:
    """A page of 42 by 56 inches, as phones make them; enlarged to be read it would not fit the memory."""
    note = samples.text_pdf(tmp_path / "note.pdf")
    photo = PIL.Image.fromarray(samples.draw(note, (356, 356)))
    samples.image_pdf(tmp_path / "photo.pdf", photo, photo.size)
    reading = read(tmp_path / "photo.pdf", ocr_engine="tesseract")
    [page] = reading.pages
    assert (page.width, page.height) == pytest.approx(photo.size, abs=2)
    box = samples.quote_box(page, "percutaneous cryoablation")
    truth = [word for word in samples.true_words(note) if word[0] in ("percutaneous", "cryoablation")]
    assert box is not None
    scaled = samples.Box(
        *(edge * photo.size[0] / 612 for edge in samples.joined([word[1] for word in truth]))
    )
    assert samples.iou(box, scaled) > 0.7


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PK\x03\x04 a letter", "ZIP archive or an Office document"),
        (b"<html><body>Session expired", "a web page"),
        (bytes(500), "nothing but zeros"),
        (b"GIF89a", "a GIF picture"),
        (bytes(128) + b"DICM", "a DICOM image"),
        (b"What is this?", "is not a PDF, TIFF, PNG or JPEG. Ask"),
    ],
)
def test_a_clerk_is_told_what_a_file_seems_to_be(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "fax.pdf").write_bytes(content)
    reading = read(tmp_path / "fax.pdf")
    assert codes(reading) == [("fax.pdf", None, "unsupported_type")]
    assert told in reading.problems[0].message


@pytest.mark.parametrize(("wide", "told"), [(32_767, ["too_large"]), (30_000, [])])
def test_a_side_of_more_pixels_than_can_be_levelled_is_told(
    wide: int, told: list[str], tmp_path: Path
) -> None:
    """Found among broken TIFF files: a width of 32,767 was told as a failure of ours."""
    image = PIL.Image.new("L", (wide, 400), 255)
    PIL.ImageDraw.Draw(image).rectangle((200, 100, 2000, 300), fill=0)
    image.save(tmp_path / "long.tif")
    assert [code for _, _, code in codes(read(tmp_path / "long.tif"))] == told


def test_a_page_too_large_to_be_read_is_told_in_inches(tmp_path: Path) -> None:
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(14400, 14400))
        pdf.save(tmp_path / "poster.pdf")
    reading = read(tmp_path / "poster.pdf")
    assert codes(reading) == [("poster.pdf", 1, "too_large")]
    assert "200 by 200 inches" in reading.problems[0].message


def test_what_is_left_of_a_file_is_read_and_the_loss_is_told(tmp_path: Path) -> None:
    path = samples.text_pdf(tmp_path / "fax.pdf", pages=3)
    path.write_bytes(path.read_bytes().rsplit(b"startxref", 1)[0])
    reading = read(path)
    assert codes(reading) == [("fax.pdf", None, "truncated")]
    assert len(reading.pages) == 3


@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_file_cut_off_anywhere_is_never_whole_without_a_problem(tmp_path: Path, tenth: int) -> None:
    cut(tmp_path / "fax.pdf", tenth / 10)
    reading = read(tmp_path / "fax.pdf")
    assert [code for _, _, code in codes(reading)] == ["truncated"]


def test_a_page_tree_that_holds_itself_ends(tmp_path: Path) -> None:
    path = samples.text_pdf(tmp_path / "loop.pdf")
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.Root.Pages.Kids = pikepdf.Array([pdf.Root.Pages])
        pdf.save(path)
    reading = read(path, page_timeout_s="10")
    assert reading.page_counts == {
        "loop.pdf": len(reading.pages) + len({page for _, page, _ in codes(reading)} - {None})
    }
    assert reading.problems


def test_five_thousand_pages_are_parked_at_once(tmp_path: Path) -> None:
    with pikepdf.new() as pdf:
        for _ in range(5000):
            pdf.add_blank_page()
        pdf.save(tmp_path / "book.pdf")
    start = time.perf_counter()
    reading = read(tmp_path / "book.pdf")
    assert codes(reading) == [("book.pdf", None, "too_many_pages")]
    assert "5000 pages; 500 are allowed" in reading.problems[0].message
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(("tag", "value"), [(256, 60000), (257, 60000), (258, 255), (259, 9999), (278, 0)])
def test_a_tiff_with_a_lying_header_is_a_problem_or_a_page(tmp_path: Path, tag: int, value: int) -> None:
    """Width, height, bits a sample, compression or rows a strip are not what the file holds."""
    samples.fax(samples.text_pdf(tmp_path / "note.pdf")).save(tmp_path / "fax.tif", "TIFF", dpi=(204, 196))
    (tmp_path / "note.pdf").unlink()
    data = bytearray((tmp_path / "fax.tif").read_bytes())
    start = struct.unpack_from("<I", data, 4)[0]
    for entry in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", data, start)[0], 12):
        if struct.unpack_from("<H", data, entry)[0] == tag:
            struct.pack_into("<HII", data, entry + 2, 4, 1, value)
    (tmp_path / "fax.tif").write_bytes(data)
    reading = read(tmp_path / "fax.tif")
    assert len(reading.pages) + len(reading.problems) == 1
    assert {code for _, _, code in codes(reading)} <= {"truncated", "too_large"}
