"""Reading one knowledge file: TOML in, a validated record out, every problem told with its place."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import CatalogError


class Entry(BaseModel):
    """Base of every record read from `models/`: a key that is not known is an error, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path, model: type[Model]) -> Model:
    """The file at `path` as a `model`.

    Raises CatalogError with the file and all its problems at once (key path and what is wrong).
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CatalogError(f"{path} is missing.", next_step="Restore it or set TRIAGE_MODELS_DIR.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path} is not valid TOML: {error}.", next_step="Correct the file.") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'file'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise CatalogError(f"{path}: {problems}.", next_step="Correct the named keys.") from error
