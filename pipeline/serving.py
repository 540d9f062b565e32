"""An HTTP application served on one address: certificates, the socket, a quiet end; and what each of ours
asks before it serves: is the place safe, does one caller ask too often.
"""

from __future__ import annotations

import math
import signal
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from types import FrameType
from typing import Any, Final

import uvicorn

from pipeline.addresses import LOOPBACK
from pipeline.errors import ConfigurationError, UsageError

_STOP_S: Final = 5
_MOST_CALLERS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files (PEM) with which the server shows who it is; `client_ca` names who may vouch for its clients,
    which must then show a certificate too."""

    certificate: Path
    key: Path | None = None
    client_ca: Path | None = None


@dataclass
class Allowance:
    """So many requests a minute from one address or session; the oldest of many addresses are forgotten."""

    a_minute: int
    _spent: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def wait_s(self, who: str) -> int:
        """0 where one more is allowed now, which is counted; else the seconds until one is."""
        with self._lock:
            now = time.monotonic()
            left, since = self._spent.pop(who, (float(self.a_minute), now))
            left = min(self.a_minute, left + (now - since) * self.a_minute / 60)
            self._spent[who] = (left - 1 if left >= 1 else left, now)
            if len(self._spent) > _MOST_CALLERS:
                self._spent.popitem(last=False)
            return 0 if left >= 1 else max(1, math.ceil((1 - left) * 60 / self.a_minute))


def place(text: str) -> tuple[str, int]:
    """HOST:PORT, [HOST]:PORT, :PORT or PORT; without a host this machine alone. Raises UsageError."""
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"{text} is no HOST:PORT.", next_step="For example 127.0.0.1:8370.")
    return host.strip("[]") or LOOPBACK[0], int(port)


def check_place(host: str, *, tls: bool) -> None:
    """Raises ConfigurationError for plain HTTP on an address that other machines reach."""
    if host not in LOOPBACK and not tls:
        raise ConfigurationError(
            f"Patients' records do not go over plain HTTP, and {host} is reached from other machines.",
            next_step="Give --tls-cert and --tls-key, or serve 127.0.0.1 behind a proxy that speaks TLS.",
        )


def days_left(certificates: Certificates) -> int:
    """For how many days the certificate holds. Raises ConfigurationError where it cannot be used."""
    from cryptography import x509  # asked for by the doctor alone

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificates.certificate, certificates.key)
        pem = certificates.certificate.read_bytes()
    except OSError as error:  # ssl.SSLError is one
        raise _unusable(error) from error
    ends = x509.load_pem_x509_certificate(pem).not_valid_after_utc
    return (ends - datetime.now(UTC)).days


def serve_application(
    app: Any,
    host: str,
    port: int,
    *,
    ready: Callable[[str], None],
    certificates: Certificates | None = None,
    **limits: Any,
) -> None:
    """Serve until SIGINT or SIGTERM; requests under way are answered. `ready` is told the address once it
    answers. Port 0 takes a free one. `limits` are uvicorn's.

    Raises UsageError where the address cannot be had, ConfigurationError where a certificate cannot.
    """
    config = _config(app, certificates, **limits)
    listener = _listener(host, port)
    scheme = "https" if certificates else "http"
    shown = f"[{host}]" if ":" in host else host
    with listener:
        _Server(config, lambda: ready(f"{scheme}://{shown}:{listener.getsockname()[1]}")).run([listener])


def _listener(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"Port {port} of {host} cannot be had ({type(error).__name__}).",
            next_step="Name another with --port; 0 takes a free one.",
        ) from error
    # asyncio sets it for sockets that it opened itself; without it every answer on a connection that is
    # kept waits 40 ms for an acknowledgement. What is accepted inherits it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _config(app: Any, certificates: Certificates | None, **limits: Any) -> uvicorn.Config:
    # uvicorn's own log lines would name addresses and paths; what is served is told by the application.
    config = uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_STOP_S,
        **limits,
    )
    if certificates:
        config.ssl_certfile = certificates.certificate
        config.ssl_keyfile = certificates.key
        config.ssl_ca_certs = certificates.client_ca
        config.ssl_cert_reqs = ssl.CERT_REQUIRED if certificates.client_ca else ssl.CERT_NONE
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        raise _unusable(error) from error
    return config


def _unusable(error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"The certificates cannot be used ({type(error).__name__}).",
        next_step="They must be readable PEM files, the key unencrypted.",
    )


class _Server(uvicorn.Server):
    """A server that says when it is ready, and that ends quietly when it is told to stop."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn has it, but a stop that was asked for is not raised again once all is closed."""

        def stop(number: int, frame: FrameType | None) -> None:
            self.handle_exit(number, frame)

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
