"""Trains the entity model by models/ner/train.toml. `python -m tools.ner` is the command.

One corpus a batch, batches of all corpora shuffled together; runs of whole sentences, cut anew each epoch.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.nlp.viterbi import best_path
from pipeline.nlp.wordpiece import WordPieces
from tools.ner import corpora, network
from tools.ner.score import Score, spans

Corpora = Mapping[str, Mapping[str, Sequence[corpora.Sentence]]]


def read_corpora(folder: Path, config: Mapping[str, Any]) -> Corpora:
    """Every part of every corpus."""
    return {
        corpus: {part: corpora.read(folder / name / f"{part}.tsv") for part in ("train", "devel", "test")}
        for corpus, name in config["corpora"].items()
    }


def trial(data: Corpora) -> Corpora:
    """A fiftieth of every part."""
    return {
        corpus: {part: sentences[: len(sentences) // 50] for part, sentences in parts.items()}
        for corpus, parts in data.items()
    }


def training_part(data: Corpora, corpus: str, parts: Sequence[str]) -> list[corpora.Sentence]:
    """The sentences to learn `corpus` from: none that another corpus has in a part that is scored."""
    held_out = [
        sentence
        for other in data
        if other != corpus
        for part in {"devel", "test"} - set(parts)
        for sentence in data[other][part]
    ]
    return [s for part in parts for s in _cut(corpora.without(data[corpus][part], held_out))]


def _cut(part: list[corpora.Sentence]) -> list[corpora.Sentence]:
    """A part whose first sentence follows none."""
    first = part[0]
    return [corpora.Sentence(first.words, first.labels, follows=False), *part[1:]]


def batches(
    chunks: Sequence[corpora.Chunk], size: int, chance: random.Random
) -> Iterator[list[corpora.Chunk]]:
    """The chunks by length in batches of about `size` pieces, padding counted."""
    batch: list[corpora.Chunk] = []
    for chunk in sorted(chunks, key=lambda chunk: (len(chunk.pieces), chance.random())):
        if batch and (len(batch) + 1) * len(chunk.pieces) > size:
            yield batch
            batch = []
        batch.append(chunk)
    if batch:
        yield batch


def tensors(batch: Sequence[corpora.Chunk]) -> tuple[Tensor, ...]:
    """Pieces, shapes, mask, first pieces and labels, padded with 0; the number of words of each."""
    columns = ([c.pieces for c in batch], [c.shapes for c in batch], [(1,) * len(c.pieces) for c in batch],
               [c.words for c in batch], [c.labels for c in batch])  # fmt: skip
    padded = (
        torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in column], batch_first=True)
        for column in columns
    )
    return (*padded, torch.tensor([len(c.words) for c in batch]))


def train_stage(
    tagger: network.Tagger,
    data: Corpora,
    reader: WordPieces,
    config: Mapping[str, Any],
    stage: Mapping[str, Any],
    log: Path,
) -> None:
    """One stage; a line of JSON in `log` every 20 steps."""
    chance = random.Random(f"{config['seed']} {stage['name']}")
    plan: list[list[corpora.Chunk]] = []
    for corpus, epochs in stage["epochs"].items():
        part = training_part(data, corpus, stage["parts"])
        for _ in range(epochs):
            cut = corpora.chunks(
                corpus, part, reader, tagger.labels[corpus], config["longest"], chance, config["capitals"]
            )
            plan += batches(cut, config["batch"], chance)
    chance.shuffle(plan)
    optimizer = make_optimizer(tagger, config)
    warm = max(1, int(len(plan) * config["warm_up"]))
    rates = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda n: (n + 1) / warm if n < warm else (len(plan) - n) / (len(plan) - warm)
    )
    tagger.train()
    started, pieces, mean = time.perf_counter(), 0, 0.0
    for number, batch in enumerate(plan, start=1):
        value = step(tagger, optimizer, batch)
        rates.step()
        mean = value if number == 1 else 0.95 * mean + 0.05 * value
        pieces += sum(len(chunk.pieces) for chunk in batch)
        if number % 20 == 0 or number == len(plan):
            seconds = time.perf_counter() - started
            told = {"stage": stage["name"], "step": number, "of": len(plan), "loss": round(mean, 4),
                    "pieces_per_s": round(pieces / seconds), "seconds": round(seconds)}  # fmt: skip
            with log.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(told) + "\n")


def make_optimizer(tagger: network.Tagger, config: Mapping[str, Any]) -> torch.optim.Optimizer:
    """AdamW; heads learn at their own rate, vectors (norms, biases) do not decay."""
    groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
    for name, parameter in tagger.named_parameters():
        groups.setdefault((name.startswith("encoder"), parameter.dim() > 1), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": config["learning_rate"] if in_encoder else config["head_rate"],
                "weight_decay": config["decay"] if matrix else 0.0,
            }
            for (in_encoder, matrix), parameters in groups.items()
        ],
        fused=True,
    )


def step(tagger: network.Tagger, optimizer: torch.optim.Optimizer, batch: Sequence[corpora.Chunk]) -> float:
    """One step on one batch of one corpus; its loss."""
    corpus = batch[0].corpus
    pieces, shapes, mask, words, labels, lengths = tensors(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = tagger(corpus, pieces, shapes, mask, words)
    loss = network.loss(scores, tagger.transitions(corpus), labels, lengths, tagger.labels[corpus])
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(tagger.parameters(), 1.0)
    optimizer.step()
    return loss.item()


@torch.inference_mode()
def score(tagger: network.Tagger, chunks: Sequence[corpora.Chunk]) -> Score:
    """Exact-span scores on chunks of one corpus."""
    tagger.eval()
    total = Score()
    for batch in batches(chunks, 4096, random.Random(0)):
        corpus = batch[0].corpus
        names = tagger.labels[corpus]
        pieces, shapes, mask, words, _, _ = tensors(batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            scores = tagger(corpus, pieces, shapes, mask, words).float().numpy()
        steps = tagger.transitions(corpus).numpy()
        for chunk, of_words in zip(batch, scores, strict=True):
            of_words = of_words[: len(chunk.words)]
            path = best_path(of_words, steps, tagger.starts(corpus))
            total.add(spans([names[i] for i in path]), spans([names[i] for i in chunk.labels]))
    return total
