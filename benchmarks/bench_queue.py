"""What the queue costs a submission, and how it grows with workers. Stages do nothing here, or sleep.

    python benchmarks/bench_queue.py [--queued 10000] [--worked 200] [--only overhead|prefect|workers]

On SQLite, and on PostgreSQL where TRIAGE_TEST_POSTGRES names a server (see tests/ledgers.py). A disk that
takes long to say that something is on it (fsync) is most of what receiving costs: its time is printed too.
Where others use the machine the clock counts them: "alone" is the clock without the time for which this
process and its connections' servers, where they run here, waited for a core (schedstat, Linux).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from figures import write_figures
from ledgers import DATABASES, KEYS, arrival, ledger_settings
from measured import Row, figures
from stages import Recorded

from pipeline import ledger as led
from pipeline.domain import Reading, Submission
from pipeline.ledger import Ledger, State, open_ledger
from pipeline.settings import Settings, load_settings
from pipeline.working import Stages, Worker

PACKET_BYTES = 50_000
STAGE_S = 2.0  # a short packet; a page of fax alone takes about 1 s
WORKERS = (1, 2, 4, 8, 16)
EACH = 10  # submissions for each worker


def packet(number: int) -> bytes:
    return b"%%PDF-1.7 %d " % number + os.urandom(PACKET_BYTES)


class Times:
    """How long something took in seconds: by the wall clock, waiting for a core, and of the processor (this
    process alone)."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.waited: list[float] = []
        self.cpu: list[float] = []


SERVERS: list[int] = []
"""Processes of the database's server that work for this one, where they are on this machine."""


def timed(times: Times, act: Callable[[], object]) -> object:
    waited, wall, cpu = waited_s(), time.perf_counter(), time.process_time()
    result = act()
    times.cpu.append(time.process_time() - cpu)
    times.wall.append(time.perf_counter() - wall)
    times.waited.append(waited_s() - waited)
    return result


def waited_s() -> float:
    """For how long this thread and the servers could have run and no core was free."""
    total = 0
    for task in ("thread-self", *SERVERS):
        with suppress(OSError):
            total += int(Path(f"/proc/{task}/schedstat").read_text(encoding="ascii").split()[1])
    return total / 1e9


def servers(ledger: Ledger) -> list[int]:
    """The processes behind the ledger's connections; none with SQLite."""
    if ledger.database.is_sqlite:
        return []
    ours = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    return list(ledger.read(lambda db: db.exec_driver_sql(ours).scalars().all()))


def told(what: str, times: Times, each: int = 1) -> float:
    """A row in milliseconds for one submission; returns the mean as if alone."""
    values = [1000 * value / each for value in times.wall]
    mean, cpu = statistics.fmean(values), 1000 * statistics.fmean(times.cpu) / each
    alone = mean - 1000 * statistics.fmean(times.waited) / each
    print(
        f"  {what:<44} {mean:7.1f} ms  median {statistics.median(values):6.1f}  alone {alone:6.1f}  "
        f"processor {cpu:6.1f}",
        flush=True,
    )
    return alone


def fsync_s(folder: Path) -> float:
    times = Times()
    for number in range(50):
        with (folder / f"fsync-{number}").open("wb") as file:
            file.write(b"x" * 1000)
            file.flush()
            timed(times, lambda file=file: os.fsync(file.fileno()))
    return statistics.median(times.wall)


# --------------------------------------------------------------------------- overhead


def overhead(kind: str, folder: Path, queued: int, worked: int) -> Row:
    """Receipt and work of a submission while `queued` wait."""
    with (
        ledger_settings(kind, folder, output_dir=str(folder / "out")) as settings,
        open_ledger(settings) as ledger,
    ):
        print(
            f"{kind}: {queued} queued, packets of {PACKET_BYTES} bytes, fsync {1000 * fsync_s(folder):.1f} ms"
        )
        SERVERS[:] = servers(ledger)
        batches = Times()
        for start in range(0, queued, 20):
            arrivals = [arrival(packet(start + number)) for number in range(20)]
            timed(batches, lambda arrivals=arrivals: led.receive(ledger, arrivals))
        batched = told("receive, 20 at once (per submission)", batches, each=20)
        single = Times()
        for number in range(min(worked, 100)):
            one = [arrival(packet(10**9 + number))]
            timed(single, lambda one=one: led.receive(ledger, one))
        told("receive, one by one", single)
        worker = Worker(ledger, settings, "bench", stages=Recorded().stages)
        claims = Times()
        works = Times()
        for _ in range(worked):
            (claim,) = timed(claims, lambda: led.claim(ledger, "bench"))  # type: ignore[misc]
            timed(works, lambda claim=claim: worker.work_and_send(claim))
        parts = [
            told("claim", claims),
            told("from files opened to case delivered", works),
        ]
        whole = batched + sum(parts)
        print(f"  {'all of it, received 20 at once':<44} {whole:7.1f} ms alone\n")
    return Row(f"ledger, claim and delivery, {kind}, {queued} queued, alone", whole, "ms a submission", 20)


# --------------------------------------------------------------------------- Prefect


def prefect(folder: Path, worked: int) -> Row:
    """The same work with and without the flow around it."""
    import asyncio

    from flows.run import _prefect

    with ledger_settings("sqlite", folder) as settings, _prefect(settings), open_ledger(settings) as ledger:
        from flows.triage import WORKER, triage

        worker = Worker(ledger, settings, "bench", stages=Recorded().stages)
        WORKER.set(worker)
        with asyncio.Runner() as runner:
            runner.run(triage())  # what the first run costs is no matter of a submission
            runs = Times()
            for _ in range(3):
                fill(ledger, worked)
                timed(runs, lambda: runner.run(triage(most=worked)))
        bare = Times()
        for _ in range(3):
            fill(ledger, worked)
            timed(bare, lambda: drain(ledger, worker))
        print(f"Prefect: flow runs of {worked} submissions each")
        through = told("through the flow (per submission)", runs, each=worked)
        without = told("the same without Prefect", bare, each=worked)
        print(f"  {'Prefect adds':<44} {through - without:7.1f} ms a submission\n")
    return Row("Prefect adds", through - without, "ms a submission", 300)


def fill(ledger: Ledger, number: int) -> None:
    for _ in range(0, number, 20):
        led.receive(ledger, [arrival(packet(0)) for _ in range(20)])


def drain(ledger: Ledger, worker: Worker) -> None:
    while claims := led.claim(ledger, worker.name):
        worker.work_and_send(claims[0])


# --------------------------------------------------------------------------- workers


def workers(folder: Path) -> list[Row]:
    """Throughput of 1 to 16 processes whose stages sleep, on PostgreSQL."""
    print(f"workers on PostgreSQL: stages of {STAGE_S} s, {EACH} submissions for each worker")
    rates: dict[int, float] = {}
    for number in WORKERS:
        with ledger_settings("postgresql", folder / str(number)) as settings, open_ledger(settings) as ledger:
            fill(ledger, number * EACH)
            with running(number, settings) as started:
                while led.figures(ledger).states[State.DONE] < number * EACH:
                    time.sleep(0.05)
                rates[number] = number * EACH / (time.perf_counter() - started())
        doubled = f"  {rates[number] / (2 * rates[number // 2]):5.0%} of twice the half" if number > 1 else ""
        print(
            f"  {number:>2} workers  {rates[number]:6.2f} submissions/s  "
            f"{rates[number] / number / rates[1]:5.0%} of one worker each{doubled}",
            flush=True,
        )
    return [
        Row(f"{number} workers, of so many times one", rates[number] / number / rates[1], "share")
        for number in WORKERS[1:]
    ]


@contextmanager
def running(number: int, settings: Settings) -> Iterator[Callable[[], float]]:
    """Worker processes that begin at once when all are ready."""
    environ = {
        "TRIAGE_HOME": str(settings.home),
        "TRIAGE_KEYS": KEYS,
        "TRIAGE_LEDGER_URL": settings.ledger_url,
    }
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, "--worker"],
            env={**os.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(number)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    began = time.perf_counter()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    yield lambda: began
    for process in processes:
        process.kill()
        process.wait()


def work_for_ever() -> None:
    """One of them: the real worker on the ledger of the environment, its stages asleep."""
    settings = load_settings({name: value for name, value in os.environ.items() if name != "TRIAGE_WORKERS"})
    stages = Recorded().stages

    def read(submission: Submission, after_page: Callable[[int, int], None]) -> Reading:
        time.sleep(STAGE_S)
        return stages.read(submission, after_page)

    with open_ledger(settings) as ledger:
        worker = Worker(
            ledger, settings, f"w{os.getpid()}", stages=Stages(read, stages.build, stages.evaluate)
        )
        led.claims_due(ledger)
        print("ready", flush=True)
        sys.stdin.readline()
        while True:
            drain(ledger, worker)
            time.sleep(0.05)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--queued", type=int, default=10_000)
    options.add_argument("--worked", type=int, default=200)
    options.add_argument("--only", choices=["overhead", "prefect", "workers"])
    options.add_argument("--figures", type=Path, help="write the figures to this file as JSON")
    options.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.worker:
        return work_for_ever()
    found = list[Row]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if chosen.only in (None, "overhead"):
            for kind in DATABASES:
                (folder / kind).mkdir()
                found.append(overhead(kind, folder / kind, chosen.queued, chosen.worked))
        if chosen.only in (None, "prefect"):
            found.append(prefect(folder / "prefect", 100))
        if chosen.only in (None, "workers") and "postgresql" in DATABASES:
            found += workers(folder)
    if chosen.figures:
        write_figures(chosen.figures, figures("queue", found))
    return None


if __name__ == "__main__":
    main()
