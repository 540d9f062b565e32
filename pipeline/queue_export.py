"""A submission out of the ledger: its files as they were received, its case, its history, in a folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

from pipeline import ledger as led
from pipeline.errors import UsageError
from pipeline.files import make_private, write_whole
from pipeline.ledger import Ledger
from pipeline.queue_table import history_as_json

_ENDINGS: Final = {
    "application/pdf": ".pdf",
    "image/tiff": ".tif",
    "image/png": ".png",
    "image/jpeg": ".jpg",
}


def export(ledger: Ledger, submission_id: str, folder: Path) -> Path:
    """Write the submission to `<folder>/<id>`, readable by the owner alone; returns that folder.

    Files are named by their place, not as the sender called them: those names are in `names.json`. What a
    channel said besides the files (a FHIR request) is in `told-N.json`. Raises
    UsageError where there is no such submission, its files are erased, or the folder cannot be written.
    """
    history = led.history(ledger, submission_id)
    target = folder / submission_id
    try:
        make_private(target)
        with led.opened(ledger, submission_id) as submission:
            for number, file in enumerate(submission.files, 1):
                shutil.copyfile(file.path, target / f"{number}{_ENDINGS.get(file.media_type, '.bin')}")
            _write(target / "names.json", [file.name for file in submission.files])
        for row in history.cases:
            number = row["number"]
            _write(target / f"case-{number}.json", led.standing_case(ledger, submission_id, number))
        for number, told in enumerate(led.load_all(ledger, submission_id, led.TOLD), 1):
            _write(target / f"told-{number}.json", told)
        _write(target / "history.json", history_as_json(history))
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written: {error.strerror}.", next_step="Name another."
        ) from None
    return target


def _write(path: Path, data: Any) -> None:
    write_whole(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
