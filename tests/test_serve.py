"""`triage serve` as a script starts it: in the background, where SIGINT is ignored and that is inherited."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from pipeline.__main__ import main
from pipeline.errors import ExitCode

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


def _wait_for(url: str) -> None:
    until = time.monotonic() + _WITHIN_S
    while True:
        with suppress(httpx.TransportError):
            assert httpx.get(url).json() == {"ready": True, "problems": []}
            return
        assert time.monotonic() < until
        time.sleep(0.2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_all_its_processes(number: signal.Signals, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = f"127.0.0.1:{listening.getsockname()[1]}"
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "serve",
        "--watch",
        str(tmp_path / "inbox"),
        "--workers",
        "1",
        "--intake",
        place,
        "--metrics",
        "127.0.0.1:0",
    ]
    (tmp_path / "inbox").mkdir()
    (tmp_path / "known_hosts").touch()
    environ = {
        **os.environ,
        "TRIAGE_HOME": str(tmp_path / "home"),
        "TRIAGE_MIN_FREE_MB": "1",
        # Nobody is there: the channel waits, and the rest goes on.
        "TRIAGE_SFTP_SERVER": "localhost:1",
        "TRIAGE_SFTP_USER": "clerk",
        "TRIAGE_SFTP_PASSWORD": "a-long-secret",
        "TRIAGE_SFTP_KNOWN_HOSTS": str(tmp_path / "known_hosts"),
    }
    with (tmp_path / "log").open("wb") as log:
        service = subprocess.Popen(
            command,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=log,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )
    try:
        assert service.stdout is not None
        told = service.stdout.readline()
        assert b"watched" in told
        assert b"channels: sftp" in told
        _wait_for(f"http://{place}/health/ready")
        children = _children_of(service.pid)
        # Prefect's API, a worker, what sees to requests, two channels, the intake server, the metrics
        assert len(children) == 7
        service.send_signal(number)
        service.wait(_WITHIN_S)
        assert _wait(children) == []
        assert b"Traceback" not in (tmp_path / "log").read_bytes()
    finally:
        service.kill()
        service.stdout.close() if service.stdout else None
        for child in _children_of(service.pid):
            os.kill(child, signal.SIGKILL)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def test_the_desk_stands_beside_the_workers(tmp_path: Path) -> None:
    place = f"127.0.0.1:{_free_port()}"
    command = [sys.executable, "-m", "pipeline", "serve", "--workers", "1", "--desk", place]
    environ = {**os.environ, "TRIAGE_HOME": str(tmp_path / "home"), "TRIAGE_MIN_FREE_MB": "1"}
    service = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert service.stdout is not None
        assert f"the desk is at http://{place}".encode() in service.stdout.readline()
        until = time.monotonic() + _WITHIN_S
        while True:
            with suppress(httpx.TransportError):
                answer = httpx.get(f"http://{place}/login")
                break
            assert time.monotonic() < until
            time.sleep(0.2)
        assert "Log in" in answer.text
        children = _children_of(service.pid)
        service.send_signal(signal.SIGTERM)
        service.wait(_WITHIN_S)
        assert _wait(children) == []
    finally:
        service.kill()
        service.stdout.close() if service.stdout else None


@pytest.mark.parametrize(
    ("place", "told"), [("0.0.0.0:8360", ExitCode.CONFIGURATION), ("here and there", ExitCode.USAGE)]
)
def test_the_desk_stands_nowhere_else(place: str, told: ExitCode, tmp_path: Path) -> None:
    environ = {"TRIAGE_HOME": str(tmp_path)}
    assert main(["serve", "--desk", place], environ) == told


def _child(home: Path, *arguments: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(home), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-m", "flows.child", *arguments],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TRIAGE_HOME": str(home), "PYTHONPATH": path},
        text=True,
    )


def test_a_child_that_is_interrupted_while_it_loads_ends_quietly(tmp_path: Path) -> None:
    (tmp_path / "loads.py").write_text("import time\ntime.sleep(60)\n")
    with _child(tmp_path, "loads") as child:
        _, told = child.communicate(timeout=_WITHIN_S)  # closes its stdin
    assert (child.returncode, told) == (0, "")


def test_what_a_worker_says_is_not_withheld(tmp_path: Path) -> None:
    """It was, as a message of the module `__main__`, which may be anybody's."""
    with _child(tmp_path, "flows.worker", "--log-level", "INFO") as child:
        until = time.monotonic() + _WITHIN_S
        while not (tmp_path / "ledger.db").exists():
            assert time.monotonic() < until
            time.sleep(0.1)
        _, told = child.communicate(timeout=_WITHIN_S)
    assert child.returncode == 0
    assert "INFO flows.worker: Stopped." in told
