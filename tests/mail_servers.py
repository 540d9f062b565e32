"""A mail server on loopback, as far as one message over TLS needs it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost, which vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(built.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


@contextmanager
def mail_server(folder: Path, *, tls: bool = True, refuse: int = 0) -> Iterator[tuple[str, list[str]]]:
    """(host:port, what it was told, line by line). `refuse` is its answer to a recipient."""
    told: list[str] = []
    chain = certificate(folder)
    listener = socket.create_server(("localhost", 0))

    def serve() -> None:
        with ExitStack() as open_things, suppress(OSError):
            connection, _ = listener.accept()
            open_things.enter_context(connection)
            _talk(connection, open_things, chain, told, tls=tls, refuse=refuse)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"localhost:{listener.getsockname()[1]}", told
    finally:
        listener.close()
        thread.join(5)


def _talk(
    connection: socket.socket,
    open_things: ExitStack,
    chain: tuple[Path, Path],
    told: list[str],
    *,
    tls: bool,
    refuse: int,
) -> None:
    stream: IO[bytes] = open_things.enter_context(connection.makefile("rwb"))
    _say(stream, "220 test")
    in_message = False
    while raw := stream.readline():
        line = raw.decode().rstrip("\r\n")
        told.append(line)
        command = line.upper()
        if in_message:
            if line == ".":
                in_message = False
                _say(stream, "250 taken")
        elif command.startswith("EHLO"):
            _say(stream, "250-test", "250 STARTTLS" if tls else "250 HELP")
        elif command == "STARTTLS":
            _say(stream, "220 go")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*chain)
            secure = open_things.enter_context(context.wrap_socket(connection, server_side=True))
            stream = open_things.enter_context(secure.makefile("rwb"))
        elif command == "DATA":
            in_message = True
            _say(stream, "354 go on")
        elif command == "QUIT":
            _say(stream, "221 bye")
            return
        else:
            _say(stream, f"{refuse} no" if refuse and command.startswith("RCPT") else "250 ok")


def _say(stream: IO[bytes], *lines: str) -> None:
    stream.write("".join(f"{line}\r\n" for line in lines).encode())
    stream.flush()
