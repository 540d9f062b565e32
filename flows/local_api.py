"""Prefect on this machine alone: quiet, offline, with its own home, and stopped when done.

Nothing here imports Prefect: its settings come from the environment, and must stand there before
the import. Seconds to a ready API on two cores: 3, with a new home 10 (Prefect's migrations).
"""

from __future__ import annotations

import logging
import os
import secrets
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipeline.errors import ConfigurationError
from pipeline.files import make_private

START_TIMEOUT_S: Final = 120.0
_STOP_TIMEOUT_S: Final = 10.0
_LEVELS: Final = ("PREFECT_LOGGING_LEVEL", "PREFECT_SERVER_LOGGING_LEVEL", "PREFECT_INTERNAL_LOGGING_LEVEL")

_log = logging.getLogger(__name__)

# By the names of Prefect 3.8's settings.
QUIET: Final = {
    # Nothing leaves the machine. Both of the first two are needed: the client's usage statistics
    # and the server's heartbeat are switched apart.
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # Nothing but ids, states and times is kept.
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_LOGGING_LOG_PRINTS": "false",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
}
_SETTINGS: Final = {
    **QUIET,
    # No second server behind our back, no user interface, none of its block types (start-up time).
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    # What goes wrong in a stage is told by us; Prefect tells it again, with its message withheld.
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
}


def prefect_environment(environ: Mapping[str, str], prefect_home: Path) -> dict[str, str]:
    """`environ` with Prefect's settings in it, in place of all that the user has for Prefect.

    A profile, an API address or a key of the user's would send our runs elsewhere; only the
    levels of logging are theirs to choose.
    """
    others = {name: value for name, value in environ.items() if not name.startswith("PREFECT_")}
    levels = {name: environ[name] for name in _LEVELS if name in environ}
    return {**others, **_SETTINGS, **levels, "PREFECT_HOME": str(prefect_home)}


@contextmanager
def local_api(environment: Mapping[str, str], prefect_home: Path) -> Iterator[Callable[[], dict[str, str]]]:
    """Prefect's API while the block runs; `environment` is of `prefect_environment`.

    Yields a function that waits until the API answers and returns the settings by which a client
    finds it: what else takes time can be done before. It raises ConfigurationError where the API
    does not start.
    """
    make_private(prefect_home)
    # The port is open to every user of the machine; the password is not.
    password = f"triage:{secrets.token_urlsafe(24)}"
    log_path = prefect_home / "server.log"
    with log_path.open("ab") as server_log:
        process = subprocess.Popen(
            # The same modules as here, and none from the current folder, which may well be somebody's
            # own Prefect project with its own flows/ and prefect.toml.
            [sys.executable, "-P", "-m", "flows.api_process"],
            cwd=prefect_home,
            env={
                **environment,
                "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path),
                "PREFECT_SERVER_API_AUTH_STRING": password,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=server_log,
            start_new_session=True,  # an interrupt of the command reaches the flow first
            umask=0o077,
        )
    try:
        yield lambda: {
            "PREFECT_API_URL": f"http://127.0.0.1:{_ready_port(process, log_path)}/api",
            "PREFECT_API_AUTH_STRING": password,
        }
    finally:
        _stop(process)


def _ready_port(process: subprocess.Popen[bytes], log_path: Path) -> int:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_TIMEOUT_S)
    line = process.stdout.readline() if ready else b""
    if not line:
        raise ConfigurationError(
            "Prefect's API did not start on this machine.",
            next_step=f"Its log is {log_path}; without --flow the same work is done in process.",
        )
    return int(line)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Close the process's stdin, which it takes as the end; kill it if it does not go."""
    try:
        process.communicate(timeout=_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        _log.warning("Prefect's API had to be killed after %d s.", _STOP_TIMEOUT_S)
        process.kill()
        process.communicate()


@contextmanager
def environment_replaced(environment: Mapping[str, str]) -> Iterator[None]:
    """`os.environ` as given while the block runs."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
