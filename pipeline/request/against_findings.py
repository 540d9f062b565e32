"""The request's codes against one another and against what the papers say of the tumour.

What is asked for stays as it is; a person is told which code does not go with the papers, and on which page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pipeline.catalog.request import RequestRules
from pipeline.domain import NOT_FOUND, Field, Problem, Request, Status
from pipeline.icd10 import load_icd10, nature_of
from pipeline.request.beside import side_of

SiteOf = Callable[[str], tuple[str, bool] | None]

# What the papers may say of a tumour's behaviour where a code tells its nature.
_BEHAVIORS = {"malignant": {"malignant", "uncertain"}, "in_situ": {"premalignant"}, "benign": {"benign"}}


class _Coded(NamedTuple):
    """A code of the request: its number there, its organ and whether it is a metastasis."""

    number: int
    field: Field
    value: str
    site: str
    secondary: bool


def against_findings(
    request: Request, findings: Mapping[str, Field], rules: RequestRules, site_of: SiteOf
) -> Iterator[Problem]:
    """One problem for each code that does not go with the others or with the papers."""
    diagnoses = [*_coded(request.icd10, site_of)]
    site = _found(findings, "tumor_site")
    for number, field in enumerate(request.cpt, 1):
        sites = rules.codes.sites_of(field.value) if isinstance(field.value, str) else frozenset()
        if not sites:
            continue
        if site and site not in sites:
            told = f"Procedure code {number} is not for the organ in which the papers place the tumor."
            yield _problem(field, "code_contradicts_papers", told)
        if diagnoses and sites.isdisjoint(one.site for one in diagnoses):
            told = f"Procedure code {number} and the diagnosis codes are for different organs."
            yield _problem(field, "codes_contradict", told)
    if site and diagnoses and site not in {one.site for one in diagnoses}:
        told = "No diagnosis code names the organ in which the papers place the tumor."
        yield _problem(diagnoses[0].field, "code_contradicts_papers", told)
    here = [one for one in diagnoses if one.site == site]
    for one in here:
        yield from _about_tumor(one, here, findings)


def _coded(fields: Sequence[Field], site_of: SiteOf) -> Iterator[_Coded]:
    for number, field in enumerate(fields, 1):
        if isinstance(field.value, str) and (coded := site_of(field.value)):
            yield _Coded(number, field, field.value, *coded)


def _about_tumor(one: _Coded, here: Sequence[_Coded], findings: Mapping[str, Field]) -> Iterator[Problem]:
    side, stated = side_of(load_icd10().meaning(one.value)), _found(findings, "laterality")
    others = {side_of(load_icd10().meaning(other.value)) for other in here}
    if side and stated in ("left", "right") and stated not in others:
        told = f"Diagnosis code {one.number} names the other side than the papers."
        yield _problem(one.field, "code_contradicts_papers", told)
    origin = _found(findings, "origin")
    malignant = nature_of(one.value) == "malignant"
    if malignant and origin == "metastatic" and not any(other.secondary for other in here):
        told = f"Diagnosis code {one.number} names a primary tumor; the papers call it a metastasis."
        yield _problem(one.field, "code_contradicts_papers", told)
    if origin == "primary" and all(other.secondary for other in here):
        told = f"Diagnosis code {one.number} names a metastasis; the papers call the tumor a primary one."
        yield _problem(one.field, "code_contradicts_papers", told)
    allowed, behavior = _BEHAVIORS.get(nature_of(one.value) or ""), _found(findings, "behavior")
    if allowed and behavior and behavior not in allowed:
        told = f"Diagnosis code {one.number} and the papers differ on whether the tumor is malignant."
        yield _problem(one.field, "code_contradicts_papers", told)


def _found(findings: Mapping[str, Field], name: str) -> str | None:
    field = findings.get(name, NOT_FOUND)
    return field.value if field.status is Status.FOUND and isinstance(field.value, str) else None


def _problem(field: Field, code: str, message: str) -> Problem:
    shown = field.evidence[0]
    return Problem(shown.file, shown.page, code, message)
