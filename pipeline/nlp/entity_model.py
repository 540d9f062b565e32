"""The project's own entity model: a small transformer that finds tumours, organs, diseases and more.

The one home of onnxruntime. How the model was made and how good it is: models/ner/README.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import CatalogError, ConfigurationError
from pipeline.nlp.viterbi import best_path
from pipeline.nlp.wordpiece import Word, WordPieces

_RUNS_AT_ONCE = 8


class Entity(NamedTuple):
    """A stretch of a text and what kind of thing it names; `head` is the corpus that the kind is of."""

    start: int
    end: int
    kind: str
    head: str


class _Head(NamedTuple):
    first: int  # column of the head's first label among all scores
    labels: tuple[str, ...]
    starts: NDArray[np.float32]
    steps: NDArray[np.float32]


class EntityModel:
    """The model in `folder` (model.onnx, labels.json, vocab.txt).

    Raises ConfigurationError where onnxruntime is not installed, CatalogError where a file is wrong.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise ConfigurationError(
                "The entity model needs onnxruntime, which is not installed.",
                next_step="Install it with: pip install 'clinical-triage[ner]'",
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # workers are processes
        options.log_severity_level = 3  # errors only
        try:
            self._session = onnxruntime.InferenceSession(
                str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
            self._reader = WordPieces(folder / "vocab.txt")
            told = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
            self._heads = dict(_heads(told["heads"]))
            self._longest: int = told["longest"]
            self.version: str = told["version"]
        except Exception as error:  # onnxruntime's own errors share no class
            raise CatalogError(
                f"The entity model in {folder} cannot be read.",
                next_step="Put back its model.onnx, vocab.txt and labels.json.",
            ) from error

    @property
    def kinds(self) -> Mapping[str, frozenset[str]]:
        """The kinds of entity that each head tells apart."""
        return {
            name: frozenset(label[2:] for label in head.labels if label != "O")
            for name, head in self._heads.items()
        }

    def find(self, text: str, sentences: Iterable[tuple[int, int]]) -> Iterator[Entity]:
        """The entities of the given sentences (start, end) of `text`, run by run, head by head.

        Sentences in a row are read together, since one explains the next; none is split unless it
        is longer than the model can read.
        """
        runs = list(self._runs(text, sentences))
        for first in range(0, len(runs), _RUNS_AT_ONCE):
            batch = runs[first : first + _RUNS_AT_ONCE]
            for words, scores in zip(batch, self._scores(batch), strict=True):
                for name, head in self._heads.items():
                    columns = scores[:, head.first : head.first + len(head.labels)]
                    path = best_path(columns, head.steps, head.starts)
                    yield from _entities(words, [head.labels[i] for i in path], name)

    def _runs(self, text: str, sentences: Iterable[tuple[int, int]]) -> Iterator[list[Word]]:
        """Words of sentences in a row, as many as the model reads at once."""
        room = self._longest - 2
        run: list[Word] = []
        size = 0
        for start, end in sentences:
            words = self._reader.read(text, start, end)
            length = sum(len(word.pieces) for word in words)
            if run and size + length > room:
                yield run
                run, size = [], 0
            for word in words:
                if size + len(word.pieces) > room and run:
                    yield run
                    run, size = [], 0
                run.append(word)
                size += len(word.pieces)
        if run:
            yield run

    def _scores(self, runs: Sequence[Sequence[Word]]) -> Iterator[NDArray[np.float32]]:
        """For each run the score of every label (columns) of every word (rows)."""
        room = self._longest - 2
        rows = [[piece for word in run for piece in word.pieces][:room] for run in runs]
        length = max(map(len, rows)) + 2
        pieces = np.full((len(runs), length), self._reader.padding, dtype=np.int64)
        shapes, mask = np.zeros_like(pieces), np.zeros_like(pieces)
        firsts = []
        for number, (run, row) in enumerate(zip(runs, rows, strict=True)):
            pieces[number, : len(row) + 2] = (self._reader.first, *row, self._reader.last)
            mask[number, : len(row) + 2] = 1
            lengths = [len(word.pieces) for word in run]
            of_pieces = np.repeat([word.shape for word in run], lengths)[:room]
            shapes[number, 1 : len(row) + 1] = of_pieces
            firsts.append(np.cumsum([1, *lengths[:-1]]))
        (scores,) = self._session.run(None, {"pieces": pieces, "shapes": shapes, "mask": mask})
        for number, places in enumerate(firsts):
            yield scores[number, places]


def _heads(told: Mapping[str, Mapping[str, Sequence[object]]]) -> Iterator[tuple[str, _Head]]:
    first = 0
    for name, head in told.items():
        labels = tuple(map(str, head["labels"]))
        starts, steps = (np.array(head[key], dtype=np.float32) for key in ("starts", "steps"))
        if starts.shape != (len(labels),) or steps.shape != (len(labels), len(labels)):
            raise ValueError("labels and transitions do not fit")
        yield name, _Head(first, labels, starts, steps)
        first += len(labels)


def _entities(words: Sequence[Word], labels: Sequence[str], head: str) -> Iterator[Entity]:
    """The entities that BIO labels of words mark."""
    start: int | None = None
    for i, label in enumerate(labels):
        if label.startswith("B-"):
            start = words[i].start
        follows = labels[i + 1] if i + 1 < len(labels) else "O"
        if start is not None and not follows.startswith("I-"):
            yield Entity(start, words[i].end, label[2:], head)
            start = None
