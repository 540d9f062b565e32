"""`triage serve` as a script starts it: in the background, where SIGINT is ignored and that is inherited."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_WITHIN_S = 90


def _children_of(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if listed.exists():
        return [int(child) for child in listed.read_text().split()]
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def _ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


def _wait(pids: list[int]) -> list[int]:
    until = time.monotonic() + _WITHIN_S
    while (left := [pid for pid in pids if not _ended(pid)]) and time.monotonic() < until:
        time.sleep(0.2)
    return left


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_all_its_processes(number: signal.Signals, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "serve",
        "--watch",
        str(tmp_path / "inbox"),
        "--workers",
        "1",
        "--metrics",
        "127.0.0.1:0",
    ]
    (tmp_path / "inbox").mkdir()
    environ = {**os.environ, "TRIAGE_HOME": str(tmp_path / "home"), "TRIAGE_MIN_FREE_MB": "1"}
    service = subprocess.Popen(
        command,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        assert service.stdout is not None
        assert b"watched" in service.stdout.readline()
        children = _children_of(service.pid)
        assert len(children) == 5  # Prefect's API, a worker, the watcher, the requests, the metrics
        service.send_signal(number)
        service.wait(_WITHIN_S)
        assert _wait(children) == []
    finally:
        service.kill()
        service.stdout.close() if service.stdout else None
        for child in _children_of(service.pid):
            os.kill(child, signal.SIGKILL)
