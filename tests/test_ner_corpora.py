"""How the corpora are read for training: labels, held-out text, runs of sentences, scores."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pipeline.nlp.wordpiece import WordPieces
from tools.ner.corpora import Sentence, chunks, label_names, read, without
from tools.ner.score import Score, spans

IOB = "Renal\tB-Cancer\ncancer\tI-Cancer\n.\tO\n\nNo\tO\nliver\tB-Organ\ndisease\tO\n"
LONG = ["the", "tumour", "cells", "of", "this", "line", "were", "kept", "in", "a", "medium"]


def sentence(*words: str) -> Sentence:
    return Sentence(words, ("O",) * len(words))


@pytest.fixture
def corpus(tmp_path: Path) -> list[Sentence]:
    (tmp_path / "part.tsv").write_text(IOB, encoding="utf-8")
    return read(tmp_path / "part.tsv")


@pytest.fixture
def reader(tmp_path: Path) -> WordPieces:
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]"]), encoding="utf-8")
    return WordPieces(tmp_path / "vocab.txt")


def test_a_file_is_read_sentence_by_sentence(corpus: list[Sentence]) -> None:
    assert [s.words for s in corpus] == [("Renal", "cancer", "."), ("No", "liver", "disease")]
    assert label_names(corpus) == ["O", "B-Cancer", "I-Cancer", "B-Organ", "I-Organ"]


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (LONG, False),
        (["Yesterday", *LONG[1:9]], False),  # eight words in a row
        (["Yesterday", *LONG[1:8]], True),  # seven
        (["Results"], False),  # a short sentence counts as a whole
        (["Results", "follow"], True),
    ],
)
def test_what_another_corpus_is_scored_on_is_not_learnt(words: list[str], kept: bool) -> None:
    held_out = [sentence(*LONG), sentence("results")]
    assert bool(without([sentence(*words)], held_out)) is kept


def test_a_sentence_after_one_left_out_follows_none() -> None:
    kept = without([sentence("a"), sentence("results"), sentence("b"), sentence("c")], [sentence("results")])
    assert [(s.words, s.follows) for s in kept] == [(("a",), True), (("b",), False), (("c",), True)]


def test_runs_hold_whole_sentences_and_their_labels(corpus: list[Sentence], reader: WordPieces) -> None:
    names = label_names(corpus)
    (both,) = chunks("c", corpus, reader, names, longest=8)
    assert both.words == (1, 2, 3, 4, 5, 6)
    assert both.labels == (1, 2, 0, 0, 3, 0)
    assert both.shapes == (0, 1, 0, 0, 1, 0, 0, 0)
    assert [c.labels for c in chunks("c", corpus, reader, names, longest=7)] == [(1, 2, 0), (0, 3, 0)]


def test_a_run_is_broken_where_a_sentence_is_missing(corpus: list[Sentence], reader: WordPieces) -> None:
    apart = [corpus[0], Sentence(corpus[1].words, corpus[1].labels, follows=False)]
    assert len(chunks("c", apart, reader, label_names(corpus), longest=100)) == 2


def test_a_sentence_longer_than_a_run_is_cut(reader: WordPieces) -> None:
    found = chunks("c", [sentence(*LONG)], reader, ["O"], longest=6)
    assert [len(c.words) for c in found] == [4, 4, 3]
    assert all(len(c.pieces) == len(c.words) + 2 for c in found)


def test_an_entity_that_a_cut_divides_starts_anew(reader: WordPieces) -> None:
    long = Sentence(tuple(LONG[:6]), ("O", "O", "B-A", "I-A", "I-A", "O"))
    found = chunks("c", [long], reader, ["O", "B-A", "I-A"], longest=6)
    assert [c.labels for c in found] == [(0, 0, 1, 2), (1, 0)]


def test_capitals_change_the_shapes_only(corpus: list[Sentence], reader: WordPieces) -> None:
    (shouted,) = chunks("c", corpus, reader, label_names(corpus), 20, random.Random(1), capitals=1.0)
    assert shouted.shapes == (0, 2, 2, 0, 2, 2, 2, 0)
    assert shouted.labels == (1, 2, 0, 0, 3, 0)


def test_entities_of_bio_labels() -> None:
    labels = ["B-A", "I-A", "B-A", "O", "I-B", "I-A", "I-A"]
    assert spans(labels) == [(0, 2, "A"), (2, 3, "A"), (4, 5, "B"), (5, 7, "A")]


def test_only_the_exact_span_and_kind_score() -> None:
    score = Score()
    score.add([(0, 2, "A"), (3, 4, "A"), (5, 6, "B")], [(0, 2, "A"), (3, 5, "A"), (5, 6, "A")])
    assert score.of() == (1 / 3, 1 / 3, 1 / 3)
    assert score.of("A") == (1 / 2, 1 / 3, 2 / 5)
    assert score.of("B") == (0.0, 0.0, 0.0)
