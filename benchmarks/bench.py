"""All benchmarks with their peers in one run, and one table of what they measured (`make bench`).

    python benchmarks/bench.py [--only NAME ...] [--quick]

Writes `benchmarks/results.md` and `docs/bench.svg`. Peers that are not part of the product are taken where
they are: OCRmyPDF from OCRMYPDF or PATH, medSpaCy from the Python that MEDSPACY_PYTHON names (`make bench`
installs both). With --only, figures replace those of the same benchmark; the others stay.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench_chart import chart
from figures import Figure, read_figures

HERE = Path(__file__).parent
RESULTS, TABLE, CHART = HERE / "results.json", HERE / "results.md", HERE.parent / "docs" / "bench.svg"


@dataclass(frozen=True)
class Benchmark:
    """A script that writes its figures with --figures; `quick` makes it a trial of minutes."""

    name: str
    script: str
    options: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()


BENCHMARKS = (
    Benchmark("pages", "bench_pages.py", ("--save", str(HERE / "pages.md")), ("--pages", "6")),
    Benchmark("extraction", "bench_extraction.py", (), ("--count", "12")),
    Benchmark("assertion", "bench_assertion.py"),
    Benchmark("end to end", "bench_end_to_end.py"),
    Benchmark("queue", "bench_queue.py", (), ("--queued", "500", "--worked", "50", "--only", "overhead")),
    Benchmark("folder", "bench_folder.py", (), ("--packets", "6")),
    Benchmark("desk", "bench_desk_load.py", (), ("--cases", "50", "--reviewers", "5", "--seconds", "10")),
    Benchmark("evaluator", "bench_evaluator.py"),
)


def run(benchmark: Benchmark, *, quick: bool) -> list[Figure]:
    """Its figures; what it prints goes to standard error. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder, "figures.json")
        options = benchmark.quick if quick else benchmark.options
        command = [sys.executable, str(HERE / benchmark.script), *options, "--figures", str(figures)]
        subprocess.run(command, check=True, stdout=sys.stderr)
        return read_figures(figures)


def number(value: float, unit: str) -> str:
    return f"{value:.3f}" if unit == "share" else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def row(figure: Figure) -> str:
    ours = f"{number(figure.ours, figure.unit)} {figure.unit}"
    theirs = number(figure.theirs, figure.unit) if figure.theirs is not None else ""
    ratio = f"{figure.ratio:.2f}" if figure.ratio is not None and figure.unit != "share" else ""
    cells = (figure.what, ours, figure.peer or "", theirs, ratio, figure.goal or "")
    return f"| {' | '.join(cells)} |"


def table(results: dict[str, dict[str, object]]) -> str:
    lines = ["# All figures of one run", "", *map(" ".join, [(__doc__ or "").split("\n\n")[0].split()])]
    for name, result in results.items():
        figures = [Figure(**one) for one in result["figures"]]  # type: ignore[attr-defined]
        lines += ["", f"## {name}", "", f"`{result['command']}`, {result['when']}; {result['machine']}."]
        for area in dict.fromkeys(one.area for one in figures):
            lines += [
                "",
                f"| {area} | this project | peer | theirs | ratio | asked |",
                "|---|---|---|---|---|---|",
            ]
            lines += [row(one) for one in figures if one.area == area]
    return "\n".join(lines) + "\n"


def machine() -> str:
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [one.name for one in BENCHMARKS]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--quick", action="store_true", help="a trial: its figures are printed, not kept")
    chosen = parser.parse_args(arguments)
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() and not chosen.quick else {}
    for benchmark in BENCHMARKS:
        if benchmark.name in chosen.only:
            known[benchmark.name] = {
                "command": f"python benchmarks/{benchmark.script}",
                "when": datetime.datetime.now(datetime.UTC).date().isoformat(),
                "machine": machine(),
                "figures": [asdict(one) for one in run(benchmark, quick=chosen.quick)],
            }
            if not chosen.quick:
                RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    results = {name: known[name] for name in names if name in known}
    sys.stdout.write(table(results))
    if not chosen.quick:
        TABLE.write_text(table(results), encoding="utf-8")
        everything = [Figure(**one) for result in results.values() for one in result["figures"]]
        CHART.write_text(chart(everything), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
