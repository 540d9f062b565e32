"""Posting to another system: what its answer means, and what never comes through.

Redirects are not followed: a request for records goes to the address that was configured and to no other.
No body, header or answer stands in a message: they hold a patient's name.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from pipeline.addresses import is_safe
from pipeline.bounded import PLAIN, read_within
from pipeline.errors import ConfigurationError, DeliveryError

_LATER = frozenset({408, 409, 423, 425, 429})
_LONGEST_ANSWER = 1_000_000  # bytes
_LONGEST_WAIT_S = 3600.0
_LONGEST_READ_S = 60.0
_KEPT = ("Content-Type", "Location")  # headers of an answer that are read
_AGAIN = "The request waits and is sent again."

# httpx logs the URL of every request at INFO.
logging.getLogger("httpx").setLevel(logging.WARNING)


def client(url: str, timeout_s: float, transport: httpx.BaseTransport | None) -> httpx.Client:
    """A client for one address. Raises ConfigurationError for one that cannot be or is not safe."""
    parts = urlsplit(url)
    if not is_safe(parts):
        raise ConfigurationError(
            "The address for requests is not https.", next_step="Give https://host[:port][/path]."
        )
    if parts.username or parts.fragment:
        raise ConfigurationError("The address for requests holds a user or a fragment.")
    return httpx.Client(timeout=timeout_s, transport=transport, follow_redirects=False)


def post(
    http: httpx.Client, url: str, content: bytes, headers: Mapping[str, str], *, what: str
) -> httpx.Response:
    """The answer where it is a yes (2xx, and no web page). Raises DeliveryError, `retryable` for what may
    pass by waiting (5xx, a timeout, 408, 409, 423, 425, 429, the web page of a proxy on the way)."""
    return _asked(http.build_request("POST", url, content=content, headers=dict(headers)), http, what)


def get(http: httpx.Client, url: str, headers: Mapping[str, str], *, what: str) -> httpx.Response:
    """As `post`."""
    return _asked(http.build_request("GET", url, headers=dict(headers)), http, what)


def _asked(request: httpx.Request, http: httpx.Client, what: str) -> httpx.Response:
    request.headers.update(PLAIN)
    try:
        response = http.send(request, stream=True)
        try:
            return _yes(response, http.timeout.read or _LONGEST_READ_S, what)
        finally:
            response.close()
    except httpx.DecodingError:
        raise _no_answer(what) from None
    except httpx.HTTPError as error:
        raise DeliveryError(
            f"{what} could not be reached ({type(error).__name__}).", retryable=True, next_step=_AGAIN
        ) from None


def _yes(response: httpx.Response, longest_s: float, what: str) -> httpx.Response:
    """The answer, read. What is no yes is not read."""
    if not 200 <= response.status_code < 300:
        raise Refused(response, what)
    if _is_web_page(response):
        raise _no_answer(what)
    content = read_within(response, most=_LONGEST_ANSWER, longest_s=longest_s)
    kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
    return httpx.Response(response.status_code, headers=kept, content=content)


def _no_answer(what: str) -> DeliveryError:
    return DeliveryError(
        f"{what} gave no answer of its own: a web page, or far too much.",
        retryable=True,
        next_step="Something between here and there may answer in its place, a proxy or a login page.",
    )


def _is_web_page(response: httpx.Response) -> bool:
    kind = str(response.headers.get("Content-Type", ""))
    return kind.lower().startswith(("text/html", "application/xhtml"))


class Refused(DeliveryError):
    """The other side answered, and not with a yes."""

    def __init__(self, response: httpx.Response, what: str) -> None:
        self.status = response.status_code
        retryable = self.status >= 500 or self.status in _LATER
        super().__init__(
            f"{what} answered with status {self.status}.",
            retryable=retryable,
            wait_s=_wait_s(response.headers.get("Retry-After", "")),
            next_step=_AGAIN if retryable else "Its own log tells more.",
        )


def _wait_s(text: str) -> float:
    """The seconds that a `Retry-After` asks for, an hour at most; 0.0 where it is none."""
    if text.strip().isdecimal():
        return min(float(text), _LONGEST_WAIT_S)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(0.0, (until - datetime.now(UTC)).total_seconds()), _LONGEST_WAIT_S)
