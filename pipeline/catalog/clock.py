"""How soon a request must be answered (`models/clock.toml`)."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipeline.catalog.toml import Entry, read_toml


class Span(Entry):
    """A length of time; its parts add up."""

    days: Annotated[int, Field(ge=0)] = 0
    hours: Annotated[int, Field(ge=0)] = 0

    @property
    def length(self) -> timedelta:
        return timedelta(days=self.days, hours=self.hours)


class AtRisk(Entry):
    """When a request is shown as at risk."""

    share_left: Annotated[float, Field(ge=0, le=1)]


class Clock(Entry):
    """Times from receipt to the answer that is due."""

    expedited: Span
    standard: Span
    at_risk: AtRisk

    def due(self, received_at: datetime, *, expedited: bool) -> datetime:
        """When the answer to a request is due."""
        return received_at + (self.expedited if expedited else self.standard).length

    def is_at_risk(self, received_at: datetime, due_at: datetime, now: datetime) -> bool:
        """Whether less of its time is left than the share in the file, or none."""
        return due_at - now < (due_at - received_at) * self.at_risk.share_left

    def risk_from(self, now: datetime, *, expedited: bool) -> datetime:
        """Requests that are due before this time are at risk now; for where a database must find them."""
        return now + (self.expedited if expedited else self.standard).length * self.at_risk.share_left


def load_clock(models_dir: Path) -> Clock:
    """The clock of the knowledge files. Raises CatalogError."""
    return read_toml(models_dir / "clock.toml", Clock)
