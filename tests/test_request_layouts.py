"""Request papers in many layouts: member number, codes, provider, urgency, and nothing that is not there."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from pipeline.catalog.identity import load_identity
from pipeline.catalog.request import load_request
from pipeline.domain import Document, Field, Page, Status
from pipeline.identity import identify
from pipeline.request import read_request

ROOT = Path(__file__).parents[1]
RULES = load_request(ROOT / "models")
IDENTITY = load_identity(ROOT / "models")
FORMS: list[dict[str, Any]] = [
    form
    for path in sorted((ROOT / "fixtures" / "fields").glob("forms_*.toml"))
    for form in tomllib.loads(path.read_text(encoding="utf-8"))["form"]
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form["name"])
def test_what_a_paper_asks_for(form: dict[str, Any]) -> None:
    page = Page("fax.pdf", 1, "text", 0, 612, 792, form["text"], ())
    patient, _, documents = identify([Document("d1", form["type"], "", (page,))], IDENTITY)
    request = read_request(documents, RULES)
    assert patient.member_id.value == form.get("member_id")
    assert [code.value for code in request.cpt] == form["cpt"]
    assert [code.value for code in request.icd10] == form["icd10"]
    assert request.provider.value == form.get("provider")
    assert request.npi.value == form.get("npi")
    assert request.expedited.value == form.get("expedited")
    for field in (patient.member_id, *request.cpt, *request.icd10, request.provider, request.npi):
        assert_shown(field, form["text"])


def assert_shown(field: Field, text: str) -> None:
    for evidence in field.evidence:
        assert text[evidence.start : evidence.end] == evidence.quote
    assert field.evidence or field.status is Status.NOT_FOUND
