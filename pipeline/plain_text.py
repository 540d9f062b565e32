"""`triage extract`: the findings of one plain text, with evidence as offsets into that text."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from pipeline.calibration import calibrated
from pipeline.cases import Knowledge
from pipeline.documents import classify_text
from pipeline.domain import Document, Field, Neoplasm, Page, Request
from pipeline.elements import note_flags
from pipeline.findings import extract_findings
from pipeline.findings.site import neoplasms
from pipeline.nlp import annotate

_FIELDS = TypeAdapter(dict[str, Field])
_NEOPLASMS = TypeAdapter(tuple[Neoplasm, ...])

# A plain text has no pages: what a reader of the output needs of an Evidence.
_PLACES = {"file", "page", "document", "boxes"}


def extract_text(id: str, text: str, knowledge: Knowledge) -> dict[str, Any]:
    """`{"id", "document_type", "findings", "neoplasms"}`; `start` and `end` count characters of `text`.

    The text is one document; its findings are about its principal neoplasm. `h_and_p` and
    `has_treatment_plan` tell whether it holds a history, an examination and a plan.
    """
    catalog = knowledge.catalog
    document_type, confidence = classify_text(text, catalog.documents)
    page = Page(file="text", number=1, source="text", rotation=0, width=0, height=0, text=text, words=())
    document = Document(id="d1", type=document_type, title="", pages=(page,), confidence=confidence)
    annotated = annotate(knowledge.nlp, [document])
    findings = calibrated(
        extract_findings(annotated, Request(), catalog.findings, derive_categories=True), catalog.calibration
    )
    flags = note_flags(text, annotated[0].sections, catalog.elements, kind=document_type)
    return {
        "id": id,
        "document_type": document_type,
        "document_confidence": confidence,
        "h_and_p": {
            "has_history": flags.has_history,
            "has_physical_exam": flags.has_physical_exam,
        },
        "has_treatment_plan": flags.has_treatment_plan,
        "findings": _without_places(_FIELDS.dump_python(dict(findings), mode="json")),
        "neoplasms": _without_places(
            _NEOPLASMS.dump_python(neoplasms(annotated[0], catalog.findings), mode="json")
        ),
    }


def _without_places(data: Any) -> Any:
    if isinstance(data, list):
        return [_without_places(item) for item in data]
    if not isinstance(data, dict):
        return data
    dropped = _PLACES if "quote" in data else set()
    return {key: _without_places(value) for key, value in data.items() if key not in dropped}
