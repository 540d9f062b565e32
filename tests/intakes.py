"""An intake server for tests: the real application under uvicorn on loopback, with two senders."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from ledgers import ledger_settings

from pipeline.intake_server import application
from pipeline.ledger import Ledger, open_ledger
from pipeline.review import accounts, sessions
from pipeline.review.roles import Role
from pipeline.settings import Settings

SENDERS = ("portal", "clinic")
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


@dataclass
class Intake:
    """A running server and what is behind it."""

    ledger: Ledger
    settings: Settings
    url: str
    tokens: dict[str, str] = field(repr=False)
    clients: dict[str | None, httpx.Client] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def client(self, sender: str | None = "portal") -> httpx.Client:
        """A client with that sender's token; without any for None."""
        if sender not in self.clients:
            headers = {"Authorization": f"Bearer {self.tokens[sender]}"} if sender else {}
            self.clients[sender] = httpx.Client(base_url=self.url, headers=headers, timeout=60)
        return self.clients[sender]

    def close(self) -> None:
        for client in self.clients.values():
            client.close()


def token_for(ledger: Ledger, name: str, role: Role = Role.SENDER, days: int = 1) -> str:
    """A token of a new user."""
    accounts.add(ledger, name, role, None, actor="operator:test")
    user = accounts.user(ledger, name)
    assert user is not None
    return sessions.begin(ledger, user, program=True, lasts=timedelta(days=days))


@contextmanager
def open_intake(home: Path, kind: str = "sqlite", **more: str) -> Iterator[Intake]:
    """A server over an empty ledger; `more` are settings by their names."""
    with ledger_settings(kind, home, **more) as settings, open_ledger(settings) as ledger:
        tokens = {name: token_for(ledger, name) for name in SENDERS}
        with served(ledger, settings) as url, closing(Intake(ledger, settings, url, tokens)) as intake:
            yield intake


@contextmanager
def served(ledger: Ledger, settings: Settings, **more: Any) -> Iterator[str]:
    """The application on a port of this machine; yields its address."""
    config = uvicorn.Config(
        application(ledger, settings, **more),
        host="127.0.0.1",
        port=0,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
