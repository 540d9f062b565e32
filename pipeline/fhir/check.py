"""Is a resource valid FHIR (R4B, which for our resources is R4) and as its profiles require?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from pipeline.catalog.profiles import Profile, RequiredElement

_STEP = re.compile(r"([A-Za-z]+)(?:\[([^\]=]+)=([^\]]*)\])?")


def check_resource(resource: Mapping[str, Any], profiles: Mapping[str, Profile]) -> list[str]:
    """What is wrong with a resource, each with its element; values are never quoted.

    It is checked against R4B, with what it contains, and against every profile that it, or a resource of a
    bundle, claims in `meta.profile` and that is known.
    """
    faults = [*_base_faults(resource), *_claimed_faults(resource, profiles)]
    for number, entry in enumerate(resource.get("entry", ())):
        faults += (
            f"entry.{number}.{fault}" for fault in _claimed_faults(entry.get("resource", {}), profiles)
        )
    return faults


def _claimed_faults(resource: Mapping[str, Any], profiles: Mapping[str, Profile]) -> Iterator[str]:
    for url in resource.get("meta", {}).get("profile", ()):
        if (profile := profiles.get(url)) is not None:
            yield from _profile_faults(resource, profile)


def _base_faults(resource: Mapping[str, Any]) -> Iterator[str]:
    kind = str(resource.get("resourceType", ""))
    try:
        model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    except (ImportError, AttributeError):
        yield "resourceType: no resource of FHIR R4B"
        return
    try:
        model.model_validate(dict(resource))
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            yield f"{'.'.join(map(str, problem['loc'])) or kind}: {problem['msg']}"


def _profile_faults(resource: Mapping[str, Any], profile: Profile) -> Iterator[str]:
    if resource.get("resourceType") != profile.resource:
        yield f"resourceType: the profile is of {profile.resource}"
        return
    for element in profile.elements:
        for base in [resource] if element.of is None else values_at(resource, element.of):
            yield from _element_faults(base, element)


def _element_faults(resource: Any, element: RequiredElement) -> Iterator[str]:
    found = values_at(resource, element.path)
    if len(found) < element.min:
        yield f"{element.path}: there must be {element.min}, there are {len(found)}"
    elif element.max is not None and len(found) > element.max:
        yield f"{element.path}: there may be {element.max}, there are {len(found)}"
    elif element.value is not None and any(str(value) != element.value for value in found):
        yield f"{element.path}: must be {element.value}"


def values_at(resource: Any, path: str) -> list[Any]:
    """All values at a path (`input[type.coding.code=payer-url].valueUrl`), through every list on the way."""
    values = [resource]
    for name, condition, wanted in _STEP.findall(path):
        steps = [value[name] for value in values if isinstance(value, Mapping) and name in value]
        values = [entry for step in steps for entry in (step if isinstance(step, list) else [step])]
        if condition:
            values = [value for value in values if wanted in map(str, values_at(value, condition))]
    return values


def objects_at(resource: Any, path: str) -> list[dict[str, Any]]:
    """The objects among them."""
    return [value for value in values_at(resource, path) if isinstance(value, dict)]
