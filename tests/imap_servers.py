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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

from mail_servers import certificate

USER, PASSWORD = "clerk@plan.example", "a-löng-secret"
_STARTS_WITHIN_S = 60
# pymap hashes a password half a million times at each login, which is not what is tested, and does not
# offer XOAUTH2 by itself: here a token is good that is the password.
_SERVER = """
import sys
from pymap.config import IMAPConfig
from pymap.main import main
from pysasl import SASLAuth
from pysasl.creds.plain import PlainCredentials
from pysasl.hashing import BuiltinHash
from pysasl.mechanism import ServerChallenge
from pysasl.mechanism.oauth import OAuth2Mechanism


class OAuth2(OAuth2Mechanism):
    def server_attempt(self, responses):
        if len(responses) == 1 and b"wrong" in responses[0].response:
            raise ServerChallenge(b'{"status": "401"}')
        creds, _ = super().server_attempt(responses)
        return PlainCredentials(creds.authzid, creds._token), None


IMAPConfig.tls_auth = property(
    lambda self: SASLAuth([*SASLAuth.defaults().server_mechanisms, OAuth2()])
)
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


@contextmanager
def refusing_over_tls(folder: Path) -> Iterator[tuple[int, Path, list[bytes]]]:
    """A server that speaks TLS from the first byte and lets nobody in: port, certificate, commands."""
    cert, key = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    listener = socket.create_server(("localhost", 0))
    told: list[bytes] = []

    def serve() -> None:
        with suppress(OSError):
            near, _ = listener.accept()
            with context.wrap_socket(near, server_side=True) as talk, talk.makefile("rwb") as lines:
                lines.write(b"* OK ready\r\n")
                lines.flush()
                for line in lines:
                    tag, command = line.split()[:2]
                    told.append(command)
                    said = b"* CAPABILITY IMAP4REV1\r\n" if command == b"CAPABILITY" else b""
                    lines.write(said + tag + (b" OK done\r\n" if said else b" NO words of the server\r\n"))
                    lines.flush()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], cert, told
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(30)


class _TokenServer(ThreadingHTTPServer):
    answer: tuple[int, bytes] = (200, b"")
    asked: list[dict[str, str]]


class _TokenHandler(BaseHTTPRequestHandler):
    server: _TokenServer

    def do_POST(self) -> None:
        self.server.asked.append(
            dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        )
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Not on the tests' console."""


@contextmanager
def token_server() -> Iterator[_TokenServer]:
    """Who gives tokens: `answer` is what it says, `asked` what it was asked."""
    with _TokenServer(("localhost", 0), _TokenHandler) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(30)
