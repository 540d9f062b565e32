"""Another program's message about a case, without the words that come from the patient's records.

An evaluator may repeat in its message what it was sent. Its message is shown to an operator, so each
of its words stays only if the case does not hold it, or if it is a word of the contract or of grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

MASK = "…"
_LONGEST = 300
_SHORTEST_PART = 4  # letters of a record's word that, inside another word, still give it away
_GRAMMAR = frozenset(
    """
    a an and are as at be but by case cannot does error field for from has have in invalid is it its
    known must no not of on one only or required request should than that the this to unknown
    unsupported value was were which with
    """.split()  # noqa: SIM905 - a list of words reads better as words
)


def masked(message: str, case: dict[str, Any]) -> str:
    """`message` on one line, at most 300 characters, words of the case's values replaced by a mask."""
    words = {word for text in _texts(case) for word in _words(text)}
    run_on = "\n".join("".join(_words(text)) for text in _texts(case))
    contract = {word for key in _keys(case) for word in _words(key)} | _GRAMMAR
    parts = {word for word in words if len(word) >= _SHORTEST_PART}
    kept = [token if _may_stay(_words(token), run_on, parts, contract) else MASK for token in message.split()]
    return " ".join(kept)[:_LONGEST]


def _may_stay(token: list[str], run_on: str, parts: set[str], contract: set[str]) -> bool:
    """Whether nothing of a token comes from the records. Its words are looked at one by one and joined;
    one or two digits alone tell nothing (the month of a date whose whole is looked at too)."""
    suspects = [word for word in token if word not in contract and not (word.isdigit() and len(word) < 3)]
    joined = "".join(token)
    if not suspects:
        return len(token) < 2 or joined not in run_on
    return all(word not in run_on and not any(part in word for part in parts) for word in (*suspects, joined))


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)
