"""T, N, M and the stage group as mCODE observations, as the record states them.

A stage that we worked out from T, N and M is none that the record states: it is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pipeline.catalog import Catalog
from pipeline.catalog.mcode import Staged
from pipeline.prefill.records import Answer, Form, Source
from pipeline.prefill.resources import Resource, absent, coding, concept, first

_MCODE: Final = "http://hl7.org/fhir/us/mcode/StructureDefinition"
_CATEGORIES: Final[tuple[Staged, ...]] = ("t", "n", "m")


def staging(
    form: Form, catalog: Catalog, *, subject: Resource, focus: Resource
) -> Iterator[tuple[str, Resource, list[Answer]]]:
    """(name, Observation, what it rests on) of each category, then of the group, that stands. `focus` is the
    primary cancer: no other is staged."""
    stage = first(form, "findings.stage_group")
    edition = stage.edition if stage is not None else None
    for field in (*_CATEGORIES, "stage_group"):
        answer = first(form, f"findings.{field}")
        if answer is not None:
            yield field, _observation(field, answer, str(edition or ""), catalog, subject, focus), [answer]


def _observation(
    field: Any, answer: Answer, edition: str, catalog: Catalog, subject: Resource, focus: Resource
) -> Resource:
    rules = catalog.mcode
    codes = rules.staging[field]
    observed = codes.of(answer.basis)
    value = str(answer.value)
    code = rules.value_code(field, answer.basis, value)
    snomed = catalog.prefill.systems["SNOMED CT"]
    coded = [coding(snomed, code)] if code else []
    return {
        "resourceType": "Observation",
        "meta": {"profile": [f"{_MCODE}/{codes.profile}"]},
        "status": "preliminary" if _unseen(answer) else "final",
        "code": concept(coding(snomed, observed.code, observed.display)),
        "subject": subject,
        "focus": [focus],
        "valueCodeableConcept": concept(*coded, text=f"{answer.basis or ''}{value}"),
        "method": _method(edition, catalog),
    }


def _unseen(answer: Answer) -> bool:
    """Whether no person has looked at it: what was read by itself is preliminary."""
    confirmed = answer.touch is not None and answer.touch.confirmed is not None
    return answer.source is Source.AUTO and not confirmed


def _method(edition: str, catalog: Catalog) -> Resource:
    """The staging system by the edition that the record names; mCODE requires one, and none is guessed."""
    known = catalog.mcode.editions.get(edition)
    if known is None:
        return {"extension": [absent()]}
    return concept(coding(catalog.prefill.systems["SNOMED CT"], known.code, known.display))
