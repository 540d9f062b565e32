"""Accuracy of the entity model on the corpora's official test parts, and its speed, size and start.

    python benchmarks/measure_ner.py --corpora FOLDER [--model FOLDER] [--part test] [--head NAME] [--kinds]

The sentences of a corpus are joined by blanks to one text, which the model reads as it reads a page; an
entity counts as right where its first and last character and its kind are the corpus's.
"""

from __future__ import annotations

import argparse
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from pipeline.nlp.entity_model import EntityModel
from tools.ner import corpora
from tools.ner.score import Score, spans

NER = Path(__file__).parent.parent / "models" / "ner"


def joined(
    sentences: Sequence[corpora.Sentence],
) -> tuple[str, list[tuple[int, int]], set[tuple[int, int, str]]]:
    """The text of a corpus, the spans of its sentences and its entities by their characters."""
    parts: list[str] = []
    bounds: list[tuple[int, int]] = []
    gold: set[tuple[int, int, str]] = set()
    offset = 0
    for sentence in sentences:
        starts = []
        start = offset
        for word in sentence.words:
            starts.append(offset)
            parts.append(word)
            offset += len(word) + 1
        for first, after, kind in spans(sentence.labels):
            gold.add((starts[first], starts[after - 1] + len(sentence.words[after - 1]), kind))
        bounds.append((start, offset - 1))
    return " ".join(parts), bounds, gold


def measure(model: EntityModel, head: str, file: Path, kinds: bool) -> float:
    """Prints the scores of one head on one file; its F1 in percent."""
    sentences = corpora.read(file)
    text, bounds, gold = joined(sentences)
    started = time.process_time()
    found = [(e.start, e.end, e.kind) for e in model.find(text, bounds) if e.head == head]
    seconds = time.process_time() - started
    result = Score()
    result.add(found, gold)
    words = sum(len(sentence.words) for sentence in sentences)
    precision, recall, f1 = (100 * value for value in result.of())
    print(
        f"{head} {file.stem}: P {precision:.2f} R {recall:.2f} F1 {f1:.2f} "
        f"({len(sentences)} sentences, {len(gold)} entities); {words / seconds:,.0f} words a processor second"
    )
    for kind, count in result.gold.most_common() if kinds else ():
        print(f"    {kind:36}" + "".join(f"{100 * v:7.1f}" for v in result.of(kind)) + f"  of {count}")
    return f1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=NER)
    parser.add_argument("--part", default="test", choices=("train", "devel", "test"))
    parser.add_argument("--head", help="one head only")
    parser.add_argument("--kinds", action="store_true", help="precision, recall and F1 of every kind")
    arguments = parser.parse_args()
    started = time.perf_counter()
    model = EntityModel(arguments.model / "entities")
    seconds = time.perf_counter() - started
    size = sum(file.stat().st_size for file in (arguments.model / "entities").iterdir())
    print(
        f"model {model.version}: {size / 1e6:.1f} MB on disk, "
        f"loaded in {seconds:.2f} s with the import of onnxruntime"
    )
    folders = tomllib.loads((NER / "train.toml").read_text(encoding="utf-8"))["corpora"]
    for head in model.kinds:
        if arguments.head in (None, head):
            measure(model, head, arguments.corpora / folders[head] / f"{arguments.part}.tsv", arguments.kinds)


if __name__ == "__main__":
    main()
