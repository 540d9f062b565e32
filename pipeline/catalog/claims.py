"""What a FHIR request says by which codes, and how it is answered (`models/fhir/claims.toml`)."""

from __future__ import annotations

from pathlib import Path

from pipeline.catalog.toml import Entry, read_toml


class Systems(Entry):
    """Code systems by what they code, as URLs and object identifiers."""

    procedure: tuple[str, ...]
    diagnosis: tuple[str, ...]
    npi: tuple[str, ...]


class MemberTypes(Entry):
    """Types of an identifier that are a member's number."""

    types: tuple[str, ...]
    type_system: str


class Urgency(Entry):
    """The extension that says how urgent a request is, and its codes that give it the short clock."""

    extension: str
    expedited: tuple[str, ...]


class Answer(Entry):
    """Profiles, extensions and codes of the answer."""

    bundle_profile: str
    profile: str
    review_action: str
    review_action_code: str
    adjudication_system: str
    adjudication: str
    action_system: str
    pended: str
    pended_display: str
    pended_note: str
    ended_note: str


class ClaimRules(Entry):
    """`models/fhir/claims.toml`."""

    systems: Systems
    member: MemberTypes
    urgency: Urgency
    answer: Answer


def load_claims(models_dir: Path) -> ClaimRules:
    """The rules. Raises CatalogError."""
    return read_toml(models_dir / "fhir" / "claims.toml", ClaimRules)
