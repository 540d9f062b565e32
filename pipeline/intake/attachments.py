"""What is attached to a message: names and bytes, whoever wrote it and however.

Attached is what says so or has a file's name, and whatever is no text, for some mail programs put a PDF into
the line of the text. A picture that the text of the message shows where it wants (a letterhead, a logo)
is none. What is attached to a message inside the message belongs to it. The texts themselves are not read.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from typing import Any, Final

# A chain of messages forwarded again and again is ten deep, in earnest; a parser's work grows with each.
_DEEPEST: Final = 30
_MOST_CONTAINERS: Final = 300
_CONTAINER: Final = re.compile(rb"^content-type:\s*(?:multipart|message)/", re.IGNORECASE | re.MULTILINE)
_LONGEST_NAME: Final = 200
_SIGNATURES: Final = frozenset(
    {"application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"}
)


class Unusable(Exception):
    """The message is not taken apart; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def attachments(raw: bytes, *, most: int) -> list[tuple[str, bytes]]:
    """The attachments of a message in its order, each as (name, content); none where it has none.

    Raises Unusable where there are more than `most`, or messages in messages without end.
    """
    found: list[tuple[str, bytes]] = []
    for part in _attached(_parsed(raw), depth=0, shown=False):
        if len(found) == most:
            raise Unusable("too_many_files")
        found.append((_name(part, len(found) + 1), _content(part)))
    return found


def message_id(raw: bytes) -> str:
    """The message's own id, as it stands in its header; empty where it has none."""
    head = raw[: match.start()] if (match := re.search(rb"\r?\n\r?\n", raw)) else raw
    found = re.search(rb"^message-id:\s*(\S+)", head, re.IGNORECASE | re.MULTILINE)
    return found[1].decode("utf-8", "replace") if found else ""


def _parsed(raw: bytes) -> Message:
    if sum(1 for _ in _CONTAINER.finditer(raw)) > _MOST_CONTAINERS:
        raise Unusable("too_nested")
    return message_from_bytes(raw)


def _attached(message: Message, *, depth: int, shown: bool) -> Iterator[Message]:
    """`shown`: beside a text that may show it where it wants."""
    if depth > _DEEPEST:
        raise Unusable("too_nested")
    parts = message.get_payload()
    if not isinstance(parts, list):
        if _is_attached(message, shown=shown):
            yield message
        return
    shown = message.get_content_type() == "multipart/related"
    for part in _inside(message, parts):
        yield from _attached(part, depth=depth + 1, shown=shown)


def _inside(message: Message, parts: list[Any]) -> list[Any]:
    """The parts of a container. A message that somebody coded like a file is none to Python's parser."""
    coded = str(message.get("content-transfer-encoding", "")).strip().lower() == "base64"
    if message.get_content_type() != "message/rfc822" or not coded:
        return parts
    try:
        return [_parsed(base64.b64decode(part.as_bytes())) for part in parts]
    except binascii.Error:
        return parts


def _is_attached(part: Message, *, shown: bool) -> bool:
    kind, disposition = part.get_content_type(), part.get_content_disposition()
    if kind in _SIGNATURES:
        return False
    if disposition == "attachment":
        return True
    if shown and kind.startswith("image/") and part.get("content-id"):
        return False
    return bool(_given_name(part)) or not kind.startswith("text/")


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _name(part: Message, number: int) -> str:
    name = _given_name(part).encode("utf-8", "replace").decode()
    return name[:_LONGEST_NAME].strip() or f"attachment {number}"


def _given_name(part: Message) -> str:
    """The file's name as the sender wrote it; empty where there is none, or none that can be read."""
    try:
        name = part.get_filename() or ""
        return str(make_header(decode_header(name)))
    except Exception:  # a hostile header makes Python's parser raise this and that; its file is there still
        return ""
