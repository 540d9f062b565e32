"""Writing a file so that a reader finds the old one or the new one, never half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_PRIVATE = 0o600


def write_whole(path: Path, text: str) -> None:
    """`text` (UTF-8) at `path`, readable by whom the file there was, or by the owner alone.

    Raises OSError; then `path` is as it was.
    """
    mode = path.stat().st_mode & 0o777 if path.is_file() else _PRIVATE
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".triage-")
    beside = Path(name)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(mode)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
