"""A Prefect server as a user of many machines has it: schedules and automations, on either database."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from flows.local_api import QUIET

WITHIN_S = 180.0


def free_port(host: str = "127.0.0.1") -> int:
    with socket.create_server((host, 0)) as listening:
        return int(listening.getsockname()[1])


def client_environment(home: Path, api: str) -> dict[str, str]:
    """What who talks to the server has in its environment; nothing of the user's own Prefect."""
    others = {name: text for name, text in os.environ.items() if not name.startswith(("PREFECT_", "TRIAGE_"))}
    own = {"PREFECT_HOME": str(home), "PREFECT_API_URL": api, "PREFECT_LOGGING_LEVEL": "WARNING"}
    return {**others, **QUIET, **own, "PREFECT_SERVER_EPHEMERAL_ENABLED": "false"}


def prefect(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "prefect", *arguments]


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, all of which is ended with the block."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, env=environment, stdout=out, stderr=out, start_new_session=True, cwd=log.parent
        )
    try:
        yield process
    finally:
        for number in (2, 9):  # SIGINT, SIGKILL
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)


@contextmanager
def prefect_server(
    folder: Path, *, host: str = "127.0.0.1", database: str = "", before: Sequence[str] = ()
) -> Iterator[str]:
    """The address of the API of `prefect server start`; `before` is put in front of the command."""
    port = free_port() if host == "127.0.0.1" else 4200
    api = f"http://{host}:{port}/api"
    environment = {
        **client_environment(folder / "server", api),
        "PREFECT_SERVER_UI_ENABLED": "false",
        "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
        # A run that is due is handed out sooner than in Prefect's default.
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5",
    }
    if database:
        environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = database
    command = [*before, *prefect("server", "start", "--host", host, "--port", str(port))]
    with running(command, environment, folder / "server.log") as process:
        until = time.monotonic() + WITHIN_S
        while time.monotonic() < until and process.poll() is None:
            with suppress(httpx.HTTPError):
                if httpx.get(f"{api}/health", timeout=5).status_code == 200:
                    yield api
                    return
            time.sleep(0.5)
        raise AssertionError(f"no server: {(folder / 'server.log').read_text()[-2000:]}")
