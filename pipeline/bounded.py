"""The answer of another system, read so far and so long, and no more."""

from __future__ import annotations

import time
from typing import Final

import httpx

PLAIN: Final = {"Accept-Encoding": "identity"}
"""The header that asks for an answer as it is: a small one that unfolds to gigabytes is none."""


def read_within(response: httpx.Response, *, most: int, longest_s: float) -> bytes:
    """The body of a streamed answer. Raises httpx.DecodingError for one that is longer than `most` bytes or
    packed, and httpx.ReadTimeout for one that is not whole in time."""
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise httpx.DecodingError("the answer is packed")
    ends, content = time.monotonic() + longest_s, bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > most:
            raise httpx.DecodingError("the answer is too long")
        # httpx's timeout starts anew with every byte: a trickle would never end.
        if time.monotonic() > ends:
            raise httpx.ReadTimeout("the answer took too long")
    return bytes(content)
