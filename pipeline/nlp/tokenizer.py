"""A tokenizer whose time grows with the length of the text, whatever stands in it.

spaCy's own takes time by the square of an unbroken run of punctuation (20,000 opening brackets: half
a minute); no component needs its exceptions and suffixes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import registry

_TOKEN = re.compile(r"[^\W_]+|[^\w\s]|_+|\s+")


class LinearTokenizer:
    """Letters and digits make words, every other character a token of its own, white space a token where
    it is more than one space after a word. Nothing is lost: the tokens join to the text."""

    def __init__(self, nlp: Language) -> None:
        self.vocab = nlp.vocab

    def __call__(self, text: str) -> Doc:
        words: list[str] = []
        spaces: list[bool] = []
        for token in _TOKEN.findall(text):
            if token[0] == " " and words and not spaces[-1]:
                spaces[-1] = True
                token = token[1:]
                if not token:
                    continue
            words.append(token)
            spaces.append(False)
        return Doc(self.vocab, words=words, spaces=spaces)

    def to_bytes(self, **_: Any) -> bytes:
        """Nothing to keep: spaCy asks every tokenizer."""
        return b""

    def from_bytes(self, _bytes: bytes, **_: Any) -> LinearTokenizer:
        """Nothing to restore."""
        return self

    def to_disk(self, _path: object, **_: Any) -> None:
        """Nothing to keep."""

    def from_disk(self, _path: object, **_: Any) -> LinearTokenizer:
        """Nothing to restore."""
        return self


def _make_tokenizer() -> Callable[[Language], LinearTokenizer]:
    return LinearTokenizer


registry.tokenizers.register("triage_linear_tokenizer", func=_make_tokenizer)
