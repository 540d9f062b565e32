"""What a channel is handed: the forms of one request, under one key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


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
    """Who has the parcel and since when, as the other side tells it. `acknowledged` is False where it has
    only been laid down: the fax gateway says later whether it went out."""

    acknowledged: bool = True
    id: str = ""


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
