"""A day of 24 hours, its time compressed: the service works what comes by folder and by a channel of its own.

    python -m tests.day_run --database sqlite [--submissions 5000] [--minutes 5] [--seed N]

The fax peak of the morning, 3 in 100 files that are locked, some sent again; everything killed and started
anew at half past five, the rules evaluator out of order from 13:00 to 13:45, the disk full from 15:00 to
15:30. At every full hour all stands still for a moment and the ledger's figures must be what the day's own
account says (see `day_account`). At the end nothing is lost or double, what ended 12 hours ago is erased,
and workers have grown by a tenth at most. Exit status 0, or 1 with what is wrong. `make day` runs it on both.

Time runs 288 times as fast by default. Leases are hours of the day's time, for a stage takes its own.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from flows.children import Child
from flows.serve import Part, serve
from pipeline import ledger as led
from pipeline.intake.watch import CHANNEL
from pipeline.ledger import Ledger, State
from pipeline.logs import configure_logging
from tests.crash_run import crash_settings
from tests.day_account import DELIVERY_ATTEMPTS, differences, wrong_at_the_end
from tests.day_post import HOURS, MORNING, Packet, Sender, plan
from tests.day_worker import World, open_day_ledger
from tests.ledgers import SERVER, WITHOUT

RESTART_H, OUTAGE_H, FULL_H = 5.5, (13.0, 13.75), (15.0, 15.5)
LEASE_H = 4
STILL_S = 1.5
KEEP = timedelta(hours=12)
GROWTH = 1.10
PATIENCE_S = 900.0


class Day:
    """Runs beside the service until the day is over and all has ended; `wrong` is what was seen."""

    def __init__(self, ledger: Ledger, world: World, sender: Sender, output: Path, speed: float) -> None:
        self.children: Sequence[Child] = ()
        self.wrong: list[str] = []
        self.restart = self.is_over = False
        self.memory: list[tuple[float, float]] = []
        self.longest = 0
        self._ledger, self._world, self._sender, self._output = ledger, world, sender, output
        self._speed = speed
        self._ended: dict[str, tuple[datetime, datetime]] = {}  # not before, not after
        self._last_probe = MORNING

    def run(self) -> None:
        try:
            self._run()
        except Exception as error:  # the service would wait for ever
            self.wrong.append(f"the day itself failed: {type(error).__name__}: {error}")
        self.is_over = True

    def _run(self) -> None:
        self._wait_for_workers()
        self._world.set_clock(MORNING, self._speed)
        probed, restarted, began = 0, False, time.monotonic()
        while not (self._hour() >= HOURS and self._sender.is_done and self._has_ended()):
            hour = self._hour()
            self._flag("outage", OUTAGE_H[0] <= hour < OUTAGE_H[1])
            self._flag("full", FULL_H[0] <= hour < FULL_H[1])
            if hour >= RESTART_H and not restarted:
                restarted = self.restart = True
                for child in self.children:
                    with suppress(ProcessLookupError, TypeError):
                        os.kill(child.pid, signal.SIGKILL)  # type: ignore[arg-type]
            self._sender.step()
            self.memory += [(hour, mb) for mb in self._workers_mb()]
            if int(hour) > probed and hour < HOURS:
                probed = int(hour)
                self._probe(probed)
            if hour >= OUTAGE_H[1]:
                self._put_to_work_again()
            if time.monotonic() - began > PATIENCE_S + HOURS * 3600 / self._speed:
                self.wrong.append("it did not come to an end")
                return
            time.sleep(0.2)
        self._probe(HOURS)

    def _wait_for_workers(self) -> None:
        """Time stands until the first packet is done: starting takes as long as it ever does."""
        self._sender.hand_over([Packet(0, b"%PDF-1.7 the first", by_folder=False)])
        while not any(self._output.glob("*/case.json")):
            time.sleep(0.2)

    def _hour(self) -> float:
        return (self._world.now() - MORNING) / timedelta(hours=1)

    def _flag(self, name: str, wanted: bool) -> None:
        (self._world.raise_ if wanted else self._world.lower)(name)

    def _has_ended(self) -> bool:
        figures = led.figures(self._ledger)
        parked = led.items(self._ledger, states=[State.PARKED], reason="evaluator", most=1)
        busy = figures.states[State.RECEIVED] + figures.states[State.IN_FLIGHT] + figures.unsent
        return not busy and not parked

    def _put_to_work_again(self) -> None:
        """As `triage queue replay --reason evaluator` does, once it is mended."""
        parked = led.items(self._ledger, states=[State.PARKED], reason="evaluator", most=200)
        if parked:
            refused = Counter(name for what, name in self._world.told() if what == "refused")
            for item in parked:
                self._sender.account.refused_before[item.id] = refused[item.id]
                led.replay(self._ledger, item.id, actor="user:day")

    def _workers_mb(self) -> Iterator[float]:
        for child in self.children[1:-1]:
            with suppress(OSError, IndexError):
                status = Path(f"/proc/{child.pid}/status").read_text()
                yield int(status.partition("VmRSS:")[2].split()[0]) / 1024

    # ------------------------------------------------------------------- probes

    def _probe(self, hour: int) -> None:
        """All stands still; what the ledger says is compared with the account."""
        with self._still():
            for left in reversed(range(8)):
                found = self._compared(hour, told=not left)
                if not found:
                    break
                time.sleep(STILL_S)  # something was still under way on a busy machine
            self._last_probe = self._world.now()
            self.wrong += [f"{hour:02}:00 {line}" for line in found]

    def _compared(self, hour: int, *, told: bool) -> list[str]:
        self._sender.look()
        now, written = self._world.now(), {path.parent.name for path in self._output.glob("*/case.json")}
        stand = self._sender.account.stand(self._world.told(), written)
        for name in written | stand.between:
            self._ended.setdefault(name, (self._last_probe, now))
        figures = led.figures(self._ledger)
        found = list(differences(stand, figures, now))
        if not found or told:
            held = [
                item for item in led.items(self._ledger, states=[State.IN_FLIGHT], most=9999) if item.worker
            ]
            self.longest = max(self.longest, len(stand.open))
            memory = [mb for when, mb in self.memory if hour - 1 <= when < hour] or [0.0]
            print(
                f"{hour:02}:00  received {len(self._sender.account.sent):5}  done {len(stand.done):5}  "
                f"parked {len(stand.parked):4}  open {len(stand.open):5} (held {len(held)})  "
                f"oldest {figures.oldest_waiting_s / 3600:6.1f} h  at risk {figures.at_risk:3}  "
                f"overdue {figures.overdue:3}  worker {statistics.median(memory):4.0f} MB  "
                f"{'as accounted' if not found else '; '.join(found)}",
                flush=True,
            )
        return found

    @contextmanager
    def _still(self) -> Iterator[None]:
        """Workers wait before their next page or question, the clock stands, nothing is sent."""
        self._world.raise_("frozen")
        seen: object = None
        while seen != (seen := self._look()):
            time.sleep(STILL_S)
        at = self._world.now()
        self._world.set_clock(at, 0.0)
        try:
            yield
        finally:
            self._world.set_clock(at, self._speed)
            self._world.lower("frozen")

    def _look(self) -> object:
        written = sum(1 for _ in self._output.glob("*/case.json"))
        lying = sorted(path.name for path in self._sender.inbox.iterdir())
        return len(self._world.told()), written, lying, led.figures(self._ledger).states

    # ------------------------------------------------------------------- the end

    def erased_wrongly(self) -> Iterator[str]:
        """What ended long ago is erased with proof, and nothing else."""
        now, kept = self._world.now(), self._sender.account.sent
        self._world.set_clock(now, 0.0)  # erasing takes its own time, an hour of the day's
        erased = set[str]()
        while some := led.erase_old(self._ledger, KEEP, actor="user:day"):
            erased |= set(some)
        # It ended at the latest when a probe saw it, and not before the probe that did not.
        surely = {name for name, (_, latest) in self._ended.items() if latest < now - KEEP}
        at_most = {name for name, (earliest, _) in self._ended.items() if earliest < now - KEEP}
        if not surely <= erased <= at_most:
            yield f"{len(surely - erased)} were not erased, {len(erased - at_most)} too early"
        in_vault = self._ledger.vault.names()
        if in_vault != {_sha256(one.content) for name, one in kept.items() if name not in erased}:
            yield "the vault does not hold what is kept and nothing else"
        yield from (f"{one.what}: {one.why}" for one in led.balance(self._ledger).discrepancies)
        print(f"{len(erased)} erased, {len(in_vault)} files kept")

    def grown(self) -> Iterator[str]:
        """Workers in the second half of the day beside those of its first quarter."""
        first = [mb for hour, mb in self.memory if 2 <= hour < 6]
        second = [mb for hour, mb in self.memory if hour >= 12]
        if not first or not second:
            return
        before, after, most = statistics.median(first), statistics.median(second), max(second)
        print(f"a worker: {before:.0f} MB from 2 to 6, {after:.0f} MB from noon on, {most:.0f} MB at most")
        if after > GROWTH * before:
            yield f"workers grew from {before:.0f} to {after:.0f} MB"


def _sha256(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def day(kind: str, folder: Path, *, submissions: int, minutes: float, seed: int, workers: int) -> list[str]:
    """Run it; what is wrong, which is nothing."""
    inbox, output, there = folder / "inbox", folder / "output", folder / "world"
    for one in (inbox, output, there):
        one.mkdir()
    os.environ["DAY_WORLD"] = str(there)
    world, speed = World(there), HOURS * 60 / minutes
    world.set_clock(MORNING, 0.0)
    options = {
        "output_dir": str(output),
        "lease_s": str(LEASE_H * 3600),
        "delivery_attempts": str(DELIVERY_ATTEMPTS),
    }
    with (
        crash_settings(kind, folder / "home", options) as settings,
        open_day_ledger(settings) as ledger,
    ):
        packets = plan(submissions, random.Random(seed))
        sender = Sender(ledger, world, inbox, packets)
        run = Day(ledger, world, sender, output, speed)
        thread, started = threading.Thread(target=run.run, daemon=True), time.monotonic()

        def ready() -> None:
            if not thread.ident:
                thread.start()

        def watched(children: Sequence[Child]) -> None:
            run.children = children
            if run.is_over or run.restart:
                run.restart = False
                signal.raise_signal(signal.SIGINT)

        while not run.is_over:
            serve(
                settings,
                workers=workers,
                parts=[Part("tests.day_worker", ["--channel", "folder", "--watch", str(inbox)])],
                ready=ready,
                watched=watched,
                worker_module="tests.day_worker",
                longest_pause_s=0.5,
            )
        thread.join()
        found = [*run.wrong, *wrong_at_the_end(ledger, sender.account, output)]
        answered = [name for what, name in world.told() if what == "answered"]
        if doubled := len(answered) - len(set(answered)):
            print(f"the evaluator was asked again for {doubled}, by workers that were killed: the same keys")
        if doubled > workers:
            found.append(f"the evaluator answered {doubled} twice")
        found += [*run.erased_wrongly(), *run.grown()]
        print(
            f"{kind}: {len(sender.account.sent)} submissions in {len(packets)} deliveries, up to "
            f"{run.longest} open at once, 20 taken in within {sender.slowest_s:.1f} s at most; "
            f"{CHANNEL} and gateway; {time.monotonic() - started:.0f} s"
        )
        return found


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    options.add_argument("--submissions", type=int, default=5000)
    options.add_argument("--minutes", type=float, default=5.0)
    options.add_argument("--workers", type=int, default=3)
    options.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    chosen = options.parse_args()
    if chosen.database == "postgresql" and not os.environ.get(SERVER):
        print(f"the day on PostgreSQL skipped: {WITHOUT}")
        return 0
    configure_logging(level="ERROR")
    print(f"seed {chosen.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        found = day(
            chosen.database,
            Path(folder),
            submissions=chosen.submissions,
            minutes=chosen.minutes,
            seed=chosen.seed,
            workers=chosen.workers,
        )
    for line in found[:50]:
        print(f"WRONG: {line}")
    print(f"{len(found)} things are wrong; seed {chosen.seed}" if found else "the day is accounted for")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
