"""The ledger under several processes at once, some of them killed: real processes, real databases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from ledgers import DATABASES, KEYS, ledger_settings, received

from pipeline import ledger as led
from pipeline.ledger import State, open_ledger
from pipeline.settings import Settings

TESTS = Path(__file__).parent
# Claims and finishes what there is; with an argument, dies over the n-th submission it holds.
WORKER = """
import os, signal, sys
from ledgers import EVALUATOR, PAGES, case
from pipeline import ledger as led
from pipeline.ledger import open_ledger
from pipeline.settings import load_settings

deadly = int(sys.argv[1])
with open_ledger(load_settings(os.environ)) as ledger:
    name = f"w{os.getpid()}"
    print("ready", flush=True)
    held = 0
    while claims := led.claim(ledger, name, 2):
        for claim in claims:
            held += 1
            if held == deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            led.finish(ledger, claim, case(claim.submission_id), PAGES, [1], EVALUATOR)
        for sending in led.claim_sendings(ledger, name, 3):
            led.evaluated(ledger, sending, case(sending.submission_id, outcome="meets"), [])
"""
RECEIVER = """
import os, sys
from ledgers import received
from pipeline.ledger import open_ledger
from pipeline.settings import load_settings

with open_ledger(load_settings(os.environ)) as ledger:
    print("ready", flush=True)
    for number in range(int(sys.argv[1])):
        received(ledger, b"%d" % number)
"""


def start(settings: Settings, program: str, argument: int) -> subprocess.Popen[bytes]:
    environ = {
        **os.environ,
        "TRIAGE_HOME": str(settings.home),
        "TRIAGE_KEYS": KEYS,
        "TRIAGE_MIN_FREE_MB": "1",
        "TRIAGE_LEASE_S": "2",
        "PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, sys.path)]),
    }
    if settings.ledger_url:
        environ["TRIAGE_LEDGER_URL"] = settings.ledger_url
    command = [sys.executable, "-c", program, str(argument)]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE)


def wait_for(processes: list[subprocess.Popen[bytes]]) -> list[int]:
    codes = [process.wait(timeout=120) for process in processes]
    for process in processes:
        assert process.stdout is not None
        process.stdout.close()
    return codes


@pytest.mark.parametrize("kind", DATABASES)
def test_workers_side_by_side_finish_everything_once_though_some_die(kind: str, tmp_path: Path) -> None:
    with ledger_settings(kind, tmp_path / "home", lease_s="2") as settings, open_ledger(settings) as ledger:
        for number in range(0, 40, 10):
            received(ledger, *(b"%d" % one for one in range(number, number + 10)))
        assert wait_for([start(settings, WORKER, deadly) for deadly in (3, 5)]) == [-signal.SIGKILL] * 2
        assert wait_for([start(settings, WORKER, 0) for _ in range(2)]) == [0, 0]
        # What the dead held comes back once its lease is over.
        deadline = time.monotonic() + 60
        while led.figures(ledger).states[State.DONE] < 40 and time.monotonic() < deadline:
            time.sleep(0.5)
            wait_for([start(settings, WORKER, 0)])
        balance = led.balance(ledger)
        assert (balance.submissions[State.DONE], balance.discrepancies) == (40, [])
        kinds = Counter(
            event.kind for item in led.items(ledger) for event in led.history(ledger, item.id).events
        )
        assert (kinds["finished"], kinds["evaluated"]) == (40, 40)
        assert kinds["lease_lost"] >= 1


@pytest.mark.parametrize("kind", DATABASES)
def test_the_same_packets_received_by_several_at_once_are_received_once(kind: str, tmp_path: Path) -> None:
    with ledger_settings(kind, tmp_path / "home") as settings, open_ledger(settings) as ledger:
        assert wait_for([start(settings, RECEIVER, 10) for _ in range(3)]) == [0, 0, 0]
        balance = led.balance(ledger)
        assert (balance.received, balance.deliveries, balance.discrepancies) == (10, 30, [])


@pytest.mark.parametrize("kind", DATABASES)
def test_several_open_a_new_ledger_at_once(kind: str, tmp_path: Path) -> None:
    """Tables and key are made by one of them."""
    with ledger_settings(kind, tmp_path / "home") as settings:
        assert wait_for([start(settings, RECEIVER, 1) for _ in range(3)]) == [0, 0, 0]
