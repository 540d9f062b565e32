"""A resource as it is sent: in FHIR's order of elements, the same text each time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any


def written(resource: Mapping[str, Any]) -> str:
    """The resource as JSON that comes back from `fhir.resources` byte by byte.

    Raises ValueError where it is no valid resource of FHIR R4B; `check_resource` says why.
    """
    kind = str(resource.get("resourceType", ""))
    model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    data = json.loads(model.model_validate(dict(resource)).model_dump_json())
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
