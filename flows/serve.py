"""The whole service on one machine: Prefect's API, workers, and the parts beside them, in one command.

The parent only keeps its children running. Each of them may be killed at any time: what it did is in the
ledger, and it is started again.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flows.api_process import HOST
from flows.children import Child
from flows.local_api import START_TIMEOUT_S, prefect_environment
from pipeline.errors import ConfigurationError
from pipeline.files import make_private
from pipeline.ledger import open_ledger
from pipeline.settings import Settings

_log = logging.getLogger(__name__)
_LOOK_S: Final = 0.5


@dataclass(frozen=True)
class Part:
    """What runs beside the workers, in a process of its own: a module, or one of triage's own commands."""

    module: str
    arguments: Sequence[str]
    uses_prefect: bool = True

    @classmethod
    def command(cls, *arguments: str) -> Part:
        """`triage` with these arguments; needs no Prefect."""
        return cls("pipeline.__main__", arguments, uses_prefect=False)


def polling(channel: str) -> Part:
    """What takes in what comes through a channel. Each has a process of its own: a server that hangs or a
    message that exhausts one holds up none of the others, and each may be killed alone."""
    return Part("flows.worker", ["--channel", channel])


def watching(folder: Path) -> Part:
    """What takes in what comes into `folder`, whatever the settings say."""
    return Part("flows.worker", ["--channel", "folder", "--watch", str(folder)])


def requesting() -> Part:
    """What sees to requests for information: replies joined, reminders, acknowledgements, expiry."""
    return Part("flows.worker", ["--requests"])


def serve(
    settings: Settings,
    *,
    workers: int,
    parts: Sequence[Part] = (),
    arguments: Sequence[str] = (),
    ready: Callable[[], None] = lambda: None,
    watched: Callable[[Sequence[Child]], None] = lambda children: None,
    worker_module: str = "flows.worker",
    longest_pause_s: float = 30.0,
) -> None:
    """Serve until SIGTERM or Ctrl-C; then what is being worked is given back. `arguments` (logging) go to
    every worker and part, behind its own. `ready` is called when all have started, `watched` at each look
    after them; a child that keeps ending is started again after `longest_pause_s` at most.

    Raises ConfigurationError where the ledger or Prefect's API cannot be used.
    """
    open_ledger(settings).close()  # says what is wrong, before anything is started
    home = settings.home / "prefect"
    make_private(home)
    environment = prefect_environment(os.environ, home)
    # The port is open to every user of the machine; the password is not.
    port, password = _free_port(), f"triage:{secrets.token_urlsafe(24)}"
    server = {**environment, "PREFECT_SERVER_API_AUTH_STRING": password}
    api = Child(
        "flows.api_process", [str(port)], server, log=home / "server.log", longest_pause_s=longest_pause_s
    )
    client = {
        **environment,
        "PREFECT_API_URL": f"http://{HOST}:{port}/api",
        "PREFECT_API_AUTH_STRING": password,
    }
    children = [
        Child(
            part.module,
            [*part.arguments, *arguments],
            client if part.uses_prefect else os.environ,
            longest_pause_s=longest_pause_s,
        )
        for part in (*[Part(worker_module, [])] * workers, *parts)
    ]
    # A shell starts what it puts into the background with SIGINT ignored, and that is inherited.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        _start_api(api, port, home / "server.log")
        for child in children:
            child.keep_running()
        ready()
        while True:
            for child in (api, *children):
                child.keep_running()
            watched([api, *children])
            time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        _log.info("Stopping.")
    finally:
        for child in children:
            child.interrupt()
        for child in (*children, api):
            child.stop()


def _start_api(api: Child, port: int, log: Path) -> None:
    """Start Prefect's API and wait until it answers. Raises ConfigurationError."""
    ends = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < ends:
        api.keep_running()
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(_LOOK_S)
    raise ConfigurationError("Prefect's API did not start on this machine.", next_step=f"Its log is {log}.")


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listening:
        return int(listening.getsockname()[1])
