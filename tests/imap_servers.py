"""An IMAP server on loopback: pymap, as a process of its own, with a mailbox in memory."""

from __future__ import annotations

import imaplib
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mail_servers import certificate

USER, PASSWORD = "clerk@plan.example", "a-löng-secret"
_STARTS_WITHIN_S = 60
# pymap hashes a password half a million times at each login; that is not what is tested.
_SERVER = """
import sys
from pymap.main import main
from pysasl.hashing import BuiltinHash

BuiltinHash.__init__.__kwdefaults__["rounds"] = 1000
sys.exit(main())
"""


@dataclass
class Imap:
    """The server, and what a mail system and a person do with the mailbox."""

    port: int
    ca: Path

    @property
    def settings(self) -> dict[str, str]:
        """As the channel's user would set it."""
        return {
            "mailbox_server": f"localhost:{self.port}",
            "mailbox_user": USER,
            "mailbox_password": PASSWORD,
            "mailbox_ca": str(self.ca),
        }

    @contextmanager
    def client(self, mailbox: str = "INBOX") -> Iterator[imaplib.IMAP4]:
        """Somebody who has the mailbox open."""
        client = imaplib.IMAP4("localhost", self.port, timeout=30)
        client.starttls(ssl.create_default_context(cafile=str(self.ca)))
        client.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
        client.select(mailbox)
        try:
            yield client
        finally:
            client.logout()

    def deliver(self, *messages: bytes, at: datetime | None = None) -> None:
        """Messages come into the mailbox."""
        with self.client() as client:
            for message in messages:
                time_ = imaplib.Time2Internaldate(at or datetime.now(UTC))
                assert client.append("INBOX", "", time_, message)[0] == "OK"

    def found(self, mailbox: str = "INBOX", criterion: str = "ALL") -> int:
        """How many messages a mailbox has for which this holds; 0 where there is no such mailbox."""
        with self.client(mailbox) as client:
            if client.state != "SELECTED":
                return 0
            return len(client.uid("SEARCH", criterion)[1][0].split())

    def mark(self, sign: str, flag: str) -> None:
        """A person sets (+) or takes away (-) a flag of all messages."""
        with self.client() as client:
            client.store("1:*", f"{sign}FLAGS", f"({flag})")


@contextmanager
def imap_server(folder: Path) -> Iterator[Imap]:
    """A server with an empty mailbox, whose certificate vouches for itself."""
    cert, key = certificate(folder)
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
    options = ["--host", "localhost", "--port", str(port), "--cert", str(cert), "--key", str(key)]
    user = ["dict", "--demo-user", USER, "--demo-password", PASSWORD]
    with (folder / "pymap.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", _SERVER, *options, *user], stdout=log, stderr=log)
    try:
        _wait(process, port)
        yield Imap(port, cert)
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    ends = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < ends and process.poll() is None:
        with suppress(OSError), socket.create_connection(("localhost", port), timeout=5):
            return
        time.sleep(0.1)
    raise AssertionError("the IMAP server did not start")


@contextmanager
def cutting(port: int, after: int) -> Iterator[int]:
    """A port that leads to another, until so many bytes came from there; then the connection is cut."""
    listener = socket.create_server(("localhost", 0))

    def forward(source: socket.socket, target: socket.socket, most: int) -> None:
        with suppress(OSError):
            while most > 0 and (data := source.recv(65536)):
                target.sendall(data[:most])
                most -= len(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        with (
            suppress(OSError),
            listener.accept()[0] as near,
            socket.create_connection(("localhost", port)) as far,
        ):
            up = threading.Thread(target=forward, args=(near, far, 2**60))
            up.start()
            forward(far, near, after)
            up.join()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):  # should nobody have come
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(30)
