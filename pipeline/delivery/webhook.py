"""A signed POST to another system: that it is ours, as we sent it, and new.

The signature is over time, nonce and body, so that nothing of it can be changed and nothing be sent again by
somebody who overheard it. `Verifier` is what a receiver needs; it is also what our tests use.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from pipeline.delivery import http
from pipeline.delivery.parcel import WAITING, Later, Parcel, Receipt, code_of
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings

TIMESTAMP: Final = "Triage-Timestamp"
NONCE: Final = "Triage-Nonce"
SIGNATURE: Final = "Triage-Signature"
KEY: Final = "Idempotency-Key"
WINDOW_S: Final = 300.0
"""Seconds by which clocks may differ, and for which a receiver must remember nonces."""
_LEAST_SECRET = 16  # characters
_SCHEME = "v1"
_WHAT = "The webhook"
_PATH = re.compile(r"/[A-Za-z0-9._~/:-]{1,250}")


def sign(secret: str, timestamp: str, nonce: str, body: bytes) -> str:
    """HMAC-SHA256 over `timestamp.nonce.body`."""
    message = timestamp.encode() + b"." + nonce.encode() + b"." + body
    return f"{_SCHEME}={hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()}"


@dataclass
class Verifier:
    """A receiver's check: is it from whom it says, of now, and not seen before? Keeps the nonces itself."""

    secret: str = field(repr=False)
    now: Callable[[], float] = time.time
    _seen: dict[str, float] = field(default_factory=dict)

    def accepts(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the message may be acted on. A second one with the same nonce never may."""
        given = {name.lower(): value for name, value in headers.items()}
        timestamp, nonce = given.get(TIMESTAMP.lower(), ""), given.get(NONCE.lower(), "")
        expected = sign(self.secret, timestamp, nonce, body)
        if not hmac.compare_digest(expected, given.get(SIGNATURE.lower(), "")):
            return False
        now = self.now()
        self._seen = {known: at for known, at in self._seen.items() if now - at <= 2 * WINDOW_S}
        if (
            not timestamp.isdigit()
            or abs(now - int(timestamp)) > WINDOW_S
            or not nonce
            or nonce in self._seen
        ):
            return False
        self._seen[nonce] = now
        return True


@dataclass(frozen=True)
class Webhook:
    """The channel `webhook`."""

    url: str
    secret: str = field(repr=False)
    timeout_s: float = 10.0
    transport: httpx.BaseTransport | None = None
    now: Callable[[], float] = time.time

    @classmethod
    def of(cls, settings: Settings) -> Webhook:
        secret = settings.request_webhook_secret
        if len(secret) < _LEAST_SECRET:
            raise ConfigurationError(
                "TRIAGE_REQUEST_WEBHOOK_SECRET is too short.",
                next_step=f"Set at least {_LEAST_SECRET} characters that nobody else knows.",
            )
        http.client(settings.request_webhook_url, settings.request_timeout_s, None).close()
        return cls(settings.request_webhook_url, secret, settings.request_timeout_s)

    def deliver(self, parcel: Parcel) -> Receipt:
        """Posted and accepted. A receiver that answers 202 and names a place of its own (`Location`) is asked
        there what became of it; from any other the yes is all."""
        body = _body(parcel)
        headers = {"Content-Type": "application/json", KEY: parcel.key, **self._signed(body)}
        with http.client(self.url, self.timeout_s, self.transport) as connection:
            response = http.post(connection, self.url, body, headers, what=_WHAT)
        place = self._place(response.headers.get("Location", "")) if response.status_code == 202 else ""
        return Receipt(acknowledged=not place, id=place)

    def later(self, receipt: str) -> Later:
        """The answer to a GET of the place, signed over its path: `{"state": "acknowledged" | "failed" |
        "waiting", "code": "..."}`. Raises DeliveryError."""
        headers = {"Accept": "application/json", **self._signed(receipt.encode())}
        with http.client(self.url, self.timeout_s, self.transport) as connection:
            response = http.get(connection, urljoin(self.url, receipt), headers, what=_WHAT)
        try:
            told = response.json()
        except ValueError:
            return WAITING
        state = told.get("state") if isinstance(told, dict) else None
        if state == "failed":
            return Later("failed", code_of(told.get("code"), "failed"))
        return Later("acknowledged", code_of(told.get("code"))) if state == "acknowledged" else WAITING

    def _signed(self, content: bytes) -> dict[str, str]:
        timestamp, nonce = str(int(self.now())), secrets.token_hex(16)
        return {TIMESTAMP: timestamp, NONCE: nonce, SIGNATURE: sign(self.secret, timestamp, nonce, content)}

    def _place(self, location: str) -> str:
        """A place of the receiver's, by its path; empty for one elsewhere: nobody else is asked."""
        there, own = urlsplit(urljoin(self.url, location)), urlsplit(self.url)
        is_own = (there.scheme, there.netloc) == (own.scheme, own.netloc) and not there.query
        return there.path if location and is_own and _PATH.fullmatch(there.path) else ""


def _body(parcel: Parcel) -> bytes:
    told = {
        "reference": parcel.reference,
        "key": parcel.key,
        "to": parcel.to,
        "parts": [
            {
                "name": part.name,
                "media_type": part.media_type,
                "content": base64.b64encode(part.content).decode("ascii"),
            }
            for part in parcel.parts
        ],
    }
    return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()
