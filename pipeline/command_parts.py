"""What several commands share: in whose name they act, and where what they make is put."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

from pipeline.errors import UsageError


def operator() -> str:
    """The person at the command line, as an actor of the ledger."""
    try:
        return f"operator:{getpass.getuser()}"
    except (KeyError, OSError):  # a container without names
        return "operator:unknown"


def put(content: bytes, output: Path | None) -> None:
    """`content` in a file for the owner alone, also where others could read the one that was there, or on
    standard output. Raises UsageError."""
    from pipeline.files import make_private, write_private

    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    try:
        make_private(output.absolute().parent)
        write_private(output, content)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}.") from None
