"""The network: MiniLM's encoder, one head a corpus, and a linear-chain CRF over each head's labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from pipeline.nlp.wordpiece import SHAPES

WIDTH, LAYERS, HEADS, INNER, POSITIONS, PIECES = 384, 6, 12, 1536, 512, 30522
IMPOSSIBLE = -1e4  # the score of a step that BIO does not allow


class Layer(nn.Module):
    """One layer of BERT, normalised after each half."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-12)
        self.up = nn.Linear(WIDTH, INNER)
        self.down = nn.Linear(INNER, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, length, _ = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        mixed = mixed.transpose(1, 2).reshape(batch, length, WIDTH)
        x = self.norm1(x + self.dropout(self.out(mixed)))
        return self.norm2(x + self.dropout(self.down(functional.gelu(self.up(x)))))


class Encoder(nn.Module):
    """Pieces, shapes and a mask (1 where there is a piece) in; one vector a piece out."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.pieces = nn.Embedding(PIECES, WIDTH)
        self.positions = nn.Embedding(POSITIONS, WIDTH)
        self.shapes = nn.Embedding(SHAPES, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(dropout) for _ in range(LAYERS))

    def forward(self, pieces: Tensor, shapes: Tensor, mask: Tensor) -> Tensor:
        positions = self.positions.weight[: pieces.shape[1]]
        x = self.norm(self.pieces(pieces) + positions + self.shapes(shapes))
        x = self.dropout(x)
        bias = mask[:, None, None, :] > 0
        for layer in self.layers:
            x = layer(x, bias)
        return x


class Tagger(nn.Module):
    """The encoder with a head and a table of transitions for each corpus."""

    def __init__(self, labels: Mapping[str, Sequence[str]], dropout: float) -> None:
        super().__init__()
        self.labels = {corpus: list(names) for corpus, names in labels.items()}
        self.encoder = Encoder(dropout)
        self.heads = nn.ModuleDict({corpus: nn.Linear(WIDTH, len(names)) for corpus, names in labels.items()})
        self.steps = nn.ParameterDict(
            {corpus: nn.Parameter(torch.zeros(len(names), len(names))) for corpus, names in labels.items()}
        )
        self.dropout = nn.Dropout(dropout)
        for corpus, names in self.labels.items():
            self.register_buffer(f"forbidden_{corpus}", forbidden(names), persistent=False)

    def transitions(self, corpus: str) -> Tensor:
        """The score of label j after label i; steps that BIO does not allow score `IMPOSSIBLE`."""
        return self.steps[corpus].masked_fill(getattr(self, f"forbidden_{corpus}"), IMPOSSIBLE)

    def starts(self, corpus: str) -> NDArray[np.float32]:
        """What is added to the first word's scores: no text starts inside an entity."""
        return np.array(
            [IMPOSSIBLE * name.startswith("I-") for name in self.labels[corpus]], dtype=np.float32
        )

    def forward(self, corpus: str, pieces: Tensor, shapes: Tensor, mask: Tensor, words: Tensor) -> Tensor:
        """The score of each label of each word; `words` holds the place of each word's first piece."""
        x = self.encoder(pieces, shapes, mask)
        x = x.gather(1, words[:, :, None].expand(-1, -1, WIDTH))
        return self.heads[corpus](self.dropout(x))


def forbidden(names: Sequence[str]) -> Tensor:
    """True where label j cannot follow label i: I-X follows B-X or I-X only."""
    table = torch.zeros(len(names), len(names), dtype=torch.bool)
    for j, after in enumerate(names):
        if after.startswith("I-"):
            for i, before in enumerate(names):
                table[i, j] = before[2:] != after[2:]
    return table


def loss(
    scores: Tensor, transitions: Tensor, labels: Tensor, lengths: Tensor, names: Sequence[str]
) -> Tensor:
    """Minus the mean log-probability a word of the right labels. `scores`: batch x words x labels."""
    scores = scores.float()
    inside = torch.tensor([name.startswith("I-") for name in names])
    first = scores[:, 0].masked_fill(inside, IMPOSSIBLE)
    reached, right = first, first.gather(1, labels[:, :1])[:, 0]
    for t in range(1, scores.shape[1]):
        within = t < lengths
        following = torch.logsumexp(reached[:, :, None] + transitions[None], 1) + scores[:, t]
        reached = torch.where(within[:, None], following, reached)
        step = (
            scores[:, t].gather(1, labels[:, t : t + 1])[:, 0] + transitions[labels[:, t - 1], labels[:, t]]
        )
        right = right + torch.where(within, step, torch.zeros_like(step))
    return (torch.logsumexp(reached, 1) - right).sum() / lengths.sum()


def load_base(encoder: Encoder, weights: Path) -> None:
    """MiniLM's published weights into the encoder; every shape starts as BERT's first segment."""
    base = load_file(weights)
    take = base.__getitem__
    state = {
        "pieces.weight": take("embeddings.word_embeddings.weight"),
        "positions.weight": take("embeddings.position_embeddings.weight"),
        "shapes.weight": take("embeddings.token_type_embeddings.weight")[:1].repeat(SHAPES, 1),
    }
    names = {"norm": "embeddings.LayerNorm"}
    for i in range(LAYERS):
        there = f"encoder.layer.{i}"
        names |= {
            f"layers.{i}.out": f"{there}.attention.output.dense",
            f"layers.{i}.norm1": f"{there}.attention.output.LayerNorm",
            f"layers.{i}.up": f"{there}.intermediate.dense",
            f"layers.{i}.down": f"{there}.output.dense",
            f"layers.{i}.norm2": f"{there}.output.LayerNorm",
        }
        for part in ("weight", "bias"):
            parts = [take(f"{there}.attention.self.{name}.{part}") for name in ("query", "key", "value")]
            state[f"layers.{i}.qkv.{part}"] = torch.cat(parts)
    state |= {
        f"{ours}.{p}": take(f"{theirs}.{p}") for ours, theirs in names.items() for p in ("weight", "bias")
    }
    encoder.load_state_dict(state)
