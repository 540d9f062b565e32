"""The examples in docs/prefill.md are what the code makes; run as a program, this writes them anew."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefill_cases import CATALOG, KIDNEY, case_of, conflicting, evidence, found

from pipeline.prefill import (
    COLUMNS,
    By,
    Touch,
    form_of,
    mcode_bundle,
    questionnaire_response,
    rows_as_json,
    rows_of,
)

DOCS = Path(__file__).parent.parent / "docs" / "prefill.md"
AT = datetime(2026, 8, 7, 9, 30, tzinfo=UTC)
MEANINGS = {
    "case_id": "id of the case",
    "field": "linkId of the question",
    "value": "the answer; `true` or `false` for yes or no; empty without one",
    "status": "`found`, `conflicting`, `uncertain`, `not_found`; of an element `found`, `missing`, `unclear`",
    "candidates": "both values where the packet contradicts itself",
    "code_system": "system of the first code, as in the case",
    "code": "the first code of the value",
    "confidence": "0 to 1; empty without a value, and of an element",
    "origin": "`auto-server`, `override`, `manual`",
    "corrected_by": "role of who changed or refused it; `person` where the role is not known",
    "confirmed_by": "role of who confirmed it",
    "file": "file of the first words that show it",
    "page": "their page, from 1",
    "boxes": "their boxes, `x0 top x1 bottom; …` in points on the upright page",
    "policy": "policy and version",
    "model_version": "release and digest of the knowledge that the case was read by",
}


def examples() -> dict[str, str]:
    """The text of each example by its name."""
    touches = {"findings.intent": Touch(changed=By("nora", "reviewer", AT), replaced=True)}
    marked = evidence(3, extractor="person:nora")
    intent = found("curative", confidence=1.0, evidence=(marked,))
    case = case_of({**KIDNEY, "laterality": conflicting("left", "right"), "intent": intent})
    form = form_of(case, CATALOG, touches)
    response = questionnaire_response(form, CATALOG, at=AT)
    items = {item["linkId"]: item for group in response["item"] for item in group["item"]}
    bundle = mcode_bundle(form_of(case_of(KIDNEY), CATALOG), CATALOG, at=AT)
    [stage] = [
        one["resource"]
        for one in bundle["entry"]
        if one["resource"].get("meta", {}).get("profile", [""])[0].endswith("stage-group")
    ]
    [row] = [one for one in rows_as_json(rows_of(form)) if one["field"] == "findings.intent"]
    return {
        "answer": _json(items["findings.intent"]),
        "conflict": _json(items["findings.laterality"]),
        "stage": _json(stage),
        "columns": "\n".join(
            ["| column | holds |", "|---|---|", *(f"| `{name}` | {MEANINGS[name]} |" for name in COLUMNS)]
        ),
        "row": _json(row),
    }


def _json(value: Any) -> str:
    """JSON in few lines: what fits on one stands on one."""
    return "```json\n" + _laid_out(value, 0) + "\n```"


def _laid_out(value: Any, depth: int) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + 2 * depth <= 110 or not isinstance(value, dict | list) or not value:
        return flat
    inner = "  " * (depth + 1)
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_laid_out(one, depth + 1)}" for key, one in value.items()]
        return "{\n" + ",\n".join(inner + part for part in parts) + "\n" + "  " * depth + "}"
    return "[\n" + ",\n".join(inner + _laid_out(one, depth + 1) for one in value) + "\n" + "  " * depth + "]"


def with_examples(text: str) -> str:
    """The page with every example as the code makes it; what stands below a mark up to the next blank line
    after it is replaced."""
    for name, example in examples().items():
        block = rf"(<!-- example: {name} -->\n)(?:\n(?:```json\n.*?\n```|\|[^\n]*(?:\n\|[^\n]*)*)(?=\n|\Z))?"
        text, count = re.subn(block, lambda found_, new=example: f"{found_[1]}\n{new}", text, flags=re.DOTALL)
        assert count == 1, name
    return text


def test_the_examples_are_what_the_code_makes() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert with_examples(text) == text, "run python tests/test_prefill_docs.py"


def test_every_example_is_on_the_page() -> None:
    marks = re.findall(r"<!-- example: (\w+) -->", DOCS.read_text(encoding="utf-8"))
    assert sorted(marks) == sorted(examples())


def test_the_pages_names_are_those_of_the_code() -> None:
    """Our extensions, and the formats."""
    text = DOCS.read_text(encoding="utf-8")
    made = json.dumps(
        [
            questionnaire_response(
                form_of(
                    case_of({**KIDNEY, "n": conflicting("N0", "N1")}),
                    CATALOG,
                    {"findings.t": Touch(confirmed=By("nora", "reviewer", AT))},
                ),
                CATALOG,
                at=AT,
            )
        ]
    )
    used = set(re.findall(r"payer\.example\.org/fhir/StructureDefinition/([a-z-]+)", made))
    told = set(re.findall(r"^\| `([a-z-]+)` \|", text, flags=re.MULTILINE))
    assert used == {"evidence", "confidence", "basis", "code", "confirmed", "answer-status", "candidate"}
    assert used <= told


if __name__ == "__main__":
    DOCS.write_text(with_examples(DOCS.read_text(encoding="utf-8")), encoding="utf-8")
