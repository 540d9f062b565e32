"""An SFTP server on loopback that can be made to fail: asyncssh's own, in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

USER, PASSWORD = "clerk", "a-long-secret-7"


@dataclass
class Sftp:
    """The server: where it listens, what it serves, and how it fails."""

    root: Path
    home: Path
    port: int = 0
    cut_after: int | None = None
    """The connection goes away when a read begins behind so many bytes."""
    closed: set[str] = field(default_factory=set)
    """Operations that are not allowed: remove, rename, open, mkdir."""
    before_remove: Callable[[], None] = lambda: None
    reads: int = 0

    @property
    def settings(self) -> dict[str, str]:
        """As the channel's user would set it."""
        return {
            "sftp_server": f"localhost:{self.port}",
            "sftp_user": USER,
            "sftp_password": PASSWORD,
            "sftp_known_hosts": str(self.known_hosts),
            "watch_settled_s": "0",
        }

    @property
    def known_hosts(self) -> Path:
        return self.home / "known_hosts"

    def trust(self, key: asyncssh.SSHKey) -> None:
        """Write what the client believes of this server."""
        public = key.export_public_key().decode().strip()
        self.known_hosts.write_text(f"[localhost]:{self.port} {public}\n")


class _Door(asyncssh.SSHServer):
    def __init__(self, keys: set[bytes]) -> None:
        self._keys = keys

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key.public_data in self._keys


class _Files(asyncssh.SFTPServer):
    server: Sftp

    def __init__(self, channel: Any) -> None:
        super().__init__(channel, chroot=str(self.server.root))

    def open(self, path: bytes, pflags: int, attrs: Any) -> Any:
        self._allow("open")
        return super().open(path, pflags, attrs)

    def read(self, file: Any, offset: int, size: int) -> Any:
        self.server.reads += 1
        if self.server.cut_after is not None and offset >= self.server.cut_after:
            self.channel.get_connection().abort()
        return super().read(file, offset, size)

    def remove(self, path: bytes) -> Any:
        self.server.before_remove()
        self._allow("remove")
        return super().remove(path)

    def rename(self, old: bytes, new: bytes) -> Any:
        self._allow("rename")
        return super().rename(old, new)

    def mkdir(self, path: bytes, attrs: Any) -> Any:
        self._allow("mkdir")
        return super().mkdir(path, attrs)

    def _allow(self, what: str) -> None:
        if what in self.server.closed:
            raise asyncssh.SFTPPermissionDenied("not allowed")


@contextmanager
def sftp_server(folder: Path) -> Iterator[Sftp]:
    """A server of `folder`/served, its known key in `folder`, as is the key `user_key` of its user."""
    server = Sftp(folder / "served", folder)
    server.root.mkdir()
    host_key, user_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    user_key.write_private_key(str(folder / "user_key"))
    files = type("Files", (_Files,), {"server": server})
    loop = asyncio.new_event_loop()
    ready, ends = threading.Event(), asyncio.Event()

    async def serve() -> None:
        listening = await asyncssh.listen(
            "localhost",
            0,
            server_host_keys=[host_key],
            server_factory=lambda: _Door({user_key.public_data}),
            sftp_factory=files,
            config=None,
        )
        server.port = listening.get_port()
        server.trust(host_key)
        ready.set()
        await ends.wait()
        listening.close()
        await listening.wait_closed()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(30)
        yield server
    finally:
        loop.call_soon_threadsafe(ends.set)
        thread.join(30)
        loop.close()
