"""Assertion and speed of this pipeline, and of medSpaCy where it is installed, on the same text.

    python benchmarks/compare_medspacy.py [SENTENCES.txt ...] [--text NOTES.jsonl]

SENTENCES: files of fixtures/sentences (all of them where none is given). Both pipelines are given the
same marked spans and say what the text says of each; a span that a pipeline drops counts as wrong.
medSpaCy knows negated, possible, historical, hypothetical and family; "conditional" is left out.
medSpaCy pins its own spaCy: run this with an environment of its own, once for each pipeline, by
`--only medspacy` or `--only triage`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
_MARK = re.compile(r"\{([^{}|]+)\|([a-z]+)\}")
_AXES = (  # medSpaCy's attributes in the order in which the project names one of several
    ("is_negated", "absent"),
    ("is_family", "family"),
    ("is_hypothetical", "hypothetical"),
    ("is_uncertain", "possible"),
    ("is_historical", "historical"),
)


class Marked(NamedTuple):
    """A text with the spans that are marked in it and what is said of each."""

    text: str
    spans: tuple[tuple[int, int], ...]
    says: tuple[str, ...]


Asserter = Callable[[Marked], Sequence[str | None]]


def read_marked(path: Path) -> list[Marked]:
    """The marked lines of one file of sentences."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [_marked(line) for line in lines if "{" in line and not line.startswith("#")]


def _marked(line: str) -> Marked:
    line = line.replace("\\n", "\n")
    text, spans, says, end = "", [], [], 0
    for match in _MARK.finditer(line):
        text += line[end : match.start()]
        spans.append((len(text), len(text) + len(match[1])))
        says.append(match[2])
        text += match[1]
        end = match.end()
    return Marked(text + line[end:], tuple(spans), tuple(says))


def triage_pipeline() -> tuple[Any, Asserter]:
    """This project's pipeline, and what it asserts of given spans."""
    from pipeline.catalog.context import load_context
    from pipeline.catalog.sections import load_sections
    from pipeline.domain import Mention
    from pipeline.nlp import load_nlp
    from pipeline.nlp.assertion import assert_mentions
    from pipeline.nlp.components import notes
    from pipeline.nlp.cues import ContextIndex

    models = ROOT / "models"
    nlp, context = load_nlp(models), ContextIndex(load_context(models))
    defaults = load_sections(models).assertions

    def asserts(marked: Marked) -> list[str | None]:
        seen = notes(nlp(marked.text))
        assert seen.words is not None
        mentions = [Mention("neoplasm", "tumor", *span) for span in marked.spans]
        read = assert_mentions(mentions, seen.words, seen.sentences, seen.sections, context, defaults)
        found = {(mention.start, mention.end): str(mention.assertion) for mention in read}
        return [found.get(span) for span in marked.spans]

    return nlp, asserts


def medspacy_pipeline() -> tuple[Any, Asserter]:
    """medSpaCy's default pipeline with its sections and ConText, and what it asserts of given spans."""
    import medspacy

    nlp = medspacy.load(medspacy_enable=["medspacy_pyrush", "medspacy_context", "medspacy_sectionizer"])
    steps = [(name, pipe) for name, pipe in nlp.pipeline if name != "medspacy_pyrush"]
    splitter = nlp.get_pipe("medspacy_pyrush")

    def asserts(marked: Marked) -> list[str | None]:
        doc = splitter(nlp.make_doc(marked.text))
        spans = [doc.char_span(*span, label="PROBLEM", alignment_mode="expand") for span in marked.spans]
        doc.ents = [span for span in spans if span is not None]
        for _, step in steps:
            doc = step(doc)
        return [_said(span) for span in spans]

    return nlp, asserts


def _said(span: Any) -> str | None:
    return None if span is None else next((name for axis, name in _AXES if getattr(span._, axis)), "present")


def measure(name: str, nlp: Any, asserts: Asserter, marked: Sequence[Marked], show: bool) -> float:
    """Prints macro and micro F1 and F1 of every assertion; returns micro F1."""
    right: Counter[str] = Counter()
    gold: Counter[str] = Counter()
    said: Counter[str] = Counter()
    for one in marked:
        for expected, got, span in zip(one.says, asserts(one), one.spans, strict=True):
            if expected == "conditional":
                continue
            gold[expected] += 1
            said[str(got)] += 1
            right[expected] += expected == got
            if show and expected != got:
                print(f"    {expected} got {got}: [{one.text[slice(*span)]}] in {one.text!r}")
    scores = {label: 2 * right[label] / (gold[label] + said[label]) for label in sorted(gold)}
    micro = sum(right.values()) / sum(gold.values())
    each = ", ".join(f"{label} {score:.2f}" for label, score in scores.items())
    macro = sum(scores.values()) / len(scores)
    print(f"{name}: {sum(gold.values())} spans, micro-F1 {micro:.3f}, macro-F1 {macro:.3f} ({each})")
    return micro


def measure_speed(name: str, nlp: Any, texts: Sequence[str]) -> float:
    """Prints words (split at white space) a second on one core, the same texts for every pipeline; returns
    it."""
    words = sum(len(text.split()) for text in texts)
    started = time.perf_counter()
    for _ in nlp.pipe(texts):
        pass
    rate = words / (time.perf_counter() - started)
    print(f"{name}: {rate:,.0f} words/s ({words:,} words)")
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sentences", type=Path, nargs="*")
    parser.add_argument("--text", type=Path, help="notes as JSON lines with `text`, for the speed")
    parser.add_argument("--only", choices=("triage", "medspacy"))
    parser.add_argument("--errors", action="store_true")
    parser.add_argument("--measured", type=Path, help="write what was measured to this file as JSON")
    arguments = parser.parse_args()
    paths = arguments.sentences or sorted((ROOT / "fixtures" / "sentences").glob("*.txt"))
    measured: dict[str, float] = {}
    for name, load in (("triage", triage_pipeline), ("medspacy", medspacy_pipeline)):
        if arguments.only not in (None, name):
            continue
        nlp, asserts = load()
        for path in paths:
            marked = read_marked(path)
            measured[path.stem] = measure(f"{name} {path.stem}", nlp, asserts, marked, arguments.errors)
        if arguments.text:
            lines = arguments.text.read_text(encoding="utf-8").splitlines()
            measured["words/s"] = measure_speed(name, nlp, [json.loads(line)["text"] for line in lines])
    if arguments.measured:
        arguments.measured.write_text(json.dumps(measured) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
