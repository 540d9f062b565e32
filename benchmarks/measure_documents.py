"""Documents, patient, request and completeness against labelled packets; document type and flags of notes.

    python benchmarks/measure_documents.py --pages PAGES.pkl... --expected FOLDER
    python benchmarks/measure_documents.py --notes notes.jsonl

PAGES.pkl holds a list of `Page`; FOLDER/<stem of it>/expected.json is what is right.
"""

from __future__ import annotations

import argparse
import json
import pickle
from collections import Counter
from pathlib import Path

from pipeline.catalog.documents import load_documents
from pipeline.documents import classify_text, split_documents
from pipeline.domain import Page

MODELS = Path(__file__).parents[1] / "models"


def measure_notes(path: Path) -> None:
    types = load_documents(MODELS)
    wrong: Counter[tuple[str, str]] = Counter()
    total = 0
    for line in path.read_text().splitlines():
        note = json.loads(line)
        gold = note["gold"]["doc_type"]
        found, confidence = classify_text(note["text"], types)
        total += 1
        if found != gold:
            wrong[gold, found] += 1
            print(f"  {note['id']}: {gold} read as {found} ({confidence})")
    print(f"document type of notes: {1 - wrong.total() / total:.3f} of {total}; {dict(wrong)}")


def measure_packets(paths: list[Path], expected: Path) -> None:
    types = load_documents(MODELS)
    tally: Counter[str] = Counter()
    for path in paths:
        pages: list[Page] = pickle.loads(path.read_bytes())
        gold = json.loads((expected / path.stem / "expected.json").read_text())
        measure_packet(path.stem, pages, gold, types, tally)
    for name in ("range", "type"):
        print(f"{name}: {tally[name] / tally['documents']:.3f} of {tally['documents']}")
    print(f"surplus documents: {tally['surplus']}, problems: {tally['problems']}")


def measure_packet(name: str, pages: list[Page], gold: dict, types: object, tally: Counter[str]) -> None:
    documents, problems = split_documents(pages, types)
    found = {(d.file, d.first_page, d.last_page): d for d in documents}
    wanted = {(d["file"], d["first_page"], d["last_page"]): d["type"] for d in gold["documents"]}
    tally["problems"] += len(problems)
    for problem in problems:
        print(f"  {name} problem: {problem}")
    for key, kind in wanted.items():
        tally["documents"] += 1
        tally["range"] += key in found
        right = key in found and found[key].type == kind
        tally["type"] += right
        if not right:
            got = found[key].type if key in found else "-"
            print(f"  {name} {key[1:]} {kind} read as {got}")
    for key in found.keys() - wanted.keys():
        tally["surplus"] += 1
        print(f"  {name} surplus {key[1:]} {found[key].type}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=Path, nargs="*", default=[])
    parser.add_argument("--expected", type=Path)
    parser.add_argument("--notes", type=Path)
    arguments = parser.parse_args()
    if arguments.notes:
        measure_notes(arguments.notes)
    if arguments.pages:
        measure_packets(arguments.pages, arguments.expected)


if __name__ == "__main__":
    main()
