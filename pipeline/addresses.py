"""Where a server is, as a setting says it; whether what goes there can be read on the way."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

from pipeline.errors import ConfigurationError

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
"""Names of this machine, by which no other is reached."""


def is_safe(parts: SplitResult) -> bool:
    """Whether nobody on the way can read what goes there: https, or http to this machine."""
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def host_and_port(setting: str, text: str, *, port: int) -> tuple[str, int]:
    """Host and port of `host`, `host:port` or `[address]:port`; `port` where it says none. Raises
    ConfigurationError by the setting's name."""
    try:
        parts = urlsplit(f"//{text}")
        host, given = parts.hostname, parts.port
    except ValueError:
        host, given = None, None
    if not host or parts.netloc != text or "@" in text:
        raise ConfigurationError(f"{setting} is no address.", next_step="It is host:port.")
    return host, port if given is None else given
