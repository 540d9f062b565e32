"""A request as JSON and back, record for record; and the contract's case with the draft of its request."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from pipeline.case_json import to_json
from pipeline.catalog import Catalog
from pipeline.domain import Case
from pipeline.information_request.build import draft_of
from pipeline.information_request.record import InformationRequest


@cache
def _adapter() -> TypeAdapter[InformationRequest]:
    return TypeAdapter(InformationRequest)


def request_to_json(request: InformationRequest) -> dict[str, Any]:
    """Only dicts, lists, strings, numbers, booleans and None; days in ISO 8601."""
    data: dict[str, Any] = _adapter().dump_python(request, mode="json")
    return data


def request_from_json(data: Any) -> InformationRequest:
    """What `request_to_json` was given."""
    return _adapter().validate_python(data)


def case_with_request(case: Case, catalog: Catalog) -> dict[str, Any]:
    """The contract's object for a case; `information_request` is what its provider would be asked for."""
    draft = draft_of(case, catalog)
    return to_json(case) | {"information_request": request_to_json(draft) if draft else None}
