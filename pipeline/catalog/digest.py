"""Which knowledge this is: a digest over the files of `models/`."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Final

_LENGTH: Final = 12  # hex digits: enough to tell the versions of one folder apart
_PROSE: Final = (".md",)  # about the knowledge, not of it


@lru_cache(maxsize=16)
def knowledge_digest(models_dir: Path) -> str:
    """The first digits of a SHA-256 over names and contents of all files; read once in a process.

    The same files give the same digest wherever they lie; any edit gives another.
    """
    digest = hashlib.sha256()
    for path in sorted(models_dir.rglob("*")):
        name = path.relative_to(models_dir)
        if (
            path.is_file()
            and path.suffix not in _PROSE
            and not any(part.startswith(".") for part in name.parts)
        ):
            content = hashlib.sha256(path.read_bytes()).digest()
            digest.update(name.as_posix().encode() + b"\0" + content)
    return digest.hexdigest()[:_LENGTH]
