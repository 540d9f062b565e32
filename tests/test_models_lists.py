"""No list of words in `models/` names a word twice: the second one is a slip, or hides another meaning."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MODELS = Path(__file__).parent.parent / "models"
FILES = sorted(MODELS / name for name in (
    "abbreviations.toml", "context.toml", "extent.toml", "histologies.toml", "one_text.toml", "sites.toml",
    "stage_words.toml", "target.toml", "treatment.toml",
))  # fmt: skip


def lists_of(data: Any) -> Iterator[list[str]]:
    if isinstance(data, dict):
        for value in data.values():
            yield from lists_of(value)
    elif isinstance(data, list) and all(isinstance(item, str) for item in data):
        yield data
    elif isinstance(data, list):
        for item in data:
            yield from lists_of(item)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_word_twice(path: Path) -> None:
    lists = list(lists_of(tomllib.loads(path.read_text(encoding="utf-8"))))
    assert lists
    assert [word for words in lists for word, times in Counter(words).items() if times > 1] == []


def test_no_cue_says_two_things_in_one_direction() -> None:
    rules = tomllib.loads((MODELS / "context.toml").read_text(encoding="utf-8"))
    said = Counter(
        (word.lower(), direction)
        for cue in rules["cue"]
        for direction in (("forward", "backward") if cue["reach"] == "both" else (cue["reach"],))
        for word in cue["words"]
    )
    assert [cue for cue, times in said.items() if times > 1] == []
