"""Findings of packets: this project beside what one would write first (`simple_readers`), on the same words.

    python benchmarks/bench_extraction.py [--count N] [--seed S] [--train-seed S] [--figures FILE]

Packets are made (`fixtures.make_packets`), all with a text layer, so that reading is not what is compared.
The bag of words learns from as many packets of another seed: other people, sides, sizes and words, but the
same stories, which flatters it. Precision counts an answer where nothing is stated as wrong.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from figures import Figure, write_figures
from simple_readers import FIELDS, BagOfWords, keywords_and_regex

from fixtures.make_packets import recipes, write_packet
from pipeline.case_json import to_json
from pipeline.cases import Knowledge, build_case, read
from pipeline.evaluate_set import Comparison, Row, expectations_in, figures
from pipeline.intake.folder import receive
from pipeline.settings import load_settings


class Packet(NamedTuple):
    """The words of a packet, what is true of it, and what this project says."""

    text: str
    truth: Mapping[str, Any]
    said: Mapping[str, Any]
    seconds: float


def packets(count: int, seed: int, knowledge: Knowledge) -> list[Packet]:
    """`count` made packets, all digital, read; `seconds` are of processor time from words to findings."""
    made = []
    with tempfile.TemporaryDirectory() as folder:
        for recipe in recipes(count, seed):
            write_packet(replace(recipe, render="digital", quirks=()), Path(folder))
        for one in expectations_in(Path(folder)):
            submission = receive([one.folder])
            reading = read(submission, knowledge.settings)
            before = time.process_time()
            case = to_json(build_case(submission, reading, knowledge))
            spent = time.process_time() - before
            text = "\n".join(page.text for page in reading.pages)
            said = {field: case["findings"][field]["value"] for field in FIELDS}
            made.append(Packet(text, one.truth["findings"], said, spent))
    return made


def compared(
    given: Sequence[Packet], answer: Callable[[Packet], Mapping[str, Any]]
) -> dict[str, tuple[float, float]]:
    """(precision, recall) of each field, values compared as `evaluate-set` compares them."""
    rows = []
    for packet in given:
        said = answer(packet)
        for field in FIELDS:
            true, found = packet.truth.get(field), said.get(field)
            same = true is not None and found is not None and str(true).casefold() == str(found).casefold()
            rows.append(Row(field, true, found, same or true is found is None))
    counted = figures([Comparison("all", "complete", tuple(rows))])
    return {one.name: (one.precision or 0.0, one.recall or 0.0) for one in counted}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--count", type=int, default=102)
    options.add_argument("--seed", type=int, default=11)
    options.add_argument("--train-seed", type=int, default=12)
    options.add_argument("--figures", type=Path)
    chosen = options.parse_args()
    knowledge = Knowledge(load_settings({}))
    given = packets(chosen.count, chosen.seed, knowledge)
    learnt = packets(chosen.count, chosen.train_seed, knowledge)
    bag = BagOfWords([one.text for one in learnt], [one.truth for one in learnt])
    readers: dict[str, Callable[[Packet], Mapping[str, Any]]] = {
        "this project": lambda packet: packet.said,
        "keywords and regex": lambda packet: keywords_and_regex(packet.text),
        "bag of words": lambda packet: bag(packet.text),
    }
    results = {name: compared(given, reader) for name, reader in readers.items()}
    print(f"{len(given)} packets of seed {chosen.seed}; precision / recall")
    print(f"{'':14}" + "".join(f"{name:>22}" for name in readers))
    for field in FIELDS:
        shares = [f"{results[name][field][0]:.3f} / {results[name][field][1]:.3f}" for name in readers]
        print(f"{field:14}" + "".join(f"{share:>22}" for share in shares))
    mean = sum(one.seconds for one in given) / len(given)
    print(f"words to findings: {1000 * mean:.0f} ms of processor time a packet")
    if chosen.figures:
        write_figures(
            chosen.figures,
            [*_figures(results), Figure("extraction", "words to findings", "ms a packet", 1000 * mean)],
        )


def _figures(results: Mapping[str, Mapping[str, tuple[float, float]]]) -> list[Figure]:
    ours = results["this project"]
    return [
        Figure("extraction", f"{field}, {what}", "share", ours[field][at], peer, results[peer][field][at])
        for field in FIELDS
        for at, what in enumerate(("precision", "recall"))
        for peer in results
        if peer != "this project"
    ]


if __name__ == "__main__":
    main()
