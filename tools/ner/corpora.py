"""The corpora as the entity model learns them: words with BIO labels, cut into runs of whole sentences."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.nlp.wordpiece import WordPieces, shape

SHARED = 8  # words in a row that two sentences must share to count as the same text


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a corpus; `follows` says that the sentence before it in the file was kept too."""

    words: tuple[str, ...]
    labels: tuple[str, ...]
    follows: bool = True


@dataclass(frozen=True, slots=True)
class Chunk:
    """Sentences in a row, ready for the network; `words` and `labels`: first piece and label of each word."""

    corpus: str
    pieces: tuple[int, ...]
    shapes: tuple[int, ...]
    words: tuple[int, ...]
    labels: tuple[int, ...]


def read(path: Path) -> list[Sentence]:
    """The sentences of one IOB file: word, tab, label; an empty line ends a sentence."""
    sentences, words, labels = [], [], []
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        if line.strip():
            word, label = line.rstrip("\n").split("\t")
            words.append(word)
            labels.append(label)
        elif words:
            sentences.append(Sentence(tuple(words), tuple(labels)))
            words, labels = [], []
    return sentences


def label_names(sentences: Iterable[Sentence]) -> list[str]:
    """O, then the corpus's labels by name."""
    names = {label for sentence in sentences for label in sentence.labels} - {"O"}
    kinds = sorted({name[2:] for name in names})
    return ["O", *(f"{mark}-{kind}" for kind in kinds for mark in "BI")]


def without(sentences: Sequence[Sentence], held_out: Iterable[Sentence]) -> list[Sentence]:
    """The sentences that share no eight words in a row with a held-out one, nor are one that is shorter."""
    seen = {run for sentence in held_out for run in _runs(sentence)}
    kept, follows = [], True
    for sentence in sentences:
        if seen.isdisjoint(_runs(sentence)):
            kept.append(Sentence(sentence.words, sentence.labels, follows))
            follows = True
        else:
            follows = False
    return kept


def _runs(sentence: Sentence) -> Iterator[tuple[str, ...]]:
    words = tuple(word.lower() for word in sentence.words)
    for start in range(max(1, len(words) - SHARED + 1)):
        yield words[start : start + SHARED]


def chunks(
    corpus: str,
    sentences: Sequence[Sentence],
    reader: WordPieces,
    names: Sequence[str],
    longest: int,
    random_cuts: random.Random | None = None,
    capitals: float = 0.0,
) -> list[Chunk]:
    """The sentences in runs of at most `longest` pieces.

    With `random_cuts` the first run of each stretch is shorter by chance, and a share `capitals` of the
    runs is set in capitals, as dictated notes and faxed forms are.
    """
    ids = {name: id for id, name in enumerate(names)}
    found: list[Chunk] = []
    run: list[Sentence] = []
    size, limit = 0, _first_limit(longest, random_cuts)
    for sentence in sentences:
        pieces = sum(len(reader.pieces(word)) for word in sentence.words)
        if run and (size + pieces > limit - 2 or not sentence.follows):
            found += _chunk(corpus, run, reader, ids, longest, random_cuts, capitals)
            run, size, limit = [], 0, longest if sentence.follows else _first_limit(longest, random_cuts)
        run.append(sentence)
        size += pieces
    return found + (_chunk(corpus, run, reader, ids, longest, random_cuts, capitals) if run else [])


def _first_limit(longest: int, random_cuts: random.Random | None) -> int:
    return random_cuts.randint(longest // 3, longest) if random_cuts else longest


def _chunk(
    corpus: str,
    run: Sequence[Sentence],
    reader: WordPieces,
    ids: dict[str, int],
    longest: int,
    chance: random.Random | None,
    capitals: float,
) -> list[Chunk]:
    """The run as one chunk, or as several where a single sentence is longer than a chunk."""
    shout = chance is not None and chance.random() < capitals
    found: list[Chunk] = []
    pieces, shapes, firsts, labels = [reader.first], [0], [], []

    def close() -> None:
        found.append(Chunk(corpus, (*pieces, reader.last), (*shapes, 0), tuple(firsts), tuple(labels)))

    for sentence in run:
        for word, label in zip(sentence.words, sentence.labels, strict=True):
            word = word.upper() if shout else word
            of_word = reader.pieces(word)[: longest - 2]
            if len(pieces) + len(of_word) > longest - 1:
                close()
                pieces, shapes, firsts, labels = [reader.first], [0], [], []
            if label.startswith("I-") and not firsts:  # an entity that the cut divides starts anew
                label = "B-" + label[2:]
            firsts.append(len(pieces))
            labels.append(ids[label])
            pieces += of_word
            shapes += [shape(word)] * len(of_word)
    close()
    return found
