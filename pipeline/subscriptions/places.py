"""Where tellings may go: hosts that the operator named, and addresses that they may have.

A name is resolved here, its address checked, and the connection made to that very address: a name that leads
elsewhere a moment later (DNS rebinding) leads nowhere. Without a network of its own a host must have a public
address, so that nobody can make this machine post to its neighbours.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from pipeline.addresses import is_safe
from pipeline.errors import ConfigurationError, DeliveryError, UsageError
from pipeline.settings import Settings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[Any]]
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|[0-9a-f:]{2,39}")


def places_in(settings: Settings) -> dict[str, Network | None]:
    """Hosts of TRIAGE_WEBHOOK_HOSTS with the network each must be in; None: any public address. Raises
    ConfigurationError."""
    places: dict[str, Network | None] = {}
    for entry in filter(None, settings.webhook_hosts.replace(",", " ").split()):
        name, _, network = entry.lower().partition("=")
        try:
            places[name] = ipaddress.ip_network(network) if network else None
        except ValueError:
            name = ""
        if not _HOST.fullmatch(name):
            raise ConfigurationError(
                "TRIAGE_WEBHOOK_HOSTS has an entry that is no host.",
                next_step="Give NAME, or NAME=NETWORK for a host inside: hooks.plan.example=10.1.0.0/16.",
            )
    return places


def check_url(url: str, places: Mapping[str, Network | None]) -> None:
    """Raises UsageError for an address that may not be told. Plain http goes to this machine alone."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError("This is no address.") from None
    if parts.scheme not in ("https", "http") or not host or parts.username is not None or parts.fragment:
        raise UsageError("An address is https://host[:port][/path], without a user or a fragment.")
    if host not in places:
        raise UsageError(
            "This host is not one that may be told.", next_step="TRIAGE_WEBHOOK_HOSTS names those that may."
        )
    if not is_safe(parts):
        raise UsageError("Plain http goes to this machine alone: give https.")


def is_admitted(address: Address, network: Network | None) -> bool:
    """Whether a host may have this address."""
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
        return False  # among them where clouds hand out a machine's own secrets
    if network is not None:
        return address in network
    # What is tunnelled to an IPv4 address, or was a site's own, is nobody's public address.
    tunnelled = getattr(address, "sixtofour", None) or getattr(address, "teredo", None)
    return address.is_global and not tunnelled and not getattr(address, "is_site_local", False)


@dataclass
class Pinned(httpx.BaseTransport):
    """A transport to the named places alone, by the address that was checked."""

    places: Mapping[str, Network | None]
    inner: httpx.BaseTransport
    resolve: Resolve

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        if host not in self.places:
            raise DeliveryError("The host is not one that may be told any more.", retryable=False)
        try:
            found = self.resolve(host, request.url.port or 443)
        except OSError as error:
            raise httpx.ConnectError(type(error).__name__, request=request) from None
        addresses = [ipaddress.ip_address(one[4][0].partition("%")[0]) for one in found]
        if not addresses or not all(is_admitted(one, self.places[host]) for one in addresses):
            raise DeliveryError("The host has an address that it may not have.", retryable=True)
        request.extensions["sni_hostname"] = host  # whose certificate it must be
        request.url = request.url.copy_with(host=str(addresses[0]))
        return self.inner.handle_request(request)

    def close(self) -> None:
        self.inner.close()
