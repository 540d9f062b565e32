"""From files to an evaluated case on one machine with the default settings, beside the engines alone.

    python benchmarks/bench_end_to_end.py [--times 3] [--figures FILE]

A fax of six pages at fine resolution and a digital packet of six, of the fixture maker; the digital one's
first page is the letter. Warm: everything is loaded and the reading processes are there, as in a service.
Cold: `triage run` in a shell. Bare Tesseract reads the same pages in one process, prepared as it likes them
best (see `page_methods`); OCRmyPDF, where it is installed or OCRMYPDF names it, makes its searchable PDF of
the same file with as many jobs. Of several times the shortest counts, of the processor and by the clock:
what else runs on the machine only ever makes one longer. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench_folder import SEED, _first
from figures import write_figures
from measured import Row, children_of, cpu_of, figures, table
from page_methods import ocrmypdf_command

from fixtures.assemble import assemble
from fixtures.make_packets import recipes
from fixtures.printing import print_packet
from pipeline import cases
from pipeline.intake.folder import receive
from pipeline.settings import Settings, load_settings

PAGES = 6
MOST_RECIPES = 200


class Took(NamedTuple):
    """Seconds by the clock and of the processor."""

    wall: float
    cpu: float


def packet(folder: Path, render: str) -> Path:
    """The first packet of that kind in one file of six pages."""
    for recipe in recipes(MOST_RECIPES, SEED, None):
        if recipe.render != render or recipe.quirks:
            continue
        files = print_packet(assemble(recipe))
        if len(files) == 1 and _first(files[0].content, 10**6)[1] == PAGES:
            path = folder / f"{render}.pdf"
            path.write_bytes(files[0].content)
            return path
    raise SystemExit(f"No {render} packet of {PAGES} pages is among the recipes.")


def best(times: int, act: Callable[[], Took]) -> Took:
    """The shortest of several times, by the clock and of the processor each."""
    took = [act() for _ in range(times)]
    return Took(min(one.wall for one in took), min(one.cpu for one in took))


def command(*words: str | Path, **environ: str) -> Took:
    """A program from its start to its end, its children included."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(list(map(str, words)), check=True, capture_output=True, env={**os.environ, **environ})
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


class Warm:
    """Everything loaded, the reading processes there."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._knowledge, self._workers = cases.Knowledge(settings), cases.reading_processes(settings)

    def __enter__(self) -> Warm:
        return self

    def __exit__(self, *_: object) -> None:
        self._workers.close()

    def read(self, path: Path) -> Took:
        submission = receive([path])
        return self._timed(lambda: cases.read(submission, self._settings, workers=self._workers))

    def whole(self, path: Path) -> Took:
        return self._timed(lambda: cases.process(receive([path]), self._knowledge, workers=self._workers))

    def _timed(self, act: Callable[[], object]) -> Took:
        before, began = self._cpu(), time.perf_counter()
        act()
        return Took(time.perf_counter() - began, self._cpu() - before)

    @staticmethod
    def _cpu() -> float:
        own = resource.getrusage(resource.RUSAGE_SELF)
        return own.ru_utime + own.ru_stime + sum(map(cpu_of, children_of(os.getpid())))


def bare_tesseract(path: Path, out: Path) -> Took:
    """In a process of its own; what it says of itself, loading left out."""
    subprocess.run(
        [
            sys.executable,
            str(Path(__file__).parent / "page_methods.py"),
            "bare Tesseract",
            str(path),
            str(out),
        ],
        check=True,
        env={**os.environ, "OMP_THREAD_LIMIT": "1"},
    )
    told = json.loads(out.read_text(encoding="utf-8"))
    return Took(told["wall_s"], told["cpu_s"])


def rows(times: int, ocrmypdf: str | None) -> list[Row]:
    """Everything that is measured."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fax, digital, letter = packet(folder, "fax_fine"), packet(folder, "digital"), folder / "letter.pdf"
        letter.write_bytes(_first(digital.read_bytes(), 1)[0])
        triage = [sys.executable, "-m", "pipeline", "run", "--output", str(folder / "case.json")]
        settings = load_settings({"TRIAGE_HOME": str(folder / "home")})
        with Warm(settings) as warm:
            warm.whole(digital), warm.whole(fax)
            reading = best(times, lambda: warm.read(fax))
            faxed = best(times, lambda: warm.whole(fax))
            printed = best(3 * times, lambda: warm.whole(digital))
        bare = best(times, lambda: bare_tesseract(fax, folder / "bare.json"))
        cold_fax = best(times, lambda: command(*triage, fax, TRIAGE_HOME=str(folder / "home")))
        cold_letter = best(times, lambda: command(*triage, letter, TRIAGE_HOME=str(folder / "home")))
        found = [
            Row(
                "fine fax, 6 pages, warm: the whole over its reading, processor",
                faxed.cpu / reading.cpu,
                "",
                1.15,
            ),
            Row("the same by the clock", faxed.wall / reading.wall, "", 1.15),
            Row("the same by the clock", faxed.wall, "s"),
            Row("the whole over bare Tesseract on its pages, processor", faxed.cpu / bare.cpu),
            Row("digital, 6 pages, warm", printed.wall, "s", 1.0),
            Row("the same", printed.cpu, "s of processor"),
            Row("`triage run`, cold: digital letter of one page", cold_letter.wall, "s", 4.0),
            Row("the same", cold_letter.cpu, "s of processor"),
            Row("`triage run`, cold: the fine fax", cold_fax.wall, "s"),
            Row("the same over bare Tesseract, processor", cold_fax.cpu / bare.cpu),
        ]
        if ocrmypdf:
            searchable = folder / "searchable.pdf"
            jobs = ["--jobs", str(settings.workers), "--output-type", "pdf", "--quiet"]
            peer = best(times, lambda: command(ocrmypdf, *jobs, fax, searchable, OMP_THREAD_LIMIT="1"))
            found += [
                Row("OCRmyPDF, the fine fax", peer.wall, "s"),
                Row("`triage run` over OCRmyPDF, processor", cold_fax.cpu / peer.cpu),
                Row("the same by the clock", cold_fax.wall / peer.wall),
            ]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--figures", type=Path, help="write the figures to this file as JSON")
    chosen = parser.parse_args(arguments)
    before = os.getloadavg()[0]
    found = rows(chosen.times, ocrmypdf_command())
    sys.stdout.write(table(found) + f"\nLoad average before {before:.1f}.\n")
    if chosen.figures:
        write_figures(chosen.figures, figures("end to end", found))
    return 0 if all(row.holds for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
