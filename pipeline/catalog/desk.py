"""Reasons that the reviewer's desk offers (`models/desk.toml`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipeline.catalog.toml import Entry, read_toml

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
Sentence = Annotated[str, Field(min_length=3, max_length=200)]


class DeskReasons(Entry):
    """Codes, and sentences that a person may change."""

    glass: tuple[Code, ...]
    reject: tuple[Code, ...]
    close_request: tuple[Code, ...]
    documents: tuple[Sentence, ...]


def load_desk(models_dir: Path) -> DeskReasons:
    """The reasons of the knowledge files. Raises CatalogError."""
    return read_toml(models_dir / "desk.toml", DeskReasons)
