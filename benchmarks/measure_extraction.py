"""Accuracy of single-text extraction on labelled reports and notes, and speed.

    python benchmarks/measure_extraction.py --reports REPORTS.jsonl --notes NOTES.jsonl [--errors 20]

REPORTS: one JSON object a line with text, site, t, n, m (registry labels; null where unknown).
NOTES: text and gold.oncology {site, status, other_neoplasms} (null where no neoplasm is named).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from pipeline.catalog.findings import load_findings
from pipeline.domain import AnnotatedDocument, Document, Field, Page
from pipeline.findings.extent import with_derived
from pipeline.findings.extent_nodes import derived_m
from pipeline.findings.site import neoplasms, principal_site
from pipeline.findings.stage import find_stage
from pipeline.nlp import annotate, load_nlp
from pipeline.settings import load_settings

MODELS = load_settings({}).models_dir
OTHER = {"vulva", "blood", "lymphoid", "other", "pleura"}  # sites of notes that the contract calls other


def as_document(id: str, text: str) -> Document:
    page = Page("text", 1, "text", 0, 0, 0, text, ())
    return Document(id, "other", "", (page,))


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def macro_f1(pairs: Iterable[tuple[str | None, str | None]]) -> float:
    """Mean F1 over the gold classes of (gold, answer)."""
    right: Counter[str] = Counter()
    gold_count: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    for gold, answer in pairs:
        if gold is None:
            continue
        gold_count[gold] += 1
        if answer is not None:
            answers[answer] += 1
            right[gold] += gold == answer
    scores = [2 * right[c] / (gold_count[c] + answers[c]) for c in gold_count]
    return sum(scores) / len(scores) if scores else 0.0


def measure_reports(nlp: Any, records: Sequence[dict[str, Any]], show: int) -> None:
    started = time.perf_counter()
    annotated = annotate(nlp, [as_document(r["id"], r["text"]) for r in records])
    seconds = time.perf_counter() - started
    tokens = sum(len(nlp.make_doc(r["text"])) for r in records)
    print(f"speed: {tokens / seconds:,.0f} tokens/s ({len(records)} reports)")
    _report_sites(records, annotated, show)
    rules = load_findings(MODELS)
    weights, extent = rules.one_text, rules.extent
    sites = [principal_site(a, weights.site).value for a in annotated]
    stages = [
        find_stage(a, str(site), rules.staging, weights.stage)
        for site, a in zip(sites, annotated, strict=True)
    ]
    for letter in "tnm":
        written = [getattr(stage, letter) for stage in stages]
        full = list(written)
        if letter in "tn":
            derived = [
                with_derived(stage.t, stage.n, a, str(site), extent)
                for stage, a, site in zip(stages, annotated, sites, strict=True)
            ]
            full = [pair["tn".index(letter)] for pair in derived]
        if letter == "m":
            full = [
                derived_m(a, str(site), extent) if field.value is None or field.value == "MX" else field
                for field, a, site in zip(written, annotated, sites, strict=True)
            ]
        _report_category(letter, records, written, full, show)


def _category(field: Field) -> str | None:
    """The category of a field without its letter suffix, None for X."""
    value = str(field.value)[:2] if field.value else None
    return None if value and value.endswith("X") else value


def _report_category(
    letter: str, records: Sequence[dict[str, Any]], written: Sequence[Field], full: Sequence[Field], show: int
) -> None:
    known = [i for i, record in enumerate(records) if record[letter]]
    gold = {i: records[i][letter][:2] for i in known}
    stated = [(gold[i], _category(written[i])) for i in known if _category(written[i])]
    silent = [(gold[i], _category(full[i])) for i in known if not _category(written[i])]
    answered = [(g, a) for g, a in silent if a]
    both = [(gold[i], _category(full[i])) for i in known]
    print(
        f"{letter.upper()}: written {len(stated)}/{len(known)}, precision {_share(stated)}, "
        f"macro-F1 {macro_f1(stated):.3f}; "
        f"derived {len(answered)}/{len(silent)}, precision {_share(answered)}; "
        f"overall macro-F1 {macro_f1(both):.3f}, accuracy {_share(both)}"
    )
    if letter == "m":
        said = [g for g, a in both if a == "M1"]
        print(
            f"   M1: precision {said.count('M1')}/{len(said)}, "
            f"recall {said.count('M1')}/{list(gold.values()).count('M1')}"
        )
    shown = 0
    for i in known:
        if show > shown and gold[i] != _category(full[i]):
            shown += 1
            field, text = full[i], records[i]["text"]
            quotes = [text[max(0, e.start - 60) : e.end + 40] for e in field.evidence[:1]]
            extractor = field.evidence[0].extractor if field.evidence else ""
            print(
                "   ",
                records[i]["id"],
                records[i]["site"],
                "gold",
                records[i][letter],
                "got",
                field.value,
                extractor,
                quotes,
            )


def _share(pairs: Sequence[tuple[str | None, str | None]]) -> str:
    return f"{sum(g == a for g, a in pairs) / max(1, len(pairs)):.3f}"


def _report_sites(
    records: Sequence[dict[str, Any]], annotated: Sequence[AnnotatedDocument], show: int
) -> None:
    weights = load_findings(MODELS).one_text.site
    found = [principal_site(a, weights) for a in annotated]
    answered = sum(field.value is not None for field in found)
    right = sum(field.value == record["site"] for field, record in zip(found, records, strict=True))
    print(f"site: accuracy {right / len(records):.3f} of all, {right / answered:.3f} of {answered} answered")
    wrong: defaultdict[tuple[str, str], int] = defaultdict(int)
    for record, field in zip(records, found, strict=True):
        if field.value != record["site"]:
            wrong[record["site"], str(field.value)] += 1
            if show:
                print("   ", record["id"], record["site"], "got", field.value, field.confidence)
    print("   ", dict(wrong))


def measure_notes(nlp: Any, records: Sequence[dict[str, Any]], show: int) -> None:
    annotated = annotate(nlp, [as_document(r["id"], r["text"]) for r in records])
    rules = load_findings(MODELS)
    right = status_right = total = silent = 0
    bad_current = 0
    for record, source in zip(records, annotated, strict=True):
        gold = record["gold"]["oncology"]
        site, named = principal_site(source, rules.one_text.site).value, neoplasms(source, rules)
        if gold is None:
            silent += site is not None
            continue
        total += 1
        wanted = OTHER if gold["site"] in OTHER else {gold["site"]}
        same = site in wanted
        status = next((n.status for n in named if n.site == site and n.relation == "patient"), None)
        right += same
        status_right += status == gold["status"]
        not_current = {
            (o["site"], o["relation"]) for o in gold["other_neoplasms"] if o["status"] != "current"
        } - {(gold["site"], "patient")}
        bad = [n.site for n in named if n.status == "current" and (n.site, n.relation) in not_current]
        bad_current += len(bad)
        if show and (not same or status != gold["status"] or bad):
            print(
                "   ",
                record["id"],
                record["name"],
                "| gold",
                gold["site"],
                gold["status"],
                "| got",
                site,
                status,
                "| bad",
                bad,
            )
            print("        ", [(n.site, n.status, n.relation) for n in named])
    print(
        f"notes: site {right}/{total} = {right / total:.3f}, status {status_right / total:.3f}, "
        f"past or family called current {bad_current}, "
        f"site named where no neoplasm is {silent}/{len(records) - total}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reports", type=Path)
    parser.add_argument("--notes", type=Path)
    parser.add_argument("--errors", type=int, default=0)
    arguments = parser.parse_args()
    nlp = load_nlp(MODELS)
    if arguments.reports:
        measure_reports(nlp, read(arguments.reports), arguments.errors)
    if arguments.notes:
        measure_notes(nlp, read(arguments.notes), arguments.errors)


if __name__ == "__main__":
    main()
