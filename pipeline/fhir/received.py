"""Is a resource that came from outside valid FHIR (R4B)? What is said of it quotes nothing of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from pydantic import ValidationError

_KIND: Final = re.compile(r"[A-Z][A-Za-z]{1,60}")
_STEP: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
_SAID: Final = {
    "extra_forbidden": "there is an element here that FHIR does not have",
    "model_field_validation.missing": "a required element is missing here",
    "missing": "a required element is missing here",
}
_MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """Where in the resource, and what is wrong there."""

    place: str
    told: str


def faults_of(resource: Mapping[str, Any], place: str) -> list[Fault]:
    """What is wrong with a resource at `place`; empty where nothing is."""
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        return [Fault(place, "resourceType is missing")]
    try:
        model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    except (ImportError, AttributeError):
        return [Fault(place, "resourceType is none of FHIR R4")]
    try:
        model.model_validate(dict(resource))
    except ValidationError as error:
        return list(_told(error, place))[:_MOST]
    except Exception:  # the library raises what it happens on: seen are KeyError and AttributeError
        return [Fault(place, "something in it is no FHIR at all")]
    return []


def _told(error: ValidationError, place: str) -> Iterator[Fault]:
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        steps = list(problem["loc"])
        if problem["type"] == "extra_forbidden":
            steps.pop()  # the element's name is the sender's own word
        told = _SAID.get(problem["type"], "the value has not the form that FHIR asks for")
        yield Fault(place + "".join(map(_step, steps)), told)


def _step(step: int | str) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _STEP.fullmatch(step) else ""
