"""Findings against the truth of packets: for each field how many were right, wrong, missed, spurious.

    python benchmarks/measure_findings.py FOLDER [--pages DIR] [--gold-documents] [--show]

FOLDER holds one folder a packet with its files and `expected.json`. Pages are read from the files, or
taken from `DIR/<packet>.pkl` (a pickled list of Page) where pages were read before. With
`--gold-documents` the documents are those of `expected.json`, so that only the findings are measured.
"""

from __future__ import annotations

import argparse
import json
import pickle
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.catalog import Catalog
from pipeline.catalog.fields import FIELD_NAMES
from pipeline.catalog.findings import load_findings
from pipeline.documents import split_documents
from pipeline.domain import Document, Field, Page
from pipeline.findings import extract_findings
from pipeline.identity import identify
from pipeline.nlp import annotate, load_nlp
from pipeline.request import read_request

MODELS = Path(__file__).parent.parent / "models"
FREE_TEXT = {"histology", "treatment_area"}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", type=Path)
    parser.add_argument("--gold-documents", action="store_true")
    parser.add_argument("--show", action="store_true", help="print every difference (synthetic packets only)")
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args(arguments)
    rules, nlp, catalog = load_findings(MODELS), load_nlp(MODELS), Catalog(MODELS)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    started = time.perf_counter()
    for packet in sorted(path.parent for path in options.folder.glob("*/expected.json")):
        if options.only and packet.name not in options.only:
            continue
        expected = json.loads((packet / "expected.json").read_text(encoding="utf-8"))
        pages = _pages(packet, options.pages)
        documents = _documents(pages, expected, catalog, gold=options.gold_documents)
        request = read_request(documents, catalog.request)
        found = extract_findings(annotate(nlp, documents), request, rules)
        for name in FIELD_NAMES:
            if name not in expected["findings"]:
                continue
            verdict = _verdict(name, found[name], expected["findings"][name])
            counts[name][verdict] += 1
            if options.show and verdict not in ("right", "silent"):
                _show(packet.name, name, found[name], expected["findings"][name], verdict)
    _print(counts, time.perf_counter() - started)
    return 0


def _pages(packet: Path, cache: Path | None) -> list[Page]:
    if cache is not None:
        with (cache / f"{packet.name}.pkl").open("rb") as stored:
            pages: list[Page] = pickle.load(stored)
            return pages
    from pipeline.intake.folder import receive
    from pipeline.pages import read_submission
    from pipeline.settings import load_settings

    return list(read_submission(receive([packet]), load_settings({})).pages)


def _documents(
    pages: Sequence[Page], expected: dict[str, Any], catalog: Catalog, *, gold: bool
) -> tuple[Document, ...]:
    documents, _ = split_documents(pages, catalog.documents)
    if gold:
        dates = {(d.file, d.first_page): d.service_date for d in documents}
        documents = tuple(
            Document(
                f"d{number}",
                row["type"],
                "",
                tuple(
                    p
                    for p in pages
                    if p.file == row["file"] and row["first_page"] <= p.number <= row["last_page"]
                ),
                service_date=dates.get((row["file"], row["first_page"])),
            )
            for number, row in enumerate(expected["documents"], start=1)
            if any(p.file == row["file"] and row["first_page"] <= p.number <= row["last_page"] for p in pages)
        )
    _, _, marked = identify([replace(d, belongs_to_patient=None) for d in documents], catalog.identity)
    return marked


def _verdict(name: str, field: Field, truth: object) -> str:
    if field.value is None:
        return "silent" if truth is None else "missed"
    if truth is None:
        return "spurious"
    if name in FREE_TEXT:
        return "right" if _overlap(str(field.value), str(truth)) >= 0.5 else "wrong"
    return "right" if str(field.value).upper() == str(truth).upper() else "wrong"


def _overlap(one: str, other: str) -> float:
    """Share of the words of the shorter phrase that are in the other (F1 where both are long)."""
    left, right = (set(re.findall(r"[a-z0-9.]+", text.lower())) for text in (one, other))
    return len(left & right) / max(1, min(len(left), len(right)))


def _show(packet: str, name: str, field: Field, truth: object, verdict: str) -> None:
    write = sys.stdout.write
    write(
        f"{packet} {name}: {verdict}: {field.value!r} ({field.status}, {field.confidence}) truth {truth!r}\n"
    )
    for evidence in field.evidence[:3]:
        write(f"      {evidence.document}/{evidence.section}: {evidence.quote[:120]!r}\n")
    for other in field.alternatives[:4]:
        quotes = [e.quote[:80] for e in other.evidence[:2]]
        write(f"      not {other.value!r} ({other.reason}): {quotes}\n")


def _print(counts: dict[str, Counter[str]], seconds: float) -> None:
    write = sys.stdout.write
    write(
        f"{'field':<22}{'right':>6}{'wrong':>6}{'missed':>7}{'spurious':>9}{'silent':>7}{'precision':>10}{'recall':>8}\n"
    )
    for name, count in counts.items():
        answered = count["right"] + count["wrong"] + count["spurious"]
        there = count["right"] + count["wrong"] + count["missed"]
        precision = count["right"] / answered if answered else float("nan")
        recall = count["right"] / there if there else float("nan")
        write(
            f"{name:<22}{count['right']:>6}{count['wrong']:>6}{count['missed']:>7}{count['spurious']:>9}"
            f"{count['silent']:>7}{precision:>10.3f}{recall:>8.3f}\n"
        )
    write(f"{seconds:.1f} s\n")


if __name__ == "__main__":
    sys.exit(main())
