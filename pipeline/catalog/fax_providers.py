"""What is known of fax providers (`models/fax/NAME.toml`): how they tell of a fax, sign, and give it out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, field_validator

from pipeline.catalog.toml import Entry, read_toml
from pipeline.errors import CatalogError

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
ElementPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+$")]
Host = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(:[0-9]{1,5})?$")]


class NoticeForm(Entry):
    """Where in what the provider tells stands what is needed. `events` are those that tell of a fax."""

    body: Literal["json", "form"] = "json"
    fax_id: ElementPath
    address: ElementPath
    received_at: ElementPath
    event: ElementPath | None = None
    events: tuple[str, ...] = ()


class Signature(Entry):
    """How the provider signs. `message` holds {timestamp} and {body}."""

    header: HeaderName
    timestamp_header: HeaderName
    message: str
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""

    @field_validator("message")
    @classmethod
    def _holds_both(cls, message: str) -> str:
        if message.count("{body}") != 1 or message.count("{timestamp}") != 1:
            raise ValueError("must hold {timestamp} and {body}, once each")
        return message


class Fetch(Entry):
    """From which hosts files come, and what is shown to the first of them that is asked."""

    hosts: tuple[Host, ...] = Field(min_length=1)
    header: HeaderName | None = None
    value: str = "Bearer {token}"


class FaxProvider(Entry):
    """One provider."""

    title: str
    notice: NoticeForm
    signature: Signature
    fetch: Fetch


def load_fax_providers(models_dir: Path) -> Mapping[str, FaxProvider]:
    """The providers by name. Raises CatalogError."""
    providers = {}
    for path in sorted((models_dir / "fax").glob("*.toml")):
        if not _NAME.fullmatch(path.stem):
            raise CatalogError(
                f"{path} is no name of a provider.",
                next_step="Name it with lower-case letters, digits and -, at most 32.",
            )
        providers[path.stem] = read_toml(path, FaxProvider)
    return providers
