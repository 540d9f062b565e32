"""A request as JSON and back, record for record."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter

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
