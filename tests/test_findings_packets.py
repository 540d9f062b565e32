from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from findings_texts import MODELS

from pipeline.catalog.findings import FindingRules, load_findings
from pipeline.domain import Document, Evidence, Field, Page, Request, Status
from pipeline.findings import extract_findings
from pipeline.nlp import annotate, load_nlp

EXAMPLES = Path(__file__).parent.parent / "fixtures" / "fields" / "packets.toml"
PACKETS = tomllib.loads(EXAMPLES.read_text(encoding="utf-8"))["packet"]


@cache
def knowledge() -> tuple[FindingRules, Any]:
    return load_findings(MODELS), load_nlp(MODELS)


def _page(number: int, text: str) -> Page:
    return Page("fax.pdf", number, "text", 0, 612, 792, text, ())


def findings_of(packet: dict[str, Any]) -> dict[str, Field]:
    rules, nlp = knowledge()
    documents = [
        Document(f"d{number}", type, "", (_page(number, text),), service_date=date)
        for number, (type, date, text) in enumerate(packet["documents"], start=1)
    ]
    return dict(extract_findings(annotate(nlp, documents), _request(documents), rules))


def _request(documents: list[Document]) -> Request:
    """The CPT code that a form states."""
    for document in documents:
        match = re.search(r"CPT (\d{5})", document.text)
        if document.type == "pa_request_form" and match:
            evidence = Evidence("fax.pdf", 1, document.id, match.start(1), match.end(1), match[1])
            return Request(cpt=(Field(match[1], Status.FOUND, 0.9, evidence=(evidence,)),))
    return Request()


@pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: packet["name"])
def test_findings_of_a_packet(packet: dict[str, Any]) -> None:
    found = findings_of(packet)
    expected = {name: value or None for name, value in packet["findings"].items()}
    assert {name: found[name].value for name in expected} == expected


@pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: packet["name"])
def test_two_sides_are_shown_as_two_sides(packet: dict[str, Any]) -> None:
    found = findings_of(packet)
    conflicting = {name for name, field in found.items() if field.status is Status.CONFLICTING}
    assert conflicting == set(packet.get("conflicting", ()))


@pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: packet["name"])
def test_every_value_has_its_words(packet: dict[str, Any]) -> None:
    texts = {f"d{number}": text for number, (_, _, text) in enumerate(packet["documents"], start=1)}
    for field in findings_of(packet).values():
        assert (field.value is None) == (not field.evidence)
        for evidence in field.evidence:
            assert texts[str(evidence.document)][evidence.start : evidence.end] == evidence.quote


@pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: packet["name"])
def test_quotes_are_tight(packet: dict[str, Any]) -> None:
    found = findings_of(packet)
    quotes = packet.get("quotes", {})
    assert {name: found[name].evidence[0].quote for name in quotes} == quotes


@pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: packet["name"])
def test_an_alternative_says_something_else(packet: dict[str, Any]) -> None:
    for field in findings_of(packet).values():
        assert field.value not in {one.value for one in field.alternatives} or field.value is None
        assert "printed" not in {one.reason for one in field.alternatives}
