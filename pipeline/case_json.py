"""The case as JSON, exactly as the contract publishes it, and back.

The records of `pipeline.domain` are the shape; three things differ on paper: `schema_version` and
`information_request` are added, and the required documents stand beside `identity_conflict`
instead of under `documents`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.domain import Case, Evaluation
from pipeline.errors import TriageError

SCHEMA_VERSION = "1"
_CONFLICT = "identity_conflict"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@cache
def _case() -> TypeAdapter[Case]:
    return TypeAdapter(Case)


@cache
def _evaluation() -> TypeAdapter[Evaluation]:
    return TypeAdapter(Evaluation)


def to_json(case: Case) -> dict[str, Any]:
    """The contract's object for `case`: only dicts, lists, strings, numbers, booleans and None."""
    data: dict[str, Any] = _case().dump_python(case, mode="json")
    completeness = data["completeness"]
    data["completeness"] = {**completeness["documents"], _CONFLICT: completeness[_CONFLICT]}
    return {"schema_version": SCHEMA_VERSION, **data, "information_request": None}


def from_json(data: Any) -> Case:
    """The case that `to_json` wrote. Keys that are not known are passed over.

    Raises TriageError naming the JSON path of every problem; values are never quoted.
    """
    if not isinstance(data, dict):
        raise TriageError("The case is not a JSON object.")
    if data.get("schema_version") != SCHEMA_VERSION:
        raise TriageError(
            f"schema_version: only version {SCHEMA_VERSION} of the case is understood.",
            next_step="Make the case anew with `triage run`.",
        )
    completeness = data.get("completeness")
    if isinstance(completeness, dict):
        documents = {name: value for name, value in completeness.items() if name != _CONFLICT}
        nested = {"documents": documents}
        if _CONFLICT in completeness:
            nested[_CONFLICT] = completeness[_CONFLICT]
        data = {**data, "completeness": nested}
    try:
        return _case().validate_python(data)
    except ValidationError as error:
        raise TriageError(f"The case is not as the contract has it: {problems(error)}.") from None


def evaluation_to_json(evaluation: Evaluation) -> dict[str, Any]:
    """The contract's `evaluation` object."""
    data: dict[str, Any] = _evaluation().dump_python(evaluation, mode="json")
    return data


def evaluation_from_json(text: bytes | str) -> Evaluation:
    """The evaluation in an evaluator's answer. Raises ValidationError; use `problems` to tell of it."""
    return _evaluation().validate_json(text)


def problems(error: ValidationError) -> str:
    """What is wrong and where, without the values that were given."""
    return "; ".join(
        f"{_path(problem['loc'])}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    )


def _path(steps: tuple[str | int, ...]) -> str:
    return ".".join(_name(step) for step in steps if step != "documents") or "case"


def _name(step: str | int) -> str:
    """A step of a JSON path. Whoever made the case named its findings: what is no name is not shown."""
    return str(step) if isinstance(step, int) or _NAME.fullmatch(step) else "…"


def case_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) that every produced case keeps."""
    schema: dict[str, Any] = _case().json_schema(mode="serialization")
    definitions = schema["$defs"]
    # Which documents a policy requires is data of the policy, so their names are open here.
    definitions["Completeness"] = {
        "type": "object",
        "description": "Required documents by name, and whether pages of another patient are in the packet.",
        "properties": {_CONFLICT: {"$ref": "#/$defs/IdentityConflict"}},
        "required": [_CONFLICT],
        "additionalProperties": {"$ref": "#/$defs/Requirement"},
    }
    properties = {
        "schema_version": {"const": SCHEMA_VERSION},
        **schema["properties"],
        "information_request": {"type": ["object", "null"]},
    }
    return {"$schema": _DIALECT, **schema, "properties": properties, "required": list(properties)}
