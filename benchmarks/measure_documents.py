"""Documents, patient, request and completeness against labelled packets; type and flags of notes.

    python benchmarks/measure_documents.py --pages PAGES.pkl... --expected FOLDER
    python benchmarks/measure_documents.py --notes notes.jsonl

PAGES.pkl holds a list of `Page` of one packet; FOLDER/<its stem>/expected.json is what is right.
Prints each difference (packet, kind and pages; never a patient's words) and then the rates.
"""

from __future__ import annotations

import argparse
import json
import pickle
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pipeline.catalog import Catalog
from pipeline.catalog.sections import load_sections
from pipeline.completeness import check_completeness
from pipeline.documents import classify_text, split_documents
from pipeline.domain import Document, Page
from pipeline.elements import note_flags
from pipeline.findings import extract_findings
from pipeline.identity import identify
from pipeline.nlp import annotate, load_nlp
from pipeline.nlp.sections import find_sections
from pipeline.request import read_request

Tally = Counter[tuple[str, str]]

MODELS = Path(__file__).parents[1] / "models"
POLICY = "cryosurgical-ablation"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def measure_notes(path: Path) -> None:
    """Document type and the three flags of plain notes."""
    catalog, sections = Catalog(MODELS), load_sections(MODELS)
    right: Counter[str] = Counter()  # of all notes, and of every other one by "even" and "odd"
    notes = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for index, note in enumerate(notes):
        half = ("even", "odd")[index % 2]
        gold, text = note["gold"], note["text"]
        kind, _ = classify_text(text, catalog.documents)
        flags = note_flags(text, find_sections(text, sections), catalog.elements, kind=kind)
        wanted = (*gold["h_and_p"].values(), gold["has_treatment_plan"])
        pairs = {
            "type": (kind, gold["doc_type"]),
            **dict(zip(flags._fields, zip(flags, wanted, strict=True), strict=True)),
        }
        for name, (found, want) in pairs.items():
            right[name] += found == want
            right[f"{name}, {half} rows"] += found == want
            if found != want:
                say(f"  {note['id']} {name}: {want} read as {found}")
    for name, count in sorted(right.items()):
        total = len(notes[0::2]) if "even" in name else len(notes[1::2]) if "odd" in name else len(notes)
        say(f"{name}: {count / total:.3f} of {total}")


def measure_packets(paths: Sequence[Path], expected: Path) -> None:
    """The four stages on the pages of each packet."""
    catalog, nlp = Catalog(MODELS), load_nlp(MODELS)
    tally: Tally = Counter()
    for path in paths:
        pages: list[Page] = pickle.loads(path.read_bytes())
        gold = json.loads((expected / path.stem / "expected.json").read_text(encoding="utf-8"))
        documents, announced = split_documents(pages, catalog.documents)
        tally["missing pages told", "count"] += len(announced)
        patient, conflict, documents = identify(documents, catalog.identity)
        request = read_request(documents, catalog.request)
        annotated = annotate(nlp, documents)
        findings = extract_findings(annotated, request, catalog.findings)
        required = catalog.policies[POLICY].required_documents
        held = check_completeness(annotated, required, findings, conflict, catalog.elements).documents

        compare_documents(path.stem, documents, gold["documents"], tally)
        for name in ("name", "dob", "member_id"):
            compare(path.stem, f"patient {name}", getattr(patient, name).value, gold["patient"][name], tally)
        for name in ("cpt", "icd10"):
            found = {field.value for field in getattr(request, name)}
            compare_sets(path.stem, name, found, set(gold["request"][name]), tally)
        for name in ("history_and_physical", "treatment_plan"):
            compare(path.stem, name, held[name].status, gold["completeness"][name], tally)
        wanted = gold["completeness"]["identity_conflict"]
        compare(path.stem, "identity_conflict", conflict.value, wanted, tally)
    report(tally)


def compare_documents(
    packet: str,
    documents: Iterable[Document],
    gold: Sequence[dict[str, Any]],
    tally: Tally,
) -> None:
    found = {(d.file, d.first_page, d.last_page): d.type for d in documents}
    wanted = {(d["file"], d["first_page"], d["last_page"]): d["type"] for d in gold}
    for pages, kind in wanted.items():
        tally["document pages", "right" if pages in found else "wrong"] += 1
        right = found.get(pages) == kind
        tally["document type", "right" if right else "wrong"] += 1
        if not right:
            say(f"  {packet} pages {pages[1:]}: {kind} read as {found.get(pages, 'other pages')}")
    tally["surplus documents", "count"] += len(found.keys() - wanted.keys())


def compare(packet: str, name: str, found: object, wanted: object, tally: Tally) -> None:
    tally[name, "right" if found == wanted else "wrong"] += 1
    if found != wanted:
        say(f"  {packet} {name} differs")


def compare_sets(packet: str, name: str, found: set[Any], wanted: set[str], tally: Tally) -> None:
    tally[name, "right"] += len(found & wanted)
    tally[name, "surplus"] += len(found - wanted)
    tally[name, "lacking"] += len(wanted - found)
    if found != wanted:
        say(f"  {packet} {name}: {len(found - wanted)} surplus, {len(wanted - found)} lacking")


def report(tally: Tally) -> None:
    for name in dict.fromkeys(name for name, _ in tally):
        counts = {kind: count for (key, kind), count in tally.items() if key == name and count}
        total = sum(counts.values())
        rate = f"{counts.get('right', 0) / total:.3f}" if total and "count" not in counts else ""
        say(f"{name}: {rate} {counts}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=Path, nargs="*", default=[])
    parser.add_argument("--expected", type=Path)
    parser.add_argument("--notes", type=Path)
    chosen = parser.parse_args()
    if chosen.notes:
        measure_notes(chosen.notes)
    if chosen.pages:
        if chosen.expected is None:
            parser.error("--pages needs --expected")
        measure_packets(chosen.pages, chosen.expected)


if __name__ == "__main__":
    main()
