"""Logging in through the organization's own OpenID provider: authorization code with PKCE.

A login begins with a secret in a cookie of the browser; state, nonce and PKCE verifier are derived from it,
and the ledger keeps the digest of the state until it is used. So an answer of the provider's counts once, for
ten minutes, in the browser that asked, and what the ledger keeps finishes no login.

The provider's word is an ID token: signed by a key that it publishes (asymmetric algorithms alone), issued by
the configured issuer for this client, of now, with the nonce of this login. Groups become a role by the
setting; who has none is not let in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from sqlalchemy import Connection, delete, insert

from pipeline import audit
from pipeline.errors import ConfigurationError
from pipeline.ledger import Ledger
from pipeline.review import accounts
from pipeline.review.accounts import User
from pipeline.review.provider import LoginRefused, Provider, ProviderSilent, check_url
from pipeline.review.roles import Role
from pipeline.review.tables import oidc_logins
from pipeline.settings import Settings

BACK: Final = "/login/oidc/back"
LASTS: Final = timedelta(minutes=10)


@dataclass
class Oidc:
    """How people log in through a provider."""

    provider: Provider
    redirect_url: str
    roles: Mapping[str, Role]
    scopes: str = "openid profile"
    name_claim: str = "preferred_username"
    roles_claim: str = "groups"

    @classmethod
    def of(cls, settings: Settings) -> Oidc | None:
        """The provider of the settings, None without one. Raises ConfigurationError; asks nothing yet."""
        if not settings.oidc_issuer:
            return None
        for name in ("oidc_issuer", "oidc_redirect_url"):
            check_url(getattr(settings, name), f"TRIAGE_{name.upper()}")
        if not settings.oidc_client_id or not settings.oidc_redirect_url.endswith(BACK):
            raise ConfigurationError(
                "The OpenID provider is not set up.",
                next_step=f"Set TRIAGE_OIDC_CLIENT_ID, and TRIAGE_OIDC_REDIRECT_URL to https://DESK{BACK}.",
            )
        return cls(
            Provider(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret),
            redirect_url=settings.oidc_redirect_url,
            roles=_roles(settings.oidc_roles),
            scopes=settings.oidc_scopes,
            name_claim=settings.oidc_name_claim,
            roles_claim=settings.oidc_roles_claim,
        )

    def begin(self, ledger: Ledger) -> tuple[str, str]:
        """(where to send the browser, the secret for its cookie). Raises ProviderSilent."""
        described = self.provider.described()
        secret = secrets.token_urlsafe(32)

        def work(db: Connection) -> None:
            now = ledger.now(db)
            db.execute(delete(oidc_logins).where(oidc_logins.c.at < now - LASTS))
            db.execute(insert(oidc_logins).values(state=_digest(_part(secret, "state")), at=now))

        ledger.write(work)
        query = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": self.redirect_url,
            "scope": self.scopes,
            "state": _part(secret, "state"),
            "nonce": _part(secret, "nonce"),
            "code_challenge": _challenge(_part(secret, "verifier")),
            "code_challenge_method": "S256",
        }
        address = described["authorization_endpoint"]
        return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(query)}", secret

    def finish(self, ledger: Ledger, secret: str, given: Mapping[str, str]) -> User:
        """The user that the provider's answer (`given`, a query) stands for; refusals are in the audit
        trail. Raises LoginRefused, ProviderSilent."""
        try:
            claims = self._claims(ledger, secret, given)
            role = self._role(claims)
            if role is None:
                raise LoginRefused("no_role")
            name = claims.get(self.name_claim)
            user = accounts.provided(
                ledger, self.provider.issuer, str(claims["sub"]), name if isinstance(name, str) else "", role
            )
            if isinstance(user, str):
                raise LoginRefused(user)
            return user
        except LoginRefused as refusal:
            audit.write(ledger, "nobody", "login_refused", why=f"oidc_{refusal.why}")
            raise

    def farewell(self) -> str | None:
        """Where to send a browser so that the provider ends its session, too; None where it has no place."""
        try:
            address = self.provider.described().get("end_session_endpoint")
        except ProviderSilent:
            return None
        if not isinstance(address, str):
            return None
        back = self.redirect_url.removesuffix(BACK) + "/login"
        query = urlencode({"client_id": self.provider.client_id, "post_logout_redirect_uri": back})
        return f"{address}{'&' if urlsplit(address).query else '?'}{query}"

    # ----------------------------------------------------------------------- the answer

    def _claims(self, ledger: Ledger, secret: str, given: Mapping[str, str]) -> dict[str, Any]:
        if not secret or not hmac.compare_digest(
            _part(secret, "state").encode(), given.get("state", "").encode()
        ):
            raise LoginRefused("state")
        if not ledger.write(lambda db: _used(ledger, db, _part(secret, "state"))):
            raise LoginRefused("state_used")
        described = self.provider.described()
        # Which provider answers (RFC 9207): one must not be taken for another.
        says_who = described.get("authorization_response_iss_parameter_supported") is True
        if given.get("iss", self.provider.issuer) != self.provider.issuer or (
            says_who and "iss" not in given
        ):
            raise LoginRefused("issuer")
        if "error" in given or not given.get("code"):
            raise LoginRefused("provider")
        verifier, nonce = _part(secret, "verifier"), _part(secret, "nonce")
        token = self.provider.exchanged(given["code"], verifier, self.redirect_url)
        return self.provider.verified(token, nonce)

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        value: Any = claims
        for part in self.roles_claim.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        groups = value if isinstance(value, list) else [value]
        return next((role for group, role in self.roles.items() if group in groups), None)


def _roles(text: str) -> dict[str, Role]:
    """GROUP=ROLE,...: the first that fits counts."""
    roles: dict[str, Role] = {}
    for entry in filter(None, (one.strip() for one in text.split(","))):
        group, _, role = entry.rpartition("=")
        if not group or role not in tuple(Role):
            raise ConfigurationError(
                "TRIAGE_OIDC_ROLES has an entry that is not GROUP=ROLE.",
                next_step=f"Roles: {', '.join(Role)}.",
            )
        roles[group.strip()] = Role(role)
    if not roles:
        raise ConfigurationError(
            "TRIAGE_OIDC_ROLES is empty: nobody could log in.", next_step="Give GROUP=ROLE,GROUP=ROLE."
        )
    return roles


def _used(ledger: Ledger, db: Connection, state: str) -> bool:
    """Whether a login was begun with this state, not long ago, and not finished yet; now it is."""
    mine = (oidc_logins.c.state == _digest(state), oidc_logins.c.at >= ledger.now(db) - LASTS)
    return db.execute(delete(oidc_logins).where(*mine)).rowcount == 1


def _part(secret: str, purpose: str) -> str:
    return (
        base64.urlsafe_b64encode(hmac.digest(secret.encode(), purpose.encode(), "sha256"))
        .decode()
        .rstrip("=")
    )


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
