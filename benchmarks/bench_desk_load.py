"""Fifty reviewers at one desk: how long a case takes to open, beside what it takes one reviewer.

    python benchmarks/bench_desk_load.py [--cases 1000] [--reviewers 50] [--seconds 60] [--think 10]
    (make load)

A packet is read once and its case laid down as often as asked for, each copy sealed under an id of its own.
The desk is the real one, `triage desk`, in a process of its own; the reviewers are people: each opens a case
drawn at random, looks at it for `--think` seconds (exponential), and opens the next. Alone means one reviewer
who opens as many cases a second as all of them together. What counts is the time from the request to the last
byte of the page. Exit code 1 where the 95th percentile is more than twice that of one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, insert, select

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from desks import LETTER
from figures import write_figures
from measured import Row, figures

from pipeline.ledger import Arrival, Incoming, Ledger, claim, claim_sendings, load, open_ledger, receive
from pipeline.ledger.tables import cases, files, records, submissions
from pipeline.ledger.texts import save
from pipeline.review import accounts, sessions
from pipeline.review.guard import COOKIE
from pipeline.review.roles import Role
from pipeline.settings import Settings, load_settings
from pipeline.working import Worker, library_stages

ROOT = Path(__file__).parent.parent

_MORE = """Page {number} of the hospital course, note {number}.
Vital signs: temperature 36.{number}, pulse 7{number}, pressure 12{number}/8{number}. Lungs clear.
Medication continued as before; day {number} after admission without event. CT chest of day {number}:
the nodule of the right upper lobe measures 2.1 cm, no effusion, no adenopathy.
Tumor board of day {number}: cT2a N0 M0 confirmed.
"""


def packet(path: Path, pages: int) -> None:
    """The tests' letter, with pages of notes behind it."""
    from fpdf import FPDF

    pdf = FPDF(format="letter")
    pdf.set_font("Courier", size=10)
    for number in range(pages):
        pdf.add_page()
        pdf.multi_cell(0, 5, LETTER if number == 0 else _MORE.format(number=number) * 3)
    pdf.output(str(path))


def worked(ledger: Ledger, settings: Settings, path: Path) -> str:
    """The packet, read and judged by the pipeline."""
    (receipt,) = receive(ledger, [Arrival([Incoming("packet.pdf", path)], channel="bench")])
    worker = Worker(ledger, settings, "bench", stages=library_stages(settings))
    for held in claim(ledger, "bench", 1):
        worker.work(held)
    for sending in claim_sendings(ledger, "bench", 1):
        worker.send(sending)
    return receipt.submission_id


def copied(ledger: Ledger, original: str, count: int) -> list[str]:
    """So many submissions like it, each with records of its own."""
    ids = [f"{number:016x}" for number in range(1, count)]
    rows = {table: [] for table in (submissions, files, cases)}  # type: ignore[var-annotated]

    def own(db: Connection, table: Any) -> list[dict[str, Any]]:
        key = table.c.id if table is submissions else table.c.submission_id
        return [dict(row._mapping) for row in db.execute(select(table).where(key == original))]

    for table in rows:
        name = "id" if table is submissions else "submission_id"
        first = ledger.read(lambda db, table=table: own(db, table))  # type: ignore[misc]
        rows[table] = [row | {name: id} for id in ids for row in first]
    numbers = ledger.read(
        lambda db: db.execute(
            select(records.c.kind, records.c.number).filter_by(submission_id=original)
        ).all()
    )
    kept = {(row.kind, row.number): load(ledger, original, row.kind, row.number) for row in numbers}

    def work(db: Connection) -> None:
        for table, made in rows.items():
            db.execute(insert(table), made)
        for id in ids:
            for (kind, number), content in kept.items():
                assert content is not None
                save(ledger, db, id, kind, number, content)

    ledger.write(work, durable=True)
    return [original, *ids]


@contextmanager
def serving(environ: dict[str, str]) -> Iterator[str]:
    """`triage desk` on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    command = [sys.executable, "-m", "pipeline", "desk", "--port", str(port)]
    with subprocess.Popen(
        command, env={**os.environ, **environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL
    ) as desk:
        try:
            url = f"http://127.0.0.1:{port}"
            ends = time.monotonic() + 60
            while time.monotonic() < ends:
                assert desk.poll() is None
                try:
                    httpx.get(f"{url}/health/live").raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.2)
            yield url
        finally:
            desk.send_signal(signal.SIGINT)


async def reviewer(
    url: str, cookie: str, ids: Sequence[str], think_s: float, until: float, seed: int
) -> list[float]:
    """How long each case took to open."""
    draw, took = random.Random(seed), list[float]()
    async with httpx.AsyncClient(base_url=url, cookies={COOKIE: cookie}, timeout=120) as client:
        await asyncio.sleep(draw.uniform(0, think_s))
        while time.monotonic() < until:
            started = time.perf_counter()
            answer = await client.get(f"/cases/{draw.choice(ids)}")
            took.append(time.perf_counter() - started)
            assert answer.status_code == 200, answer.status_code
            assert "curative" in answer.text
            await asyncio.sleep(draw.expovariate(1 / think_s))
    return took


async def reviewers(
    url: str, cookies: Sequence[str], ids: Sequence[str], think_s: float, seconds: float
) -> list[float]:
    """All of them at once."""
    until = time.monotonic() + seconds
    found = await asyncio.gather(
        *(reviewer(url, cookie, ids, think_s, until, seed) for seed, cookie in enumerate(cookies))
    )
    return [one for took in found for one in took]


def percentile(took: Sequence[float], share: float) -> float:
    ordered = sorted(took)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def told(name: str, took: Sequence[float]) -> str:
    median, high = statistics.median(took) * 1000, percentile(took, 0.95) * 1000
    return f"{name:>14}: {len(took):5} views, median {median:6.0f} ms, 95 % within {high:6.0f} ms"


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--cases", type=int, default=1000)
    options.add_argument("--reviewers", type=int, default=50)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--think", type=float, default=10)
    options.add_argument("--pages", type=int, default=12)
    options.add_argument("--figures", type=Path, help="write the figures to this file as JSON")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as home:
        environ = {"TRIAGE_HOME": home, "TRIAGE_WORKERS": "1"}
        settings = load_settings(environ)
        packet(Path(home) / "packet.pdf", chosen.pages)
        with open_ledger(settings) as ledger:
            ids = copied(ledger, worked(ledger, settings, Path(home) / "packet.pdf"), chosen.cases)
            cookies = []
            for number in range(chosen.reviewers):
                accounts.add(ledger, f"r{number}", Role.REVIEWER, f"seven-Badgers-{number}-x", actor="bench")
                user = accounts.user(ledger, f"r{number}")
                assert user is not None
                cookies.append(sessions.begin(ledger, user))
        print(
            f"{len(ids)} cases of {chosen.pages} pages; {chosen.reviewers} reviewers, "
            f"a case every {chosen.think:g} s each"
        )
        with serving(environ) as url:
            asyncio.run(reviewers(url, cookies[:1], ids, 0.2, 5))  # what is loaded at the first request
            alone = asyncio.run(
                reviewers(url, cookies[:1], ids, chosen.think / chosen.reviewers, chosen.seconds / 2)
            )
            print(told("one", alone), flush=True)
            many = asyncio.run(reviewers(url, cookies, ids, chosen.think, chosen.seconds))
            print(told(str(chosen.reviewers), many), flush=True)
    ratio = percentile(many, 0.95) / percentile(alone, 0.95)
    print(
        f"{ratio:.2f} times one reviewer's; "
        f"{percentile(many, 0.95) / statistics.median(alone):.2f} times one's median"
    )
    if chosen.figures:
        what = f"case view, 95 % within, {chosen.reviewers} reviewers over one"
        write_figures(chosen.figures, figures("desk", [Row(what, ratio, bound=2)]))
        return 0
    return 0 if ratio <= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
