"""What a sender calls a file, as it is kept: one line that shows as it is, no path, not too long."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from pipeline.files import printable

_LONGEST: Final = 160
_LONGEST_SUFFIX: Final = 16


def sent_name(name: str) -> str:
    """The name; its ending stays where it is cut."""
    text = printable(name).replace("/", "_").replace("\\", "_")
    if len(text) <= _LONGEST:
        return text
    suffix = PurePosixPath(text).suffix
    suffix = suffix if len(suffix) <= _LONGEST_SUFFIX else ""
    return text[: _LONGEST - len(suffix)] + suffix
