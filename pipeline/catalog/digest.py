"""Which knowledge a case was read by: a digest over the files of `models/`."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Final

_LENGTH: Final = 12  # hex digits: enough to tell the versions of one folder apart
# What is said of a case, by when and in which form; no value is read by it.
_SAID: Final = ("letters", "fonts", "fhir", "prefill.toml", "clock.toml")
_PROSE: Final = (".md",)


@lru_cache(maxsize=16)
def knowledge_digest(models_dir: Path) -> str:
    """The first digits of a SHA-256 over names and contents of the files that values are read by; made once
    in a process.

    The same files give the same digest wherever they lie; an edit of any gives another.
    """
    digest = hashlib.sha256()
    for path in sorted(models_dir.rglob("*")):
        name = path.relative_to(models_dir)
        if path.is_file() and _counts(name):
            digest.update(name.as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:_LENGTH]


def _counts(name: Path) -> bool:
    hidden = any(part.startswith(".") for part in name.parts)
    return not hidden and name.parts[0] not in _SAID and name.suffix not in _PROSE
