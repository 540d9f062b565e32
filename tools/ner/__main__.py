"""Trains the entity model and writes it as a spaCy pipeline; benchmarks/measure_ner.py scores it.

    python -m tools.ner --corpora FOLDER --output FOLDER [--quick]

`--quick` proves in a few minutes that all of it runs: a fiftieth of the data, one epoch a stage.
The stages' weights (NAME.pt), exact.onnx and train.log lie in the folder too; entities/ is what ships.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import torch

from pipeline.nlp.wordpiece import WordPieces
from tools.ner import corpora, network, train
from tools.ner.export import export

CONFIG = Path(__file__).parents[2] / "models" / "ner" / "train.toml"


def main() -> None:
    arguments = _arguments()
    config = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(config["seed"])
    random.seed(config["seed"])
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    base = base_folder(config["base"])
    shipped = output / "entities"
    shipped.mkdir(exist_ok=True)
    for file in ("config.cfg", "meta.json"):
        shutil.copy(CONFIG.parent / file, output / file)
    shutil.copy(base / "vocab.txt", shipped / "vocab.txt")
    reader = WordPieces(shipped / "vocab.txt")
    data = train.read_corpora(arguments.corpora, config)
    labels = {corpus: corpora.label_names(parts["train"]) for corpus, parts in data.items()}
    data = train.trial(data) if arguments.quick else data
    tagger = network.Tagger(labels, config["dropout"])
    network.load_base(tagger.encoder, base / "model.safetensors")
    for stage in config["stage"]:
        kept = output / f"{stage['name']}.pt"
        if arguments.resume and kept.exists():
            tagger.load_state_dict(torch.load(kept, weights_only=True))
            continue
        if arguments.quick:
            stage["epochs"] = dict.fromkeys(stage["epochs"], 1)
        train.train_stage(tagger, data, reader, config, stage, output / "train.log")
        torch.save(tagger.state_dict(), kept)
        if "score" in stage:
            choose(tagger, data, reader, config, stage["score"])
    export(tagger, config, shipped)


def choose(
    tagger: network.Tagger, data: train.Corpora, reader: WordPieces, config: dict[str, Any], part: str
) -> None:
    """Prints the scores of the heads that ship on `part`: as they ship, and with less."""
    for corpus in config["ship"]["heads"]:
        sentences = data[corpus][part]
        alone = [corpora.Sentence(s.words, s.labels, follows=False) for s in sentences]
        for way, of in {"as it ships": sentences, "each sentence alone": alone}.items():
            cut = corpora.chunks(corpus, of, reader, tagger.labels[corpus], config["longest"])
            result = train.score(tagger, cut)
            precision, recall, f1 = (100 * value for value in result.of())
            sys.stdout.write(f"{corpus} {part}, {way}: P {precision:.2f} R {recall:.2f} F1 {f1:.2f}\n")
            sys.stdout.flush()


def base_folder(base: dict[str, str]) -> Path:
    """The folder of the encoder's files inside its package, which is not imported."""
    found = importlib.util.find_spec(base["package"])
    if found is None or not found.submodule_search_locations:
        sys.exit(f"{base['package']} is not installed: use `make train`, which installs it.")
    return Path(found.submodule_search_locations[0]) / base["folder"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True, help="the folder that holds the corpora")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="a trial on a fiftieth of the data")
    parser.add_argument(
        "--resume", action="store_true", help="stages already in the output are not run again"
    )
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
