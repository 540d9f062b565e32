"""Policies as data: `models/policies/<policy>/<version>/policy.toml`, versions side by side.

A pack says what the policy says (criteria, required documents, service codes, with the section each
comes from) and how questions that its text leaves open are ruled. `docs/add-a-policy.md` walks
through one; `pipeline.catalog.conditions` is the language of its conditions.
"""

from __future__ import annotations

from pydantic import Field

from pipeline.catalog.toml import Entry

NAME = r"^[a-z][a-z0-9_]*$"


class RequiredDocument(Entry):
    """A document that must be submitted. `accepted_types` are names of `models/documents/` that may
    hold it; `elements` are what it must hold; `max_age_days` counts from the day of receipt."""

    name: str = Field(pattern=NAME)
    title: str
    loinc: str | None = Field(default=None, pattern=r"^\d{1,6}-\d$")
    accepted_types: tuple[str, ...] = Field(min_length=1)
    elements: tuple[str, ...] = ()
    max_age_days: int | None = Field(default=None, gt=0)
    source: str
