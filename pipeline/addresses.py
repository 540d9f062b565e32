"""Where a server is, as a setting says it."""

from __future__ import annotations

from urllib.parse import urlsplit

from pipeline.errors import ConfigurationError


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
