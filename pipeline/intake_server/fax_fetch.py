"""A fax that was told of, fetched: from hosts that the provider's file names and no other, whole or not."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from pipeline.addresses import is_safe
from pipeline.intake.fax_providers import Provider
from pipeline.ledger.notices import LEASE

_REDIRECTS: Final = 3
LONGEST_S: Final = 0.9 * LEASE.total_seconds()
"""A fetch that takes longer is broken off: a byte now and then must not hold the fetcher for ever."""
_NAMED: Final = {401: "refused", 403: "refused", 404: "not_there", 410: "not_there"}

# httpx logs the URL of every request at INFO.
logging.getLogger("httpx").setLevel(logging.WARNING)


@dataclass
class NotFetched(Exception):
    """The fax could not be had: why, as a code, and whether waiting can help."""

    code: str
    can_pass: bool = True


def is_allowed(address: str, hosts: Sequence[str]) -> bool:
    """Whether files may be fetched from there: https, or http on this machine; a host of the list, and no
    user in the address."""
    try:
        parts = urlsplit(address)
        return is_safe(parts) and "@" not in parts.netloc and _place(parts) in hosts and address.isprintable()
    except ValueError:
        return False


def fetch(
    provider: Provider,
    address: str,
    path: Path,
    *,
    largest: int,
    idle_s: float,
    longest_s: float = LONGEST_S,
) -> None:
    """Write the fax at `address` to `path`, whole. Raises NotFetched.

    A redirect is followed to a host of the provider's list alone, and the token does not go along to another
    host than the first.
    """
    rules = provider.rules.fetch
    shown = {rules.header: rules.value.replace("{token}", provider.token)} if rules.header else {}
    first, ends = _place(urlsplit(address)), time.monotonic() + longest_s
    with httpx.Client(timeout=idle_s, follow_redirects=False, trust_env=False) as client:
        for _ in range(_REDIRECTS + 1):
            if not is_allowed(address, rules.hosts):
                raise NotFetched("elsewhere", can_pass=False)
            headers = {"Accept-Encoding": "identity"} | (shown if _place(urlsplit(address)) == first else {})
            moved = _get(client, address, headers, path, largest, ends)
            if moved is None:
                return
            try:
                address = urljoin(address, moved)
            except ValueError:  # no address at all, such as https://[x
                raise NotFetched("elsewhere", can_pass=False) from None
    raise NotFetched("too_many_redirects")


def _get(
    client: httpx.Client, address: str, headers: dict[str, str], path: Path, largest: int, ends: float
) -> str | None:
    """Write what is there, or return to where it points. Raises NotFetched."""
    try:
        with client.stream("GET", address, headers=headers) as response:
            if response.has_redirect_location:
                return response.headers["Location"]
            _write(response, path, largest, ends)
            return None
    except httpx.TimeoutException:
        raise NotFetched("too_slow") from None
    except (httpx.RemoteProtocolError, httpx.ReadError):
        raise NotFetched("cut_off") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError):
        raise NotFetched("unreachable") from None


def _write(response: httpx.Response, path: Path, largest: int, ends: float) -> None:
    if response.status_code != 200:
        raise NotFetched(_NAMED.get(response.status_code, f"status_{response.status_code}"))
    length = response.headers.get("Content-Length", "")
    if length.isdigit() and int(length[:18]) > largest:
        raise NotFetched("too_large", can_pass=False)
    size = 0
    with path.open("wb") as file:
        for chunk in response.iter_raw():
            size += len(chunk)
            if size > largest:
                raise NotFetched("too_large", can_pass=False)
            if time.monotonic() > ends:
                raise NotFetched("too_slow")
            file.write(chunk)
    if not size:
        raise NotFetched("empty")


def _place(parts: SplitResult) -> str:
    """The host, with its port where that is not the usual one."""
    host, usual = parts.hostname or "", {"https": 443, "http": 80}.get(parts.scheme)
    return host if parts.port in (None, usual) else f"{host}:{parts.port}"
