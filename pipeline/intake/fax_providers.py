"""The fax providers that are set up: what is known of them, with the secrets of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pipeline.catalog.fax_providers import FaxProvider, load_fax_providers
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings

_LEAST_SECRET: Final = 16
_COMMON: Final = ("changeme", "secret", "password", "example", "default", "test")


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider with the secret with which it signs, and the token that it wants to see."""

    rules: FaxProvider
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


def providers_in(settings: Settings) -> Mapping[str, Provider]:
    """The providers that have a secret, by name. Raises ConfigurationError for a secret that is none, or one
    of a provider that is not known, and CatalogError; no message quotes a secret."""
    secrets = _pairs(settings.fax_secrets, "TRIAGE_FAX_SECRETS")
    tokens = _pairs(settings.fax_tokens, "TRIAGE_FAX_TOKENS")
    known = load_fax_providers(settings.models_dir)
    if unknown := (secrets.keys() | tokens.keys()) - known.keys():
        raise ConfigurationError(
            f"No file under models/fax/ tells of {', '.join(sorted(unknown))}.",
            next_step=f"Known fax providers: {', '.join(known) or 'none'}.",
        )
    for name, secret in secrets.items():
        plain = secret.casefold().strip("0123456789!.-_ ")
        if len(secret) < _LEAST_SECRET or len(set(secret)) < 8 or plain in _COMMON:
            raise ConfigurationError(
                f"The secret of {name} in TRIAGE_FAX_SECRETS is too weak.",
                next_step=f"Agree with the provider on at least {_LEAST_SECRET} random characters.",
            )
        if known[name].fetch.header and not tokens.get(name):
            raise ConfigurationError(
                f"{name} wants to see a token when a fax is fetched.",
                next_step=f"Set TRIAGE_FAX_TOKENS={name}=TOKEN.",
            )
    return {name: Provider(known[name], secret, tokens.get(name, "")) for name, secret in secrets.items()}


def _pairs(text: str, setting: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for number, entry in enumerate(filter(None, text.split(",")), 1):
        name, equals, value = entry.strip().partition("=")
        if not equals or not name or not value or name in pairs or not value.isprintable():
            raise ConfigurationError(
                f"{setting}, entry {number} is not PROVIDER=VALUE.", next_step="A provider stands once."
            )
        pairs[name] = value
    return pairs
