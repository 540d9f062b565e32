"""Whole packets for every rule of documents, with near misses beside them (`fixtures/packet_rules/`).

The pages are text as a digital upload would give; each packet goes through all stages up to the case.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest

from pipeline.case_json import to_json
from pipeline.cases import Knowledge, build_case
from pipeline.domain import Case, Page, Reading, SourceFile, Submission
from pipeline.settings import load_settings

RULES = Path(__file__).parents[1] / "fixtures" / "packet_rules"
FILE = "fax.pdf"
NOTE = "\nOFFICE NOTE     06/20/2026\nSeen today. No new complaints. The scan was reviewed with her.\n"


def read(name: str) -> dict[str, Any]:
    return tomllib.loads((RULES / f"{name}.toml").read_text(encoding="utf-8"))


PAGES: Mapping[str, str] = read("pages")


@cache
def knowledge() -> Knowledge:
    return Knowledge(load_settings({}))


def edited(text: str, edits: list[list[str]], *, each: bool) -> str:
    """`text` with every edit made; an edit that finds nothing is a mistake of the fixture."""
    for old, new in edits:
        assert not each or old in text, f"no page holds: {old}"
        text = text.replace(old, new)
    return text


def page_text(page: str | Mapping[str, Any], edits: list[list[str]]) -> str:
    if isinstance(page, str):
        return edited(PAGES[page].strip("\n"), edits, each=False)
    text = page["text"] if "text" in page else PAGES[page["page"]].strip("\n")
    text = edited(edited(text, page.get("edits", []), each=True), edits, each=False)
    return "\n".join(part for part in (page.get("before"), text, page.get("after")) if part)


def case_of(texts: list[str], source: Literal["text", "ocr"] = "text") -> Case:
    pages = tuple(
        Page(FILE, number, source, 0, 612, 792, text, (), mean_confidence=0.95)
        for number, text in enumerate(texts, 1)
    )
    file = SourceFile(FILE, Path(FILE), "0" * 64, "application/pdf")
    return build_case(Submission("s", (file,)), Reading(pages, (), {FILE: len(pages)}), knowledge())


def told(case: Case) -> dict[str, Any]:
    """What the case says, in the terms of the fixtures' `expected`."""
    missing = [(p.page, p.message) for p in case.problems if p.code == "missing_page"]
    absent = [p.message.split(":")[0] for p in case.problems if p.code == "announced_not_received"]
    held = case.completeness.documents
    return {
        "documents": [[document.type, *document.pages] for document in case.documents],
        "missing": [
            [page, message.removesuffix(" of this document was not received")] for page, message in missing
        ],
        "not_received": absent,
        "history_and_physical": held["history_and_physical"].status,
        "treatment_plan": held["treatment_plan"].status,
        "identity_conflict": case.completeness.identity_conflict.value,
        "others": [n for d in case.documents if d.belongs_to_patient is False for n in d.pages],
        "cpt": [field.value for field in case.request.cpt],
        "icd10": [field.value for field in case.request.icd10],
    }


def packets() -> Iterator[Any]:
    for name in ("splitting", "completeness"):
        for rule in read(name)["rule"]:
            assert len(rule["packet"]) > 1, f"no near miss: {rule['says']}"
            for packet in rule["packet"]:
                yield pytest.param(packet, id=f"{rule['says']} - {packet['name']}")


@pytest.mark.parametrize("packet", list(packets()))
def test_packet(packet: Mapping[str, Any]) -> None:
    edits = packet.get("edits", [])
    everything = told(case_of([page_text(page, edits) for page in packet["pages"]]))
    assert {name: everything[name] for name in packet["expected"]} == packet["expected"]


def headers(kind: Literal["ours", "theirs"]) -> Iterator[Any]:
    for rule in read("identity")["rule"]:
        for header in rule[kind]:
            yield pytest.param(header, rule.get("source", "text"), id=header.replace("\n", " / "))


def with_note(header: str, source: Literal["text", "ocr"]) -> dict[str, Any]:
    own = [page_text(page, []) for page in ("form", "visit", "plan")]
    return told(case_of([*own, header + NOTE], source))


@pytest.mark.parametrize(("header", "source"), list(headers("ours")))
def test_a_paper_of_the_patient(header: str, source: Literal["text", "ocr"]) -> None:
    found = with_note(header, source)
    assert (found["identity_conflict"], found["others"]) == (False, [])


@pytest.mark.parametrize(("header", "source"), list(headers("theirs")))
def test_a_paper_of_somebody_else(header: str, source: Literal["text", "ocr"]) -> None:
    found = with_note(header, source)
    assert (found["identity_conflict"], found["others"]) == (True, [4])
    assert found["history_and_physical"] == "present"


BANNER = "06/12/2026 09:14   FROM: RIGHT LUNG CRYOABLATION CENTER  8005550141   PAGE {}/9"


def test_a_fax_machines_line_is_published_and_is_evidence_of_nothing() -> None:
    texts = [page_text(page, []) for page in ("form", "visit", "plan")]
    plain = case_of(texts)
    sent = case_of([f"{BANNER.format(number)}\n{text}" for number, text in enumerate(texts, 3)])
    assert all(document.text.startswith("06/12/2026 09:14   FROM: RIGHT LUNG") for document in sent.documents)
    assert told(sent) == told(plain)
    assert {name: field.value for name, field in sent.findings.items()} == {
        name: field.value for name, field in plain.findings.items()
    }
    quotes = _quotes(to_json(sent))
    assert quotes == _quotes(to_json(plain))
    assert not any("LUNG" in quote for quote in quotes)


def _quotes(data: Any) -> list[str]:
    """The words of every evidence of a case's JSON."""
    if isinstance(data, list):
        return [found for item in data for found in _quotes(item)]
    if not isinstance(data, dict):
        return []
    own = [data["quote"]] if "quote" in data else []
    return own + [found for value in data.values() for found in _quotes(value)]
