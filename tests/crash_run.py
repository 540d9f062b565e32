"""The crash test: the service works through many submissions while its parts are killed at random.

    python -m tests.crash_run --database sqlite [--submissions 300] [--kills 200] [--seed N]

Workers, the one that watches the folder, and Prefect's API are killed (SIGKILL); connections to PostgreSQL
are cut; SQLite is locked for seconds. Killed are by preference workers that hold something. Afterwards every
submission must have ended in one case with one evaluation, sent once to the output, and the balance must
hold. Exit status 0, or 1 with what is wrong. `make crash` runs it on both databases.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg

from flows.children import Child
from flows.serve import serve, watching
from pipeline import ledger as led
from pipeline.files import submission_id
from pipeline.ledger import Ledger, State, open_ledger
from pipeline.logs import configure_logging
from pipeline.settings import Settings, load_settings
from tests.crash_worker import pages_of
from tests.ledgers import SERVER, WITHOUT, ledger_settings

PATIENCE_S = 600.0  # for the last submissions, once nothing is killed any more
TWICE = 0.1  # of the packets come a second time
IDLE = 0.05  # of the kills may meet nothing to do
# So many packets are ahead of the kills: the first come before any, and as many are there at the last.
AHEAD = 60


class Killer(threading.Thread):
    """Kills something every now and then until it has done so often enough."""

    def __init__(self, ledger: Ledger, kills: int, rng: random.Random, pause_s: float) -> None:
        super().__init__(daemon=True)
        self.children: Sequence[Child] = ()
        self.kinds: Counter[str] = Counter()
        self.idle = 0  # of them, while nothing was to be done
        self._ledger, self._kills, self._rng, self._pause_s = ledger, kills, rng, pause_s

    @property
    def is_done(self) -> bool:
        return self.kinds.total() >= self._kills

    @property
    def share(self) -> float:
        """How much of it is done, in 0..1."""
        return min(1.0, self.kinds.total() / self._kills)

    def run(self) -> None:
        while not self.is_done:
            time.sleep(self._rng.uniform(0, 2 * self._pause_s))
            kind = self._rng.choices(["worker", "database", "watcher", "api"], [70, 18, 7, 5])[0]
            idle = not _busy(led.figures(self._ledger))
            if self._strike(kind):
                self.kinds[kind] += 1
                self.idle += idle

    def _strike(self, kind: str) -> bool:
        if kind == "worker":
            return self._worker()
        return self._database() if kind == "database" else self._child(kind)

    def _worker(self) -> bool:
        """One that holds a submission; its name tells its process."""
        holding = [item.worker for item in led.items(self._ledger, states=[State.IN_FLIGHT]) if item.worker]
        pids = {child.pid for child in self.children[1:-1]}
        busy = [int(name.split("-")[-2]) for name in holding]
        alive = [pid for pid in busy if pid in pids]
        return bool(alive) and _kill(self._rng.choice(alive))

    def _child(self, kind: str) -> bool:
        if not self.children:
            return False
        return _kill(self.children[0 if kind == "api" else -1].pid)

    def _database(self) -> bool:
        url = self._ledger.database.engine.url
        if self._ledger.database.is_sqlite:
            with sqlite3.connect(str(url.database), timeout=30, isolation_level=None) as connection:
                connection.execute("BEGIN IMMEDIATE")
                time.sleep(self._rng.uniform(0, 2))
                connection.execute("ROLLBACK")
            connection.close()
            return True
        with psycopg.connect(os.environ[SERVER], autocommit=True) as connection:
            found = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name = 'triage'",
                (url.database,),
            ).fetchall()
            if not found:
                return False
            connection.execute("SELECT pg_terminate_backend(%s)", self._rng.choice(found))
        return True


def _kill(pid: int | None) -> bool:
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def contents(number: int, rng: random.Random) -> list[bytes]:
    return [b"%PDF-1.7 " + rng.randbytes(rng.randint(500, 20_000)) for _ in range(number)]


def _busy(figures: led.Figures) -> int:
    """How much is to be done yet."""
    return figures.states[State.RECEIVED] + figures.states[State.IN_FLIGHT] + figures.unsent


def send(
    packets: Sequence[bytes], inbox: Path, rng: random.Random, killer: Killer, ended: threading.Event
) -> None:
    """Put the packets into the folder, some of them again later: as many as things are killed, so that to the
    last kill something is to be done, however fast the machine is."""
    sent = [*enumerate(packets), *((number, packets[number]) for number in _some(packets, rng))]
    for number, (name, content) in enumerate(sent):
        while number > AHEAD and killer.share < (number - AHEAD) / len(sent):
            time.sleep(0.05)
        (inbox / f"{number:04}-{name}.pdf").write_bytes(content)
        time.sleep(rng.uniform(0, 0.2))
    ended.set()


def _some(packets: Sequence[bytes], rng: random.Random) -> list[int]:
    return rng.sample(range(len(packets)), round(TWICE * len(packets)))


def wrong(ledger: Ledger, packets: Sequence[bytes], output: Path, inbox: Path) -> Iterator[str]:
    """What must not be, after everything."""
    items = {item.id: item for item in led.items(ledger, most=10 * len(packets))}
    expected = {_id(content): content for content in packets}
    if left := len(list(inbox.iterdir())):
        yield f"{left} files were not taken in"
    if items.keys() != expected.keys():
        yield f"{len(expected.keys() - items.keys())} submissions are lost"
        yield f"{len(items.keys() - expected.keys())} submissions were made up"
    for name, item in items.items():
        history = led.history(ledger, name)
        sent = [row for row in history.outbox if row["state"] == "delivered"]
        if item.state != State.DONE:
            problems = (led.load_case(ledger, name) or {}).get("problems")
            yield f"{name} is {item.state} ({item.reason}): {problems}"
        if [row["number"] for row in history.cases] != [1]:
            yield f"{name} has {len(history.cases)} cases"
        if sorted(row["target"] for row in sent) != ["evaluator", "folder"]:
            yield f"{name} was sent {len(sent)} times"
        kinds = Counter(event.kind for event in history.events)
        if any(kinds[kind] != 1 for kind in ("received", "finished", "evaluated", "delivered")):
            yield f"{name} has the history {dict(kinds)}"
        yield from _wrong_case(ledger, name, expected.get(name, b""), output)
    yield from (f"{one.what}: {one.why}" for one in led.balance(ledger).discrepancies)
    pages = sum(map(pages_of, expected.values()))
    if (counted := sum(led.balance(ledger).pages.values())) != pages:
        yield f"{counted} pages were counted, {pages} were sent"


def _wrong_case(ledger: Ledger, name: str, content: bytes, output: Path) -> Iterator[str]:
    case = led.load_case(ledger, name)
    if (
        not (case and case["evaluation"])
        or case["evaluation"]["criterion"] != hashlib.sha256(content).hexdigest()[:8]
    ):
        yield f"{name} has not its own evaluation"
    path = output / name / "case.json"
    if not path.is_file() or json.loads(path.read_bytes()) != case:
        yield f"{name} is not in the output as it is in the ledger"


def _id(content: bytes) -> str:
    return submission_id([hashlib.sha256(content).hexdigest()])


@contextmanager
def crash_settings(kind: str, home: Path, options: dict[str, str]) -> Iterator[Settings]:
    """Settings as the children will read them from the environment, too."""
    with ledger_settings(kind, home, **options) as settings:
        given = {f"TRIAGE_{name.upper()}": value for name, value in options.items()}
        given |= {"TRIAGE_HOME": str(home), "TRIAGE_KEYS": settings.keys, "TRIAGE_MIN_FREE_MB": "1"}
        if settings.ledger_url:
            given["TRIAGE_LEDGER_URL"] = settings.ledger_url
        os.environ.update(given)
        yield load_settings(os.environ)


def crash(kind: str, folder: Path, *, submissions: int, kills: int, seed: int, workers: int) -> list[str]:
    """Run it; what is wrong, which is nothing."""
    rng = random.Random(seed)
    inbox, output = folder / "inbox", folder / "output"
    inbox.mkdir()
    asked_log = folder / "asked"
    os.environ["CRASH_ASKED"] = str(asked_log)
    options = {"output_dir": str(output), "lease_s": "4", "max_attempts": "100", "delivery_attempts": "100"}
    with crash_settings(kind, folder / "home", options) as settings, ExitStack() as stack:
        ledger = stack.enter_context(open_ledger(settings))
        packets = contents(submissions, rng)
        killer = Killer(ledger, kills, random.Random(seed + 1), pause_s=1.0)
        all_sent, started, told = threading.Event(), time.monotonic(), [0.0]
        sender = (packets, inbox, random.Random(seed + 2), killer, all_sent)

        def ready() -> None:
            threading.Thread(target=send, args=sender, daemon=True).start()

        def watched(children: Sequence[Child]) -> None:
            figures, passed = led.figures(ledger), time.monotonic() - started
            if passed - told[0] > 30:
                told[0] = passed
                states = {state.value: number for state, number in figures.states.items() if number}
                print(f"{passed:6.0f} s  {killer.kinds.total()} kills  {states}", flush=True)
            killer.children = children
            if figures.states[State.IN_FLIGHT] and not killer.ident:
                killer.start()  # all run; before, there is little to break
            is_over = killer.is_done and all_sent.is_set() and not _busy(figures) and not any(inbox.iterdir())
            if is_over or passed > PATIENCE_S + 10 * kills:
                signal.raise_signal(signal.SIGINT)

        serve(
            settings,
            workers=workers,
            parts=[watching(inbox)],
            ready=ready,
            watched=watched,
            worker_module="tests.crash_worker",
            longest_pause_s=0.5,
        )
        asked = asked_log.read_text().split() if asked_log.exists() else []
        attempts = [
            row for item in led.items(ledger, most=99_999) for row in led.history(ledger, item.id).attempts
        ]
        lost = sum(row["result"] == "lost" for row in attempts)
        print(
            f"{kind}: {submissions} submissions, {killer.kinds.total()} kills {dict(killer.kinds)} "
            f"({killer.idle} while nothing was to be done), "
            f"{len(attempts)} attempts of which {lost} were lost, evaluator asked {len(asked)} times, "
            f"{time.monotonic() - started:.0f} s"
        )
        found = list(wrong(ledger, packets, output, inbox))
        if killer.idle > IDLE * kills:
            found.append(f"{killer.idle} kills met nothing to do")
        return found


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    options.add_argument("--submissions", type=int, default=300)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--workers", type=int, default=3)
    options.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    chosen = options.parse_args()
    if chosen.database == "postgresql" and not os.environ.get(SERVER):
        print(f"crash test on PostgreSQL skipped: {WITHOUT}")
        return 0
    configure_logging(level="ERROR")
    print(f"seed {chosen.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        found = crash(
            chosen.database,
            Path(folder),
            submissions=chosen.submissions,
            kills=chosen.kills,
            seed=chosen.seed,
            workers=chosen.workers,
        )
    for line in found:
        print(f"WRONG: {line}")
    print(
        "nothing lost, nothing doubled" if not found else f"{len(found)} things are wrong; seed {chosen.seed}"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
