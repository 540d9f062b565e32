"""The filled form in each form in which it leaves the house, as bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pipeline.catalog import Catalog
from pipeline.catalog.policies import Policy
from pipeline.errors import TriageError, UsageError
from pipeline.fhir import check_resource, written
from pipeline.prefill.crops import PageImage
from pipeline.prefill.mcode import mcode_bundle
from pipeline.prefill.questionnaire import questionnaire
from pipeline.prefill.records import Form
from pipeline.prefill.response import questionnaire_response
from pipeline.prefill.rows import Row, csv_text, rows_as_json, rows_of
from pipeline.prefill.sheet import form_pdf

_FHIR: Final = ("application/fhir+json", ".json")
FORMATS: Final[Mapping[str, tuple[str, str]]] = {
    "questionnaire-response": _FHIR,
    "questionnaire": _FHIR,
    "mcode": _FHIR,
    "pdf": ("application/pdf", ".pdf"),
    "csv": ("text/csv; charset=utf-8", ".csv"),
    "json": ("application/json", ".json"),
}
"""Media type and file ending by the format's name."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A form as it is sent, with its media type and the ending of a file that holds it."""

    content: bytes = field(repr=False)
    media_type: str
    ending: str


def rendered(
    form: Form, catalog: Catalog, name: str, *, at: datetime, page_image: PageImage | None = None
) -> Rendered:
    """The form in the format `name` of FORMATS, written `at`; `page_image` gives a PDF its pictures.

    FHIR is checked before it leaves. Raises UsageError for a format that there is none of.
    """
    match name:
        case "questionnaire-response":
            return _rendered(name, _fhir(questionnaire_response(form, catalog, at=at), catalog))
        case "questionnaire":
            return rendered_questionnaire(catalog.policies.version(form.asked.policy), catalog)
        case "mcode":
            return _rendered(name, _fhir(mcode_bundle(form, catalog, at=at), catalog))
        case "pdf":
            return _rendered(
                name, form_pdf(form, catalog.letters.fonts, at=at, page_image=page_image or _no_page)
            )
        case "csv" | "json":
            return rendered_rows(rows_of(form), name)
    raise UsageError(f"There is no format {name}.", next_step=f"Formats: {', '.join(FORMATS)}.")


def rendered_questionnaire(policy: Policy, catalog: Catalog) -> Rendered:
    """What a policy asks for, without a case."""
    return _rendered("questionnaire", _fhir(questionnaire(policy, catalog), catalog))


def rendered_rows(rows: Iterable[Row], name: str) -> Rendered:
    """Rows of one form or of many in one table: csv or json."""
    if name == "csv":
        return _rendered(name, csv_text(rows).encode())
    return _rendered(name, (json.dumps(rows_as_json(rows), indent=2, ensure_ascii=False) + "\n").encode())


def _no_page(file: str, page: int) -> None:
    """Without images the words are quoted."""


def _fhir(resource: Mapping[str, Any], catalog: Catalog) -> bytes:
    if faults := check_resource(resource, catalog.profiles):
        raise TriageError(
            f"The {resource['resourceType']} is not as its profiles require: {'; '.join(faults[:3])}.",
            next_step="Report it; the case itself can be had with --format json.",
        )
    return written(resource).encode()


def _rendered(name: str, content: bytes) -> Rendered:
    media_type, ending = FORMATS[name]
    return Rendered(content, media_type, ending)
