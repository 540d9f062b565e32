"""The trained network as the files that ship: an ONNX graph with 8-bit weights, labels, vocabulary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from tools.ner.network import Tagger

_EXAMPLE = (2, 16)  # runs and pieces; the graph takes any number of either


class _Shipped(nn.Module):
    """The encoder with the heads that ship side by side: the score of every label at every piece."""

    def __init__(self, tagger: Tagger, heads: list[str]) -> None:
        super().__init__()
        self.encoder = tagger.encoder
        self.heads = nn.ModuleList(tagger.heads[corpus] for corpus in heads)

    def forward(self, pieces: Tensor, shapes: Tensor, mask: Tensor) -> Tensor:
        x = self.encoder(pieces, shapes, mask)
        return torch.cat([head(x) for head in self.heads], -1)


def export(tagger: Tagger, config: Mapping[str, Any], output: Path) -> None:
    """Writes model.onnx and labels.json into `output`, and exact.onnx, of 32 bits, beside that folder."""
    heads = config["ship"]["heads"]
    network = _Shipped(tagger, heads).eval()
    # Three tensors of their own: the exporter takes one tensor that is given thrice for one input.
    example = tuple(torch.ones(_EXAMPLE, dtype=torch.int64) for _ in range(3))
    runs, pieces = torch.export.Dim("runs"), torch.export.Dim("pieces", max=config["longest"])
    exact = output.parent / "exact.onnx"
    torch.onnx.export(
        network,
        example,
        exact,
        input_names=["pieces", "shapes", "mask"],
        output_names=["scores"],
        dynamic_shapes=({0: runs, 1: pieces},) * 3,
        dynamo=True,
        external_data=False,
    )
    quantize_dynamic(
        exact, output / "model.onnx", weight_type=QuantType.QInt8, per_channel=True,
        op_types_to_quantize=["MatMul", "Gemm", "Gather"],
    )  # fmt: skip
    _forget_where(output / "model.onnx")
    labels = {
        "version": config["version"],
        "longest": config["longest"],
        "heads": {corpus: _head(tagger, corpus) for corpus in heads},
    }
    (output / "labels.json").write_text(json.dumps(labels, indent=1) + "\n", encoding="utf-8")


def _forget_where(path: Path) -> None:
    """Takes out of the graph what the exporter notes of each step: lines of code with a machine's paths."""
    model = onnx.load(path)
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        del part.metadata_props[:]
    del model.graph.metadata_props[:]
    onnx.save(model, path)


def _head(tagger: Tagger, corpus: str) -> dict[str, object]:
    with torch.inference_mode():
        steps = tagger.transitions(corpus)
    return {
        "labels": tagger.labels[corpus],
        "starts": tagger.starts(corpus).tolist(),
        "steps": [[round(value, 4) for value in row] for row in steps.tolist()],
    }
