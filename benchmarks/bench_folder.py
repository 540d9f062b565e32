"""A folder of mixed packets through the service, beside what its stages cost by themselves.

    python benchmarks/bench_folder.py [--packets 200] [--workers 2] [--figures FILE]

The packets are of the fixture maker: digital ones whole, of faxes and scans the first two pages. The stages
(reading, building the case, the rules) are measured in processes that do nothing else, one for each core,
with everything loaded. Then `triage serve` works the same packets from a ledger that has them all, until
the last has ended. Two cores could do it in half the stages' time; how much longer it took is the ratio.

On a machine that others use too the clock says little. What the others used is known (/proc/stat), so the
ratio is also given as it would be alone: our processor time and the cores' idle time. Linux only.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pikepdf
import PIL.Image
from figures import write_figures
from measured import Row, children_of, cpu_of, figures, machine_s, table

sys.path.insert(0, str(Path(__file__).parent.parent))

from fixtures.assemble import assemble
from fixtures.make_packets import recipes
from fixtures.printing import print_packet
from flows.children import Child
from flows.serve import serve
from pipeline import cases
from pipeline import ledger as led
from pipeline.intake.folder import receive
from pipeline.ledger import Arrival, Incoming, State, open_ledger
from pipeline.ocr import load
from pipeline.pages import read_pages
from pipeline.settings import load_settings

CORES = 2
SHORT = 2
SEED = 11
BOUND = 1.15


def write_packets(out: Path, count: int) -> list[Path]:
    """A folder for each packet."""
    folders = []
    for recipe in recipes(count, SEED, None):
        folder = out / recipe.id
        folder.mkdir(parents=True)
        left = 10**6 if recipe.render == "digital" else SHORT
        for file in print_packet(assemble(recipe)):
            if left:
                content, pages = _first(file.content, left)
                (folder / file.name).write_bytes(content)
                left -= pages
        folders.append(folder)
    return folders


def _first(content: bytes, most: int) -> tuple[bytes, int]:
    """(a file of its first pages, how many)."""
    target = io.BytesIO()
    if content.startswith(b"%PDF"):
        with pikepdf.open(io.BytesIO(content)) as pdf:
            count = len(pdf.pages)
            if count <= most:
                return content, count
            del pdf.pages[most:]
            pdf.save(target)
        return target.getvalue(), most
    with PIL.Image.open(io.BytesIO(content)) as image:
        count = getattr(image, "n_frames", 1)
        if count <= most:
            return content, count
        compression, frames = image.info.get("compression"), []
        for number in range(most):
            image.seek(number)
            frames.append(image.copy())
        frames[0].save(
            target,
            "TIFF",
            save_all=True,
            append_images=frames[1:],
            compression=compression,
            dpi=image.info.get("dpi"),
        )
    return target.getvalue(), most


# --------------------------------------------------------------------------- the stages by themselves


def stages_alone(packets: Sequence[Path]) -> dict[str, float]:
    """Processor seconds of each stage over all packets, in processes side by side, one a core."""
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, "--stages", *map(str, packets[core::CORES])],
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
        for core in range(CORES)
    ]
    told = [json.loads(process.communicate()[0]) for process in processes]
    return {stage: sum(one[stage] for one in told) for stage in told[0]}


def measure_stages(packets: Sequence[Path]) -> dict[str, float]:
    settings = load_settings({})
    engine, knowledge = load(settings.ocr_engine), cases.Knowledge(settings)
    spent = {"reading": 0.0, "building": 0.0, "rules": 0.0}
    for number, packet in enumerate([packets[0], *packets]):
        submission = receive([packet])
        began = time.process_time()
        read = [read_pages(file, engine) for file in submission.files]
        reading = cases.Reading(
            tuple(page for one in read for page in one.pages),
            tuple(problem for one in read for problem in one.problems),
            {file.name: len(one.pages) for file, one in zip(submission.files, read, strict=True)},
        )
        after_reading = time.process_time()
        case = cases.build_case(submission, reading, knowledge)
        built = time.process_time()
        cases.evaluate(case, settings)
        ended = time.process_time()
        if number:  # the first time loads what is loaded once
            spent["reading"] += after_reading - began
            spent["building"] += built - after_reading
            spent["rules"] += ended - built
    return spent


# --------------------------------------------------------------------------- the service


class Service:
    """Watches the service until everything has ended, and what its processes used since the first claim."""

    def __init__(self, count: int, ledger: led.Ledger) -> None:
        self._count, self._ledger = count, ledger
        self._children: Sequence[Child] = ()
        self._began = self._machine = None  # type: Any
        self.used: dict[str, float] = {}
        self.wall_s = self.busy_s = self.idle_s = 0.0
        self.started = time.perf_counter()
        self.start_s = 0.0

    def watched(self, children: Sequence[Child]) -> None:
        self._children = children
        states = led.figures(self._ledger).states
        if self._began is None:
            if states[State.RECEIVED] < self._count:
                self._began, self._machine = time.perf_counter(), machine_s()
                self._before = self._spent()
                self.start_s = self._began - self.started
            return
        if not states[State.RECEIVED] + states[State.IN_FLIGHT]:
            self.wall_s = time.perf_counter() - self._began
            busy, idle = machine_s()
            self.busy_s, self.idle_s = busy - self._machine[0], idle - self._machine[1]
            after = self._spent()
            self.used = {part: after[part] - self._before.get(part, 0.0) for part in after}
            signal.raise_signal(signal.SIGINT)

    def _spent(self) -> dict[str, float]:
        api, *workers = [child.pid for child in self._children if child.pid]
        readers = [one for worker in workers for one in children_of(worker)]
        spent = {"Prefect's API": api, "workers": workers, "reading processes": readers}
        return {part: sum(_cpu(pids)) for part, pids in spent.items()}


def _cpu(pids: int | list[int]) -> Iterator[float]:
    for pid in [pids] if isinstance(pids, int) else pids:
        with suppress(OSError):
            yield cpu_of(pid)


def through_service(packets: Sequence[Path], workers: int, home: Path) -> tuple[Service, float, int]:
    """(how the service did, seconds for taking the packets in, pages)."""
    os.environ["TRIAGE_HOME"], os.environ["TRIAGE_OUTPUT_DIR"] = str(home), str(home / "out")
    settings = load_settings(os.environ)
    with open_ledger(settings) as ledger:
        began = time.perf_counter()
        for start in range(0, len(packets), 20):
            arrivals = [
                Arrival([Incoming(file.name, file) for file in sorted(packet.iterdir())], "bench")
                for packet in packets[start : start + 20]
            ]
            led.receive(ledger, arrivals)
        received_s = time.perf_counter() - began
        service = Service(len(packets), ledger)
        serve(settings, workers=workers, watched=service.watched)
        states = led.figures(ledger).states
        pages = sum(item.page_count or 0 for item in led.items(ledger, most=len(packets)))
    if states[State.DONE] + states[State.PARTIAL] != len(packets):
        raise SystemExit(f"not all were worked: {dict(states)}")
    return service, received_s, pages


def rows(count: int, workers: int) -> list[Row]:
    """Everything that is measured; the ratios and their bound first."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packets = write_packets(folder / "packets", count)
        alone = stages_alone(packets)
        service, received_s, pages = through_service(packets, workers, folder / "home")
    stages, used = sum(alone.values()), sum(service.used.values())
    own = {"workers": alone["building"] + alone["rules"], "reading processes": alone["reading"]}
    return [
        Row(
            f"{count} packets, {pages} pages: time over half the stages' own, as if alone",
            (used + service.idle_s) / stages,
            "",
            BOUND,
        ),
        Row("the same by the clock, others' work on the cores included", CORES * service.wall_s / stages),
        Row("processor time over the stages' own", used / stages),
        Row("of the cores' time idle", service.idle_s / (service.busy_s + service.idle_s)),
        Row("of the cores' time others'", (service.busy_s - used) / (service.busy_s + service.idle_s)),
        *(Row(f"stages alone: {stage}", spent, "s of processor") for stage, spent in alone.items()),
        *(
            Row(f"service: {part}, beyond its stages", spent - own.get(part, 0.0), "s of processor")
            for part, spent in service.used.items()
        ),
        Row("from the first claim to the last end", service.wall_s, "s"),
        Row("from start to the first claim", service.start_s, "s"),
        Row("taking all in, 20 at once", 1000 * received_s / count, "ms a packet"),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--packets", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--figures", type=Path, help="write the figures to this file as JSON")
    parser.add_argument("--stages", nargs="+", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.stages:
        sys.stdout.write(json.dumps(measure_stages(chosen.stages)))
        return 0
    load_before = os.getloadavg()
    found = rows(chosen.packets, chosen.workers)
    sys.stdout.write(table(found) + f"\nLoad average before {load_before[0]:.1f}.\n")
    if chosen.figures:
        write_figures(chosen.figures, figures("folder", found))
    return 0 if all(row.holds for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
