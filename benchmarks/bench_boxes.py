"""How well boxes of quotes stand on the printed words, on turned and skewed pages.

    python benchmarks/bench_boxes.py [--pages N] [--seed S]

Each page lies turned by 0, 90, 180 or 270 degrees; images are skewed by up to two degrees too. Quotes of
three words of one line are looked up in what was read; their box is compared with the truth by
intersection over union. For a text layer the truth is the box of the type: from the baseline as far up
and down as the face reaches; for images it is that of the ink.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import page_set
import pikepdf

from fixtures.records import TrueWord
from pipeline.domain import Box, Page
from pipeline.intake.folder import receive
from pipeline.ocr import load
from pipeline.pages import read_pages
from pipeline.pages.geometry import around, overlap

TURNS = (0, 90, 180, 270)
QUOTES = 12
WANTED = {"text layer": (0.8, 0.99), **dict.fromkeys(page_set.KINDS.values(), (0.7, 0.97))}


def read(content: bytes, engine: str) -> tuple[Page, ...]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pages.pdf")
        path.write_bytes(content)
        return read_pages(receive([path]).files[0], load(engine)).pages


def turned(content: bytes) -> bytes:
    """The text pages with their content turned, as a driver for a sideways printer writes them."""
    with pikepdf.open(io.BytesIO(content)) as pdf:
        for number, page in enumerate(pdf.pages):
            degrees, (_, _, width, height) = TURNS[number % 4], map(float, page.mediabox)
            matrix = {
                90: f"0 -1 1 0 0 {width}",
                180: f"-1 0 0 -1 {width} {height}",
                270: f"0 1 -1 0 {height} 0",
            }.get(degrees)
            if matrix:
                page.contents_add(f"q {matrix} cm".encode(), prepend=True)
                page.contents_add(b"Q")
                page.mediabox = [0, 0, height, width] if degrees % 180 else [0, 0, width, height]
        target = io.BytesIO()
        pdf.save(target)
        return target.getvalue()


def overlaps(
    pages: Sequence[Page], truth: Sequence[Sequence[TrueWord]], seed: int
) -> tuple[list[float], int]:
    """(IoU of each quote found, how many quotes were not read as printed)."""
    found, missed, chooser = list[float](), 0, random.Random(seed)
    for page, words in zip(pages, truth, strict=True):
        read = [word for word in page.words if word.text.strip()]
        texts = [word.text for word in read]
        starts = [i for i in range(len(words) - 2) if words[i].line == words[i + 2].line]
        for start in chooser.sample(starts, min(QUOTES, len(starts))):
            quote, box = [word.text for word in words[start : start + 3]], _box(words[start : start + 3])
            places = [
                around(word.box for word in read[at : at + 3])
                for at in range(len(texts) - 2)
                if texts[at : at + 3] == quote
            ]
            if places:
                found.append(max(_iou(place, box) for place in places))
            else:
                missed += 1
    return found, missed


def _box(words: Sequence[TrueWord]) -> Box:
    return around(Box(*word.box) for word in words)


def _iou(one: Box, other: Box) -> float:
    shared = overlap(one, other)
    areas = sum((box.x1 - box.x0) * (box.bottom - box.top) for box in (one, other))
    return shared / (areas - shared)


def line(kind: str, found: Sequence[float], missed: int) -> str:
    least, wanted = WANTED[kind]
    share = sum(value >= least for value in found) / len(found)
    return (
        f"| {kind} | {len(found)} | {missed} | {sorted(found)[len(found) // 2]:.3f} | {least} | {share:.4f} "
        f"| {wanted} |"
    )


def table(count: int, seed: int) -> str:
    pages = page_set.make_pages(count, seed)
    content, words = page_set.drawn(pages)
    lines = [
        "| pages | quotes | not read as printed | median IoU | least IoU | share of quotes | wanted |",
        "|---|---|---|---|---|---|---|",
        line("text layer", *overlaps(read(turned(content), "none"), words, seed)),
    ]
    for render, kind in page_set.KINDS.items():
        file = page_set.as_images(pages, render, seed, turns=TURNS, ink=True)
        lines.append(line(kind, *overlaps(read(file.content, "tesseract"), file.words, seed)))
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pages", type=int, default=12)
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args(arguments)
    sys.stdout.write(table(chosen.pages, chosen.seed) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
