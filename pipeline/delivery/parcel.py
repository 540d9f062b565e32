"""What a channel is handed: the forms of one request, under one key."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Part:
    """One form of a request as a file: `letter.pdf`, `task.json`."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A request in all its forms. `key` is of reference and content: the same parcel has the same key.

    `resources` are its FHIR resources. `to` is the fax number or address for a channel that needs one.
    """

    reference: str
    key: str
    parts: tuple[Part, ...]
    resources: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    to: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The other side has the parcel. `acknowledged` is False where it has only been laid down: it says later
    whether it went out. `id` is by what it is asked then; empty where it says no more."""

    acknowledged: bool = True
    id: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """What the other side says of a parcel that it was handed before. `code` is its own word for it, of small
    letters, digits and `_` (`no_answer`, `accepted`); `final` says that no more will come."""

    state: Literal["waiting", "acknowledged", "failed"]
    code: str = ""
    final: bool = True


WAITING = Later("waiting", final=False)
_CODE = re.compile(r"[a-z0-9_]{1,40}")


def code_of(text: object, otherwise: str = "") -> str:
    """The other side's code where it is one: anything else may hold a name, and is not repeated."""
    plain = text.strip().lower().replace("-", "_") if isinstance(text, str) else ""
    return plain if _CODE.fullmatch(plain) else otherwise


def parcel(
    reference: str, parts: Sequence[Part], resources: Sequence[Mapping[str, Any]] = (), to: str = ""
) -> Parcel:
    """The parcel of a request."""
    digest = hashlib.sha256()
    for part in parts:
        for piece in (part.name.encode(), part.content):
            digest.update(len(piece).to_bytes(8, "big") + piece)
    digest.update(to.encode())
    return Parcel(reference, f"{reference}:{digest.hexdigest()[:32]}", tuple(parts), tuple(resources), to)
