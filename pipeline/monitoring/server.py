"""What watchers ask over HTTP: /metrics, /health/live, /health/ready. Counts and codes only.

Live: this process answers. Ready: work can be taken in and done: the ledger answers, there is room on the
disk, the keys open what they seal. An answer is good for some seconds, so that no number of watchers is a
load on the ledger.
"""

from __future__ import annotations

import logging
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final, Generic, TypeVar

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipeline.errors import TriageError, UsageError
from pipeline.ledger import Ledger
from pipeline.monitoring.metrics import exposition
from pipeline.settings import Settings

_log = logging.getLogger(__name__)
_GOOD_FOR_S: Final = 5.0
_STOP_S: Final = 3
T = TypeVar("T")


class _Kept(Generic[T]):
    """What a function returned, for some seconds; asked once by whoever comes first after that."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask, self._lock = ask, threading.Lock()
        self._until, self._answer = 0.0, list[T]()

    def get(self) -> T:
        with self._lock:
            if not self._answer or time.monotonic() >= self._until:
                self._answer = [self._ask()]
                self._until = time.monotonic() + _GOOD_FOR_S
            return self._answer[0]


def problems(ledger: Ledger, settings: Settings) -> list[str]:
    """What stands in the way of work, as codes: `ledger`, `disk`, `keys`. Empty: ready."""
    checks = {"ledger": _ledger_answers, "disk": _has_room, "keys": _keys_open}
    return [code for code, holds in checks.items() if not holds(ledger, settings)]


def _ledger_answers(ledger: Ledger, settings: Settings) -> bool:
    try:
        ledger.read(ledger.now)
    except TriageError:
        return False
    return True


def _has_room(ledger: Ledger, settings: Settings) -> bool:
    vault = Path(settings.vault_dir) if settings.vault_dir else settings.home / "vault"
    least = settings.min_free_mb * 2**20
    try:
        return all(shutil.disk_usage(_there(folder)).free >= least for folder in (vault, settings.home))
    except OSError:
        return False


def _there(folder: Path) -> Path:
    """The folder, or where it will be made at the first use."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def _keys_open(ledger: Ledger, settings: Settings) -> bool:
    try:
        return ledger.keys.open(ledger.keys.seal(b"ready", "ready"), "ready") == b"ready"
    except TriageError:
        return False


def application(ledger: Ledger, settings: Settings) -> Starlette:
    """The three pages."""
    stuck_after = timedelta(seconds=settings.stuck_s)
    metrics = _Kept(lambda: exposition(ledger, stuck_after=stuck_after))
    wrong = _Kept(lambda: problems(ledger, settings))

    def shown(request: Request) -> Response:
        return Response(metrics.get(), headers={"content-type": CONTENT_TYPE_LATEST})

    def live(request: Request) -> Response:
        return JSONResponse({"live": True})

    def ready(request: Request) -> Response:
        found = wrong.get()
        return JSONResponse({"ready": not found, "problems": found}, status_code=503 if found else 200)

    return Starlette(
        routes=[
            Route("/metrics", shown),
            Route("/health/live", live),
            Route("/health/ready", ready),
        ]
    )


def place(text: str) -> tuple[str, int]:
    """HOST:PORT, [HOST]:PORT or PORT. Raises UsageError."""
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"{text} is no HOST:PORT.", next_step="For example 127.0.0.1:9464.")
    return host.strip("[]") or "127.0.0.1", int(port)


def serve(ledger: Ledger, settings: Settings, where: str, *, ready: Callable[[str], None]) -> None:
    """Answer at HOST:PORT until stopped; `ready` is told the address. Raises UsageError."""
    host, port = place(where)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(
            f"Port {port} of {host} cannot be had ({type(error).__name__}).",
            next_step="Name another HOST:PORT; port 0 takes a free one.",
        ) from None
    config = uvicorn.Config(
        application(ledger, settings),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_S,
    )
    # uvicorn raises the signal that stopped it again, once all is closed; a stop is no failure.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with listener, suppress(KeyboardInterrupt):
        shown = f"[{host}]" if ":" in host else host
        ready(f"http://{shown}:{listener.getsockname()[1]}")
        uvicorn.Server(config).run([listener])
    _log.info("Stopped.")
