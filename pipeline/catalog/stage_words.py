"""Words around stages and lymph nodes (`models/stage_words.toml`)."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

from pydantic import Field, field_validator

from pipeline.catalog.toml import Entry, read_toml

# A space between two words, where a line may wrap and the next one be indented.
_BETWEEN_WORDS = re.compile(r"(?<=[\w)]) (?=[\w(\\])")
_Words = tuple[str, ...]


class StageWords(Entry):
    """What only looks like a stage, and what is said of nodes; see the head of the file."""

    not_t_before_these: _Words = Field(min_length=1)
    not_t_after_these: _Words = Field(min_length=1)
    stage_of_before: _Words = Field(min_length=1)
    stage_of_after: _Words = Field(min_length=1)
    nodes_negative: _Words = Field(min_length=1)
    nodes_positive: _Words = Field(min_length=1)

    @field_validator("*")
    @classmethod
    def _compiles(cls, words: _Words) -> _Words:
        for word in words:
            try:
                re.compile(word)
            except re.error as error:
                raise ValueError(f"{word!r} is no regular expression: {error}") from error
        return words

    @cached_property
    def t_followed(self) -> re.Pattern[str]:
        """Matches after a T that is no tumour category."""
        return _either(self.not_t_before_these, r"[ -]{0,2}(?:%s)")

    @cached_property
    def t_preceded(self) -> re.Pattern[str]:
        """Found before a T that is no tumour category."""
        return _either(self.not_t_after_these, r"(?:%s)[ :.]{0,3}$")

    @cached_property
    def other_before(self) -> re.Pattern[str]:
        """Found before the stage of another disease ("kidney disease (CKD), stage 3")."""
        return _either(
            self.stage_of_before, r"(?:%s)(?:\s?\([^()\n]{1,12}\))?[\s,:()\-]{0,4}(?:(?:is|at|of|with)\s)?$"
        )

    @cached_property
    def other_after(self) -> re.Pattern[str]:
        """Matches after the stage of another disease."""
        return _either(self.stage_of_after, r"[\s,\-]{0,2}(?:\w+\s)?(?:%s)")

    @cached_property
    def negative_nodes(self) -> re.Pattern[str]:
        """Statements that nodes hold no tumour."""
        return _either(self.nodes_negative, r"(?:%s)")

    @cached_property
    def positive_nodes(self) -> re.Pattern[str]:
        """Statements that nodes hold tumour."""
        return _either(self.nodes_positive, r"(?:%s)")


def _either(words: _Words, frame: str) -> re.Pattern[str]:
    wrapped = _BETWEEN_WORDS.sub(r"\\s{1,4}", "|".join(words)).replace(" ", r"\s")
    return re.compile(frame % wrapped, re.IGNORECASE)


def load_stage_words(models_dir: Path) -> StageWords:
    """`models/stage_words.toml`. Raises CatalogError."""
    return read_toml(models_dir / "stage_words.toml", StageWords)
