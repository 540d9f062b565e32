"""Hand-off to a fax gateway or print shop that watches a folder.

A parcel is a folder `<reference>-<key>` that appears whole. The gateway leaves a file `acknowledged` in it
when it went out, or `failed` with the reason's code; until then it has only been laid down.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipeline.delivery.parcel import WAITING, Later, Parcel, Receipt, code_of
from pipeline.errors import DeliveryError
from pipeline.files import make_private

ACKNOWLEDGED, FAILED = "acknowledged", "failed"


@dataclass(frozen=True)
class Folder:
    """The channel `folder`."""

    folder: Path

    def deliver(self, parcel: Parcel) -> Receipt:
        """The parcel's folder, whole or not there."""
        target = self._of(parcel)
        try:
            if not target.exists():
                self._lay_down(parcel, target)
        except OSError as error:
            raise DeliveryError(
                f"The folder for requests cannot be written ({type(error).__name__}).",
                retryable=True,
                next_step="Check TRIAGE_REQUEST_FOLDER and the room on its disk.",
            ) from None
        return Receipt(acknowledged=False, id=target.name)

    def later(self, receipt: str) -> Later:
        """What the gateway says: nothing yet, `acknowledged`, or `failed` with its code, which prevails."""
        target = self.folder / receipt
        try:
            if (target / FAILED).exists():
                return Later("failed", _code(target / FAILED))
            if (target / ACKNOWLEDGED).exists():
                return Later("acknowledged", _code(target / ACKNOWLEDGED, ""))
        except OSError as error:
            raise DeliveryError(
                f"The folder for requests cannot be read ({type(error).__name__}).",
                retryable=True,
                next_step="Check TRIAGE_REQUEST_FOLDER.",
            ) from None
        return WAITING

    def _of(self, parcel: Parcel) -> Path:
        digest = hashlib.sha256(parcel.key.encode()).hexdigest()
        return self.folder / f"{parcel.reference}-{digest[:12]}"

    def _lay_down(self, parcel: Parcel, target: Path) -> None:
        make_private(self.folder)
        beside = Path(tempfile.mkdtemp(dir=self.folder, prefix=".part-"))
        try:
            for part in parcel.parts:
                _write(beside / part.name, part.content)
            told = {
                "reference": parcel.reference,
                "key": parcel.key,
                "to": parcel.to,
                "files": [part.name for part in parcel.parts],
            }
            _write(beside / "parcel.json", json.dumps(told, indent=1).encode())
            beside.rename(target)
        except OSError:
            shutil.rmtree(beside, ignore_errors=True)
            if not target.exists():  # another laid it down meanwhile
                raise


def _code(path: Path, otherwise: str = FAILED) -> str:
    """The gateway's code; what is no code is not repeated."""
    with path.open("rb") as file:
        return code_of(file.read(200).decode("utf-8", "replace"), otherwise)


def _write(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
