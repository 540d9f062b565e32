"""Where evaluated cases go: a name for each output and the function that hands a case over.

An output is asked again after a failure, and perhaps after a success that could not be written down: it
must come to the same when it is repeated. What it raises as OSError is tried again later.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.files import make_private, write_whole
from pipeline.ledger import Sending
from pipeline.settings import Settings

Output = Callable[[Sending, Mapping[str, Any]], None]
"""Called with what is sent, and the case as the contract's JSON."""


def outputs(settings: Settings) -> dict[str, Output]:
    """The outputs that the settings ask for, by name."""
    if not settings.output_dir:
        return {}
    return {"folder": lambda sending, case: _write(Path(settings.output_dir), sending, case)}


def _write(folder: Path, sending: Sending, case: Mapping[str, Any]) -> None:
    """`<folder>/<id>/case.json`, whole or as it was."""
    target = folder / sending.submission_id
    make_private(target)
    write_whole(target / "case.json", json.dumps(case, indent=2, ensure_ascii=False) + "\n")
