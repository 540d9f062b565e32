"""Posting to another system: what its answer means, and what never comes through.

Redirects are not followed: a request for records goes to the address that was configured and to no other.
No body, header or answer stands in a message: they hold a patient's name.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from pipeline.errors import ConfigurationError, DeliveryError

_LATER = frozenset({408, 409, 423, 425, 429})
_LONGEST_ANSWER = 1_000_000  # bytes

# httpx logs the URL of every request at INFO.
logging.getLogger("httpx").setLevel(logging.WARNING)


def client(url: str, timeout_s: float, transport: httpx.BaseTransport | None) -> httpx.Client:
    """A client for one address. Raises ConfigurationError for one that cannot be or is not safe."""
    parts = urlsplit(url)
    is_local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
        raise ConfigurationError(
            "The address for requests is not https.", next_step="Give https://host[:port][/path]."
        )
    if parts.username or parts.fragment:
        raise ConfigurationError("The address for requests holds a user or a fragment.")
    return httpx.Client(timeout=timeout_s, transport=transport, follow_redirects=False)


def post(
    http: httpx.Client, url: str, content: bytes, headers: Mapping[str, str], *, what: str
) -> httpx.Response:
    """The answer where it is a yes (2xx). Raises DeliveryError, `retryable` for what may pass by waiting
    (5xx, a timeout, 408, 409, 423, 425, 429)."""
    return _asked(http.build_request("POST", url, content=content, headers=dict(headers)), http, what)


def get(http: httpx.Client, url: str, headers: Mapping[str, str], *, what: str) -> httpx.Response:
    """As `post`."""
    return _asked(http.build_request("GET", url, headers=dict(headers)), http, what)


def _asked(request: httpx.Request, http: httpx.Client, what: str) -> httpx.Response:
    try:
        response = http.send(request)
    except httpx.HTTPError as error:
        raise DeliveryError(
            f"{what} could not be reached ({type(error).__name__}).",
            retryable=True,
            next_step="The request waits and is sent again.",
        ) from None
    status = response.status_code
    if 200 <= status < 300 and len(response.content) <= _LONGEST_ANSWER:
        return response
    raise Refused(status, what)


class Refused(DeliveryError):
    """The other side answered, and not with a yes."""

    def __init__(self, status: int, what: str) -> None:
        retryable = status >= 500 or status in _LATER
        step = "The request waits and is sent again." if retryable else "Its own log tells more."
        super().__init__(f"{what} answered with status {status}.", retryable=retryable, next_step=step)
        self.status = status
