"""What a finding's confidence is worth: how often answers of that confidence were right.

`models/calibration.toml` is written by `make calibrate` (tools/calibrate.py) from answers whose truth
is known. Without an entry a field's confidence stays as the rules weigh it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, model_validator

from pipeline.catalog.toml import Entry, read_toml


class Curve(Entry):
    """One field: `share[i]` of the answers of the confidence `raw[i]` were right; straight between, level
    outside. `answers` is how many it was fitted on. Both lists rise."""

    raw: tuple[float, ...] = Field(min_length=1)
    share: tuple[float, ...] = Field(min_length=1)
    answers: int = Field(gt=0)

    @model_validator(mode="after")
    def _check(self) -> Curve:
        if len(self.raw) != len(self.share):
            raise ValueError("raw and share are not of one length")
        if any(a >= b for a, b in zip(self.raw, self.raw[1:], strict=False)):
            raise ValueError("raw does not rise")
        if any(a > b for a, b in zip(self.share, self.share[1:], strict=False)):
            raise ValueError("share falls: a surer answer would count for less")
        if not all(0.0 <= value <= 1.0 for value in (*self.raw, *self.share)):
            raise ValueError("a confidence lies between 0 and 1")
        return self


class Calibration(Entry):
    """Curves by the name of the finding."""

    fields: Mapping[str, Curve] = Field(default_factory=dict)


def load_calibration(models_dir: Path) -> Mapping[str, Curve]:
    """The curves of `models/calibration.toml`. Raises CatalogError."""
    return read_toml(models_dir / "calibration.toml", Calibration).fields
