"""Files broken on purpose, each in one way that is found in the wild or made by an attacker.

whole_files(folder) -> {name: bytes}      one sound file of each kind that is accepted
KINDS                                     ways to break a file, by name: (bytes, chooser) -> bytes
"""

from __future__ import annotations

import io
import random
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import fpdf
import img2pdf
import page_samples as samples
import pikepdf

Break = Callable[[bytes, random.Random], bytes]
_EXTREMES = (0, 1, 2, 7, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1)
_NUMBERS = (b"0", b"-1", b"1", b"65536", b"2147483647", b"-2147483648", b"1e38", b"99999999999999999999")
_HEADS = (b"%PDF-1.7\n", b"II*\0", b"MM\0*", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"")
_NAMES = (b"/FlateDecode", b"/DCTDecode", b"/CCITTFaxDecode", b"/JPXDecode", b"/JBIG2Decode", b"/LZWDecode")


def whole_files(folder: Path) -> dict[str, bytes]:
    """PDFs with text, a form, turned content and images of three codecs; TIFFs, a JPEG, a PNG."""
    note = samples.text_pdf(folder / "note.pdf", pages=2)
    fax = samples.fax(note, (102, 98))
    for name, how in (
        ("g4.tif", {"compression": "group4"}),
        ("g3.tif", {"compression": "group3"}),
        ("lzw.tif", {"compression": "tiff_lzw"}),
        ("raw.tif", {}),
    ):
        fax.save(folder / name, "TIFF", dpi=(102, 98), save_all=True, append_images=[fax], **how)
    fax.convert("L").save(folder / "scan.jpg")
    fax.save(folder / "scan.png")
    samples.turn_content(note, folder / "turned.pdf", 90)
    samples.image_pdf(folder / "scan.pdf", fax)
    (folder / "jpeg.pdf").write_bytes(_with_image(folder / "scan.jpg"))
    (folder / "g4.pdf").write_bytes(_with_image(folder / "g4.tif"))
    with pikepdf.open(note) as pdf:
        pdf.save(
            folder / "packed.pdf",
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
            deterministic_id=True,
        )
    _form(folder / "form.pdf")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _with_image(path: Path) -> bytes:
    content = img2pdf.convert(path.read_bytes(), nodate=True)
    assert content is not None
    with pikepdf.open(io.BytesIO(content)) as pdf:
        if "/Info" in pdf.trailer:
            del pdf.trailer["/Info"]  # the time when it was made
        target = io.BytesIO()
        pdf.save(target, deterministic_id=True)
        return target.getvalue()


def _form(path: Path) -> None:
    pdf = fpdf.FPDF(unit="pt", format="letter")
    pdf.set_creation_date(samples.WRITTEN)
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    for row, line in enumerate(samples.NOTE):
        pdf.rect(40, 62 + row * 14, 10, 10)
        pdf.text(60, 70 + row * 14, line)
    pdf.output(str(path))
    with pikepdf.open(path, allow_overwriting_input=True) as made:
        box = made.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.Annot,
                Subtype=pikepdf.Name.Widget,
                Rect=[300, 700, 400, 715],
                FT=pikepdf.Name.Tx,
                T="member",
                V="QRS 550017",
            )
        )
        made.pages[0].Annots = pikepdf.Array([box])
        made.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array([box]))
        made.save(path, deterministic_id=True)


def bytes_changed(whole: bytes, chooser: random.Random) -> bytes:
    """Bytes changed, cut out, put in and copied, anywhere."""
    data = bytearray(whole)
    for _ in range(chooser.choice((1, 3, 10, 40, 200))):
        place, what = chooser.randrange(len(data)), chooser.random()
        if what < 0.6:
            data[place] = chooser.randrange(256)
        elif what < 0.75:
            del data[place : place + chooser.randrange(1, 30)]
        elif what < 0.9:
            data[place:place] = chooser.randbytes(chooser.randrange(1, 10))
        else:
            other = chooser.randrange(len(data))
            data[place : place + 20] = data[other : other + 20]
        data = data or bytearray(b"\0")
    return bytes(data)


def cut_off(whole: bytes, chooser: random.Random) -> bytes:
    return whole[: chooser.randrange(len(whole))]


def middle_lost(whole: bytes, chooser: random.Random) -> bytes:
    """A block lost on the way, or come as zeros."""
    start = chooser.randrange(len(whole))
    size = chooser.choice((64, 512, 4096))
    return whole[:start] + (bytes(size) if chooser.random() < 0.5 else b"") + whole[start + size :]


def numbers_changed(whole: bytes, chooser: random.Random) -> bytes:
    """Numbers of a PDF: offsets of its table, lengths of its streams, sizes, counts."""
    return _replaced(rb"(?<![\w.#])-?\d+(?![\w.])", whole, chooser, lambda: chooser.choice(_NUMBERS))


def references_changed(whole: bytes, chooser: random.Random) -> bytes:
    """Objects that point at others than they should, at themselves, in circles, at nothing."""
    return _replaced(rb"\d+ 0 R", whole, chooser, lambda: b"%d 0 R" % chooser.randrange(14))


def names_changed(whole: bytes, chooser: random.Random) -> bytes:
    """Keys and values of a PDF that are others of its own, or of another codec."""
    names = [*set(re.findall(rb"/[A-Za-z0-9]+", whole)), *_NAMES]
    return _replaced(rb"/[A-Za-z0-9]+", whole, chooser, lambda: chooser.choice(sorted(names)))


def streams_changed(whole: bytes, chooser: random.Random) -> bytes:
    """Damage inside the streams of a PDF alone: packed text, fonts and images."""
    data = bytearray(whole)
    inside = [match.span(1) for match in re.finditer(rb"stream\r?\n(.+?)endstream", whole, re.DOTALL)]
    for start, end in chooser.sample(inside, min(len(inside), 3)):
        for _ in range(chooser.choice((1, 5, 30))):
            data[chooser.randrange(start, end)] = chooser.randrange(256)
    return bytes(data)


def _replaced(pattern: bytes, whole: bytes, chooser: random.Random, new: Callable[[], bytes]) -> bytes:
    found = list(re.finditer(pattern, whole))
    if not found:
        return bytes_changed(whole, chooser)
    chosen = sorted(
        chooser.sample(found, min(len(found), chooser.choice((1, 2, 8)))), key=lambda m: m.start()
    )
    pieces, at = [], 0
    for match in chosen:
        pieces += [whole[at : match.start()], new()]
        at = match.end()
    return b"".join((*pieces, whole[at:]))


def tiff_entries_changed(whole: bytes, chooser: random.Random) -> bytes:
    """A TIFF's header that lies: tags, types, counts, sizes, offsets of strips and of the next page."""
    if whole[:2] not in (b"II", b"MM"):
        return header_changed(whole, chooser)
    order, data = ("<" if whole[:2] == b"II" else ">"), bytearray(whole)
    start = struct.unpack_from(order + "I", whole, 4)[0]
    count = struct.unpack_from(order + "H", whole, start)[0]
    for _ in range(chooser.choice((1, 1, 2, 4))):
        entry = start + 2 + 12 * chooser.randrange(count + 1)
        if entry == start + 2 + 12 * count:  # where the next page stands
            struct.pack_into(order + "I", data, entry, chooser.choice((4, start, *_EXTREMES)))
            continue
        field, place = chooser.choice((("H", 0), ("H", 2), ("I", 4), ("I", 8), ("I", 8), ("I", 8)))
        value = chooser.choice(_EXTREMES) & (0xFFFF if field == "H" else 0xFFFFFFFF)
        struct.pack_into(order + field, data, entry + place, value)
    return bytes(data)


def header_changed(whole: bytes, chooser: random.Random) -> bytes:
    """Damage in the first bytes, where a picture says how large it is."""
    data = bytearray(whole)
    for _ in range(chooser.choice((1, 2, 6))):
        data[chooser.randrange(min(len(data), 64))] = chooser.choice((0, 1, 127, 128, 255))
    return bytes(data)


def another_kind(whole: bytes, chooser: random.Random) -> bytes:
    """What is not one of the kinds accepted, or only begins like one: archives, mails, two files in one."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in (("word/document.xml", b"<w:t>Cryoablation</w:t>" * 50), ("fax.pdf", whole)):
            packed.writestr(zipfile.ZipInfo(name), content)
    mail = b"From: office@example.org\r\nContent-Type: application/pdf\r\n\r\n"
    return chooser.choice(
        (
            archive.getvalue(),
            archive.getvalue()[: chooser.randrange(len(archive.getvalue()))],
            mail + whole,
            b"<html><body>Session expired</body></html>",
            b"{\\rtf1 Cryoablation}",
            chooser.choice(_HEADS) + chooser.randbytes(chooser.choice((1, 40, 4000))),
            chooser.choice(_HEADS) + whole,
            whole + whole,
            b"",
        )
    )


KINDS: dict[str, Break] = {
    made.__name__: made
    for made in (
        bytes_changed,
        cut_off,
        middle_lost,
        numbers_changed,
        references_changed,
        names_changed,
        streams_changed,
        tiff_entries_changed,
        header_changed,
        another_kind,
    )
}
