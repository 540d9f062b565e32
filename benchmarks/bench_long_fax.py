"""Memory and use of the cores for a long fax beside a short one.

    python benchmarks/bench_long_fax.py [--pages 200] [--engine tesseract]

Both are standard faxes of the same pages over and over, with ten lines of text each so that the run takes
minutes; a page's image is as large as any. Memory is the peak of the parent and its reading processes
together, looked at every fifth of a second (proportional set size: what processes share counts once). On a
shared machine, how many reading processes are at work says more than the CPU seconds they get. Linux only.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import page_set
import pikepdf

from pipeline.intake.folder import receive
from pipeline.pages import read_submission
from pipeline.settings import load_settings

SHORT = 10
LINES = 10


def family() -> list[int]:
    """This process and its children."""
    own = os.getpid()
    children = Path(f"/proc/{own}/task/{own}/children").read_text(encoding="ascii").split()
    return [own, *map(int, children)]


def memory_mb() -> float:
    total = 0
    for process in family():
        try:
            text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
        except OSError:
            continue  # it has ended
        match = re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)
        total += int(match[1]) if match else 0
    return total / 1024


def at_work() -> int:
    """How many reading processes run, or would if a core were free."""
    states = []
    for process in family()[1:]:
        try:
            states.append(
                Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
            )
        except OSError:
            continue
    return states.count("R")


def run(content: bytes, copies: int, engine: str) -> tuple[int, float, float, float, float]:
    """(pages, peak MB, seconds, CPU seconds, processes at work) of the file's pages `copies` times over."""
    peak, working, over = 0.0, list[int](), threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.2):
            peak = max(peak, memory_mb())
            working.append(at_work())

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "fax.pdf")
        path.write_bytes(_repeated(content, copies))
        settings = load_settings({"TRIAGE_OCR_ENGINE": engine})
        watcher = threading.Thread(target=watch)
        watcher.start()
        before, start = _cpu(), time.perf_counter()
        reading = read_submission(receive([path]), settings)
        seconds, cpu = time.perf_counter() - start, _cpu() - before
        over.set()
        watcher.join()
    return len(reading.pages), peak, seconds, cpu, statistics.fmean(working)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _repeated(content: bytes, copies: int) -> bytes:
    with pikepdf.new() as pdf, pikepdf.open(io.BytesIO(content)) as pages:
        for _ in range(copies):
            pdf.pages.extend(pages.pages)
        target = io.BytesIO()
        pdf.save(target)
    return target.getvalue()


def table(pages: int, engine: str) -> str:
    drawn = [replace(page, lines=page.lines[:LINES]) for page in page_set.make_pages(SHORT, 7)]
    content = page_set.as_images(drawn, "fax_standard", 7).content
    lines = [
        "| fax | peak MB | seconds | CPU s | CPU s a second | reading processes at work, mean of 2 |",
        "|---|---|---|---|---|---|",
    ]
    peaks = []
    for copies in (1, pages // SHORT):
        count, peak, seconds, cpu, busy = run(content, copies, engine)
        peaks.append(peak)
        lines.append(
            f"| {count} pages | {peak:.0f} | {seconds:.1f} | {cpu:.1f} | {cpu / seconds:.2f} | {busy:.2f} |"
        )
    return "\n".join([*lines, "", f"Peak memory {peaks[1] / peaks[0]:.2f} times that of the short fax."])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--engine", default="tesseract")
    chosen = parser.parse_args(arguments)
    sys.stdout.write(table(chosen.pages, chosen.engine) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
