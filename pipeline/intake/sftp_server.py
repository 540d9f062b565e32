"""A connection to an SFTP server that has shown its known key; asyncssh's errors become ours.

Nothing of the user's own SSH setup is used: no configuration, agent, default keys or known hosts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.addresses import host_and_port
from pipeline.errors import ChannelError, ConfigurationError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from asyncssh import SFTPClient

_KEEPALIVE_S: Final = 15


@dataclass(frozen=True)
class SftpServer:
    """Where it is, who we are, and the file with the key that it must have."""

    host: str
    port: int
    user: str
    known_hosts: Path
    password: str = field(default="", repr=False)
    key: Path | None = None
    passphrase: str = field(default="", repr=False)
    timeout_s: float = 60.0

    @classmethod
    def of(cls, settings: Settings) -> SftpServer:
        """As the settings say. Raises ConfigurationError for what is missing."""
        host, port = host_and_port("TRIAGE_SFTP_SERVER", settings.sftp_server, port=22)
        if not settings.sftp_user or not (settings.sftp_password or settings.sftp_key):
            raise ConfigurationError(
                "TRIAGE_SFTP_USER, or how that user shows who it is, is not set.",
                next_step="Set TRIAGE_SFTP_KEY to a file with its private key, or TRIAGE_SFTP_PASSWORD.",
            )
        if not settings.sftp_known_hosts or not Path(settings.sftp_known_hosts).is_file():
            raise ConfigurationError(
                "TRIAGE_SFTP_KNOWN_HOSTS names no file: the server's key must be known.",
                next_step=f"`ssh-keyscan -p {port} {host}` writes it; have its fingerprint confirmed by who "
                "runs the server.",
            )
        return cls(
            host,
            port,
            settings.sftp_user,
            Path(settings.sftp_known_hosts),
            settings.sftp_password,
            Path(settings.sftp_key) if settings.sftp_key else None,
            settings.sftp_key_passphrase,
            settings.intake_timeout_s,
        )

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[SFTPClient]:
        """Raises ChannelError where it cannot be reached, is not the one that is known, refuses us, or goes
        away while the block runs."""
        import asyncssh

        with _told():
            try:
                connection = await asyncssh.connect(
                    self.host,
                    self.port,
                    username=self.user,
                    password=self.password or None,
                    client_keys=[str(self.key)] if self.key else None,
                    passphrase=self.passphrase or None,
                    known_hosts=str(self.known_hosts),
                    config=None,
                    agent_path=None,
                    x509_trusted_certs=None,
                    host_based_auth=False,
                    gss_kex=False,
                    gss_auth=False,
                    connect_timeout=self.timeout_s,
                    login_timeout=self.timeout_s,
                    keepalive_interval=_KEEPALIVE_S,
                )
            except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
                raise ChannelError(
                    "key",
                    "The private key for the SFTP server cannot be used.",
                    next_step="Check TRIAGE_SFTP_KEY and TRIAGE_SFTP_KEY_PASSPHRASE.",
                ) from None
            except OSError as error:
                raise _unreachable(error) from None
            async with connection:
                async with asyncio.timeout(self.timeout_s):
                    client = await connection.start_sftp_client()
                async with client:
                    yield client


@contextmanager
def _told() -> Iterator[None]:
    import asyncssh

    try:
        yield
    except asyncssh.HostKeyNotVerifiable:
        raise ChannelError(
            "host_key",
            "The SFTP server has another key than the one that is known; nothing was told to it.",
            next_step="Ask who runs it whether its key was changed; if so, renew TRIAGE_SFTP_KNOWN_HOSTS.",
        ) from None
    except asyncssh.PermissionDenied:
        raise ChannelError(
            "not_let_in",
            "The SFTP server does not let us in.",
            next_step="Check TRIAGE_SFTP_USER and its key or password.",
        ) from None
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPPermissionDenied):
        raise ChannelError(
            "not_there",
            "The folder at the SFTP server cannot be looked into.",
            next_step="Check TRIAGE_SFTP_FOLDER and what its user may do there.",
        ) from None
    except (asyncssh.Error, TimeoutError) as error:
        raise _unreachable(error) from None


def _unreachable(error: Exception) -> ChannelError:
    """By its class alone: a server's words are its own."""
    return ChannelError(
        "unreachable",
        f"The SFTP server cannot be reached ({type(error).__name__}).",
        next_step="Check TRIAGE_SFTP_SERVER, the network and the server.",
    )
