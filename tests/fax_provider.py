"""A fax provider on loopback: signs what it tells, and gives out faxes as a test has it do."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pipeline.catalog.fax_providers import FaxProvider, load_fax_providers
from pipeline.intake_server.fax import sign
from pipeline.settings import load_settings

SECRET = "n0w-17-is-s1gned!"
TOKEN = "let-me-have-it"
MODELS = load_settings({}).models_dir
Act = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Provider:
    """What it gives out at a path, and which requests came, with their headers."""

    port: int
    acts: dict[str, list[Act]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def gives(self, path: str, *acts: Act) -> str:
        """At `path` it does these, one a request, the last one for ever; returns the address."""
        self.acts[path] = list(acts)
        return self.url(path)

    def models(self, folder: Path, *, more_hosts: tuple[str, ...] = (), **changes: str) -> Path:
        """The knowledge files, with this provider as `example`; `changes` are replaced in its file."""
        target = folder / "models"
        (target / "fax").mkdir(parents=True)
        for path in MODELS.iterdir():
            if path.name != "fax":
                (target / path.name).symlink_to(path)
        text = (MODELS / "fax" / "example.toml").read_text(encoding="utf-8")
        hosts = json.dumps([f"127.0.0.1:{self.port}", *more_hosts])
        text = text.replace('["media.fax.example.com", "storage.fax.example.com"]', hosts)
        for old, new in changes.items():
            text = text.replace(old, new)
        (target / "fax" / "example.toml").write_text(text, encoding="utf-8")
        return target


def settings_for(models: Path) -> dict[str, str]:
    """Settings under which it is served."""
    return {
        "models_dir": str(models),
        "fax_secrets": f"example={SECRET}",
        "fax_tokens": f"example={TOKEN}",
        "fax_timeout_s": "1",
    }


def notice(
    fax_id: str,
    url: str,
    *,
    received_at: datetime | None = None,
    at: datetime | None = None,
    secret: str = SECRET,
    **changes: Any,
) -> tuple[bytes, dict[str, str]]:
    """Body and headers with which the provider tells of a fax."""
    now = datetime.now(UTC)
    fax = {"id": fax_id, "media_url": url, "received_at": (received_at or now).isoformat()}
    body = json.dumps({"event": "fax.received", "fax": fax} | changes).encode()
    timestamp = str(int((at or now).timestamp()))
    rules = example().signature
    headers = {
        rules.timestamp_header: timestamp,
        rules.header: sign(rules, secret, timestamp, body),
        "Content-Type": "application/json",
    }
    return body, headers


def example() -> FaxProvider:
    return load_fax_providers(MODELS)["example"]


@contextmanager
def fax_provider() -> Iterator[Provider]:
    """Runs while the block does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked.append((self.path, dict(self.headers)))
            acts = provider.acts.get(self.path) or [status(404)]
            act = acts.pop(0) if len(acts) > 1 else acts[0]
            act(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Provider(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# --------------------------------------------------------------------------- what it may do


def file(content: bytes) -> Act:
    """Gives the file to who shows the token."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        if handler.headers["Authorization"] != f"Bearer {TOKEN}":
            return status(401)(handler)
        return anybody(content)(handler)

    return act


def anybody(content: bytes) -> Act:
    """Gives the file to anybody."""
    return _answer(200, {"Content-Length": str(len(content))}, content)


def status(code: int) -> Act:
    return _answer(code, {"Content-Length": "6"}, b"sorry!")


def cut_off(content: bytes) -> Act:
    """Says that more comes than does."""
    return _answer(200, {"Content-Length": str(len(content) + 100)}, content)


def claims(length: int) -> Act:
    """Says that so much comes."""
    return _answer(200, {"Content-Length": str(length)}, b"x")


def endless() -> Act:
    """Gives bytes without saying how many, for as long as they are taken."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        _answer(200, {}, b"")(handler)
        try:
            while True:
                handler.wfile.write(b"x" * 65536)
        except OSError:
            pass

    return act


def trickling(pause_s: float) -> Act:
    """Gives a byte now and then, for as long as they are taken."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        _answer(200, {}, b"")(handler)
        with suppress(OSError):
            while True:
                handler.wfile.write(b"x")
                time.sleep(pause_s)

    return act


def silent() -> Act:
    """Says nothing until the other side has gone."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        try:
            while handler.connection.recv(100):
                pass
        except OSError:
            pass

    return act


def moved(url: str, code: int = 302) -> Act:
    return _answer(code, {"Location": url, "Content-Length": "0"}, b"")


def _answer(code: int, headers: dict[str, str], body: bytes) -> Act:
    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return act
