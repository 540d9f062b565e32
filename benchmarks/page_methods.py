"""Ways to read a file's pages, each measured in a process of its own.

    python benchmarks/page_methods.py METHOD FILE OUT.json

OUT.json gets {"pages": [[[word, x0, top, x1, bottom], ...], ...], "cpu_s", "wall_s", "peak_mb"}. Boxes are
in points on the upright page. Libraries are imported and engines loaded before the clock starts; all
that is done for a page after that counts, preparing its image too. Text layers are read twice, and the
second pass counts. OCRmyPDF is a peer from elsewhere: found on PATH or named by OCRMYPDF, its processes' time
counts with it.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pdfplumber
import PIL.Image
import pypdfium2
import pypdfium2.raw as pdfium
import tesserocr

from pipeline.intake.folder import receive
from pipeline.ocr import load, tesseract
from pipeline.pages.limits import Limits
from pipeline.pages.raster import find_skew
from pipeline.pages.reading import open_file, read_page

Words = list[tuple[str, float, float, float, float]]
_WARMING_UP_S = 3.0  # a pass that is over sooner is done once more, and the second counts
_SPECK = {True: 3, False: 4}  # pixels, by whether the fax is coarse


def this_reader(path: Path) -> Iterator[Words]:
    """The product: text layer where there is one, else recognition; laid out as a page."""
    file, engine = receive([path]).files[0], load("tesseract")
    stored = open_file(path, file.media_type, Limits())
    for number in range(1, len(stored) + 1):
        page = read_page(file, stored, number, engine)
        yield [(word.text, *word.box) for word in page.words]


def bare_tesseract(path: Path) -> Iterator[Words]:
    """Tesseract at its best measured setting: specks away, pixels square, level, light blur; PSM 3."""
    stored = open_file(path, "application/pdf", Limits())
    for number in range(1, len(stored) + 1):
        raster = stored.raster(number)
        image = _plainly_prepared(raster.image, raster.y_dpi < 0.6 * raster.x_dpi)
        yield _recognised(image, raster.x_dpi)


def _plainly_prepared(image: npt.NDArray[np.uint8], coarse: bool) -> npt.NDArray[np.uint8]:
    ink = (image < 128).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    small = stats[:, cv2.CC_STAT_AREA] <= _SPECK[coarse]
    small[0] = False
    image = np.where(small[labels], 255, image).astype(np.uint8)
    if coarse:
        image = cv2.resize(image, None, fx=1, fy=2, interpolation=cv2.INTER_CUBIC)
    height, width = image.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), find_skew(image, 200), 1)
    level = cv2.warpAffine(image, turn, (width, height), flags=cv2.INTER_CUBIC, borderValue=(255,))
    return np.asarray(cv2.GaussianBlur(level, (0, 0), 0.8), np.uint8)


@cache
def _bare_engine() -> tesserocr.PyTessBaseAPI:
    folder = str(tesseract._data_folder("eng.traineddata"))
    return tesserocr.PyTessBaseAPI(path=folder, lang="eng", oem=tesserocr.OEM.LSTM_ONLY)


def _recognised(image: npt.NDArray[np.uint8], dpi: float) -> Words:
    library, api = tesserocr, _bare_engine()
    api.SetPageSegMode(library.PSM.AUTO)
    api.SetImage(PIL.Image.fromarray(image))
    api.SetSourceResolution(round(dpi))
    api.Recognize()
    level, scale = library.RIL.WORD, 72 / dpi
    words: Words = []
    for item in library.iterate_level(api.GetIterator(), level):
        if not item.Empty(level):
            words.append(
                (item.GetUTF8Text(level).strip(), *(edge * scale for edge in item.BoundingBox(level)))
            )
    api.Clear()
    return words


def pdfplumber_words(path: Path) -> Iterator[Words]:
    with pdfplumber.open(path) as pdf:
        for page in pdf.pages:
            yield [
                (word["text"], word["x0"], word["top"], word["x1"], word["bottom"])
                for word in page.extract_words()
            ]
            page.close()


def pypdfium2_words(path: Path) -> Iterator[Words]:
    """Characters between spaces with the loose boxes around them, and nothing else."""
    pdf = pypdfium2.PdfDocument(path)
    for page in pdf:
        text, height = page.get_textpage(), page.get_height()
        words: Words = []
        inside = False
        for index in range(pdfium.FPDFText_CountChars(text)):
            character = chr(pdfium.FPDFText_GetUnicode(text, index))
            if character.isspace():
                inside = False
                continue
            left, bottom, right, top = text.get_charbox(index, loose=True)
            box = (left, height - top, right, height - bottom)
            if inside:
                word, x0, y0, x1, y1 = words[-1]
                words[-1] = (
                    word + character,
                    min(x0, box[0]),
                    min(y0, box[1]),
                    max(x1, box[2]),
                    max(y1, box[3]),
                )
            else:
                words.append((character, *box))
            inside = True
        yield words


def ocrmypdf_command() -> str | None:
    """Where OCRmyPDF is, if it is."""
    return os.environ.get("OCRMYPDF") or shutil.which("ocrmypdf")


def ocrmypdf_words(path: Path) -> Iterator[Words]:
    """OCRmyPDF with its deskewing, one page at a time, then the words of the text layer that it made."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made.pdf")
        command = [str(ocrmypdf_command()), "--quiet", "--jobs", "1", "--deskew", "--output-type", "pdf"]
        subprocess.run([*command, "--optimize", "0", path, made], check=True)
        yield from pypdfium2_words(made)


METHODS: dict[str, Callable[[Path], Iterator[Words]]] = {
    "this reader": this_reader,
    "bare Tesseract": bare_tesseract,
    "pdfplumber": pdfplumber_words,
    "pypdfium2": pypdfium2_words,
    "OCRmyPDF": ocrmypdf_words,
}


def measured(method: str, path: Path) -> dict[str, Any]:
    if method in ("this reader", "bare Tesseract"):
        tesseract._reader()
        _bare_engine()
        for module in ("pdf", "barcodes", "leftover", "second_opinion", "ticks"):
            importlib.import_module(f"pipeline.pages.{module}")
    pages, cpu_s, wall_s = _timed(method, path)
    if cpu_s < _WARMING_UP_S:
        pages, cpu_s, wall_s = _timed(method, path)
    return {
        "pages": pages,
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "peak_mb": _peak_mb(),
    }


def _peak_mb() -> float:
    """This process's own peak: what `getrusage` says may be that of the parent it was forked from."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _timed(method: str, path: Path) -> tuple[list[Words], float, float]:
    cpu, wall = _cpu_s(), time.perf_counter()
    pages = list(METHODS[method](path))
    return pages, _cpu_s() - cpu, time.perf_counter() - wall


def _cpu_s() -> float:
    """Of this process and of those that it waited for."""
    return sum(os.times()[:4])


if __name__ == "__main__":
    _, name, source, target = sys.argv
    Path(target).write_text(json.dumps(measured(name, Path(source))), encoding="utf-8")
