"""Access tokens for a mailbox whose server takes no passwords: OAuth 2's client credentials (RFC 6749, 4.4),
as Microsoft 365 and others ask for them.

    POST token_url  grant_type=client_credentials, client_id, client_secret, scope
    answer          {"access_token": "...", "expires_in": 3599}
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from pipeline.addresses import is_safe
from pipeline.bounded import PLAIN, read_within
from pipeline.errors import ChannelError, ConfigurationError
from pipeline.settings import Settings

_EARLY_S = 120.0  # a token that ends while it is used is no good
_LONGEST_ANSWER = 100_000

# httpx logs the URL of every request at INFO.
logging.getLogger("httpx").setLevel(logging.WARNING)


@dataclass
class Tokens:
    """Where tokens come from; one is kept until shortly before its end."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str
    timeout_s: float = 60.0
    transport: httpx.BaseTransport | None = None
    _token: str = field(default="", repr=False)
    _until: float = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Tokens | None:
        """As the settings say; None where they name no place. Raises ConfigurationError."""
        if not settings.mailbox_token_url:
            return None
        parts = urlsplit(settings.mailbox_token_url)
        if not is_safe(parts):
            raise ConfigurationError(
                "TRIAGE_MAILBOX_TOKEN_URL is not https.", next_step="Give https://host/path."
            )
        if not settings.mailbox_client_id or not settings.mailbox_client_secret:
            raise ConfigurationError("TRIAGE_MAILBOX_CLIENT_ID or TRIAGE_MAILBOX_CLIENT_SECRET is not set.")
        return cls(
            settings.mailbox_token_url,
            settings.mailbox_client_id,
            settings.mailbox_client_secret,
            settings.mailbox_token_scope,
            settings.intake_timeout_s,
        )

    def current(self) -> str:
        """A token that is good for a while. Raises ChannelError."""
        if time.monotonic() >= self._until:
            self._token, lasts_s = self._asked()
            self._until = time.monotonic() + lasts_s - _EARLY_S
        return self._token

    def forget(self) -> None:
        """The mail server refused the token: the next one is asked for anew."""
        self._until = 0.0

    def _asked(self) -> tuple[str, float]:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "scope": self.scope,
        }
        try:
            with (
                httpx.Client(timeout=self.timeout_s, transport=self.transport) as client,
                client.stream("POST", self.url, data=form, headers=PLAIN) as answer,
            ):
                content = _content(answer, self.timeout_s)
        except httpx.HTTPError as error:
            raise ChannelError(
                "unreachable",
                f"The server that gives tokens for the mailbox cannot be reached ({type(error).__name__}).",
                next_step="Check TRIAGE_MAILBOX_TOKEN_URL, the network and the server.",
            ) from None
        try:
            told = json.loads(content)
            return str(told["access_token"]), float(told.get("expires_in", 0))
        except (ValueError, KeyError, TypeError, AttributeError):  # whatever JSON it is
            busy = answer.status_code >= 500 or answer.status_code == httpx.codes.TOO_MANY_REQUESTS
            raise ChannelError(
                "unreachable" if busy else "not_let_in",
                f"The server that gives tokens for the mailbox gave none (status {answer.status_code}).",
                next_step="Check TRIAGE_MAILBOX_CLIENT_ID, its secret and scope, and that server's own log.",
            ) from None


def _content(answer: httpx.Response, longest_s: float) -> bytes:
    """What the answer holds, empty where it is no yes or none that is a token's."""
    if answer.status_code != httpx.codes.OK:
        return b""
    try:
        return read_within(answer, most=_LONGEST_ANSWER, longest_s=longest_s)
    except httpx.DecodingError:
        return b""
