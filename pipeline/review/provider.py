"""The organization's OpenID provider: what it says of itself, its keys, and what it signed. This module is
the home of joserfc."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from pipeline.addresses import is_safe
from pipeline.errors import ConfigurationError, TriageError

_ALGORITHMS: Final = ["RS256", "PS256", "ES256"]
_LEEWAY_S: Final = 60
_KNOWN_S: Final = 3600.0  # for which the provider's description is kept
_KEYS_EVERY_S: Final = 10.0  # so often its keys are asked for, at most
_log = logging.getLogger(__name__)


class LoginRefused(TriageError):
    """The provider's answer is not taken. `why` is a code, for the audit trail."""

    def __init__(self, why: str) -> None:
        super().__init__("The login through the provider was refused.")
        self.why = why


class ProviderSilent(TriageError):
    """The provider could not be asked."""


@dataclass
class Provider:
    """A provider. What it says of itself, and its keys, are kept for a while."""

    issuer: str
    client_id: str
    secret: str = field(default="", repr=False)
    transport: httpx.BaseTransport | None = None
    now: Callable[[], float] = time.time
    _lock: Lock = field(default_factory=Lock, repr=False)
    _description: tuple[float, dict[str, Any]] | None = field(default=None, repr=False)
    _keys: tuple[float, KeySet] | None = field(default=None, repr=False)

    def described(self) -> dict[str, Any]:
        """What the provider says of itself. Raises ProviderSilent."""
        with self._lock:
            if self._description and self.now() - self._description[0] < _KNOWN_S:
                return self._description[1]
        said = self._asked("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if said.get("issuer") != self.issuer:
            raise ProviderSilent(
                "The OpenID provider calls itself otherwise.",
                next_step="TRIAGE_OIDC_ISSUER must be its issuer, to the letter.",
            )
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            check_url(str(said.get(name, "")), name)
        with self._lock:
            self._description = (self.now(), said)
        return said

    def exchanged(self, code: str, verifier: str, redirect_url: str) -> str:
        """The ID token for a code. Raises LoginRefused, ProviderSilent."""
        described = self.described()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_url,
            "client_id": self.client_id,
            "code_verifier": verifier,
        }
        by_form = "client_secret_post" in described.get("token_endpoint_auth_methods_supported", ())
        auth = None
        if self.secret and by_form:
            form["client_secret"] = self.secret
        elif self.secret:
            auth = httpx.BasicAuth(self.client_id, self.secret)
        answer = self._asked("POST", str(described["token_endpoint"]), data=form, auth=auth)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise LoginRefused("code")
        return token

    def verified(self, token: str, nonce: str) -> dict[str, Any]:
        """The claims of a token: signed by the provider, issued for this client, of now and of this login.
        Raises LoginRefused, ProviderSilent."""
        claims = self._signed(token)
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if claims.get("iss") != self.issuer:
            raise LoginRefused("issuer")
        if (
            self.client_id not in audiences
            or (len(audiences) > 1 and claims.get("azp") != self.client_id)
            or claims.get("azp", self.client_id) != self.client_id
        ):
            raise LoginRefused("audience")
        if not _is_of_now(claims, self.now()):
            raise LoginRefused("expired")
        if not hmac.compare_digest(nonce.encode(), str(claims.get("nonce", "")).encode()):
            raise LoginRefused("nonce")
        if not isinstance(claims.get("sub"), str) or not 0 < len(claims["sub"]) <= 255:
            raise LoginRefused("subject")
        return claims

    def _signed(self, token: str) -> dict[str, Any]:
        """What a token says, if one of the provider's keys signed it. Keys may have changed since they were
        asked for: then they are asked for again, once."""
        for again in (False, True):
            try:
                return dict(jwt.decode(token, self._published(again), algorithms=_ALGORITHMS).claims)
            except (JoseError, ValueError):
                if again:
                    raise LoginRefused("signature") from None
        raise AssertionError("unreachable")

    def _published(self, again: bool) -> KeySet:
        with self._lock:
            kept = self._keys
        age = self.now() - kept[0] if kept else None
        if kept and age is not None and age < (_KEYS_EVERY_S if again else _KNOWN_S):
            return kept[1]
        said = self._asked("GET", str(self.described()["jwks_uri"]))
        try:
            keys = KeySet.import_key_set(said)  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError):
            raise ProviderSilent("The OpenID provider's keys cannot be read.") from None
        with self._lock:
            self._keys = (self.now(), keys)
        return keys

    def _asked(self, method: str, url: str, **given: Any) -> dict[str, Any]:
        try:
            with httpx.Client(timeout=10.0, transport=self.transport, follow_redirects=False) as http:
                answer = http.request(method, url, headers={"Accept": "application/json"}, **given)
            said = answer.json() if answer.status_code == 200 and len(answer.content) < 1 << 20 else None
        except (httpx.HTTPError, ValueError) as error:
            _log.warning("The OpenID provider: %s.", type(error).__name__)
            said = None
        else:
            if 400 <= answer.status_code < 500 and method == "POST":
                raise LoginRefused("code")  # it does not know the code, or the verifier is not that of it
        if not isinstance(said, dict):
            raise ProviderSilent(
                "The OpenID provider does not answer as it should.", next_step="Try again in a moment."
            )
        return said


def check_url(url: str, name: str) -> None:
    """Raises ConfigurationError for an address that is not safe to speak to."""
    parts = urlsplit(url)
    if not is_safe(parts):
        raise ConfigurationError(f"{name} is not https.", next_step="Only this machine is spoken to without.")


def _is_of_now(claims: Mapping[str, Any], now: float) -> bool:
    times = [claims.get(name) for name in ("exp", "iat")]
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in times):
        return False
    return bool(claims["exp"] > now - _LEEWAY_S and claims["iat"] <= now + _LEEWAY_S)
