"""Regular expressions of the knowledge files, without regard to case: found wrong when the file is read."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator


def _compiled(words: object) -> re.Pattern[str]:
    """One expression, or any of several."""
    if isinstance(words, re.Pattern):
        return words
    parts = [words] if isinstance(words, str) else words
    if not isinstance(parts, list) or not parts or not all(isinstance(part, str) for part in parts):
        raise ValueError("must be a regular expression or a list of them")
    try:
        return re.compile("|".join(parts), re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error


Expression = Annotated[re.Pattern[str], BeforeValidator(_compiled)]
"""A regular expression without regard to case; in TOML a string, or a list of alternatives."""


def checked(words: tuple[str, ...]) -> tuple[str, ...]:
    """The same words. Raises ValueError for one that is no regular expression."""
    for word in words:
        try:
            re.compile(word, re.IGNORECASE)
        except re.error as error:
            raise ValueError(f"{word!r} is no regular expression: {error}") from error
    return words
