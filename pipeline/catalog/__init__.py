"""The knowledge of `models/`, read once and checked: what the stages know, without any logic.

One submodule for each kind of knowledge: its records (pydantic) and its `load_...` function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.catalog.authors import AuthorRules, load_authors
from pipeline.catalog.calibration import Curve, load_calibration
from pipeline.catalog.claims import ClaimRules, load_claims
from pipeline.catalog.desk import DeskReasons, load_desk
from pipeline.catalog.documents import DocumentTypes, load_documents
from pipeline.catalog.elements import ElementRules, load_elements
from pipeline.catalog.facts import Facts, load_facts
from pipeline.catalog.fields import FieldRule, load_fields
from pipeline.catalog.findings import FindingRules, load_findings
from pipeline.catalog.identity import IdentityRules, load_identity
from pipeline.catalog.letters import Letters, load_letters
from pipeline.catalog.mcode import McodeRules, load_mcode
from pipeline.catalog.policies import Policies
from pipeline.catalog.policy_packs import load_policies
from pipeline.catalog.prefill import PrefillRules, load_prefill
from pipeline.catalog.profiles import Profile, load_profiles
from pipeline.catalog.request import RequestRules, load_request

__all__ = ["Catalog"]


@dataclass(frozen=True)
class Catalog:
    """All knowledge files under `models_dir`; each kind is read when first asked for.

    Every attribute raises CatalogError, with the file and all its faults, where a file is wrong.
    """

    models_dir: Path

    @cached_property
    def authors(self) -> AuthorRules:
        return load_authors(self.models_dir)

    @cached_property
    def calibration(self) -> Mapping[str, Curve]:
        return load_calibration(self.models_dir)

    @cached_property
    def claims(self) -> ClaimRules:
        return load_claims(self.models_dir)

    @cached_property
    def desk(self) -> DeskReasons:
        return load_desk(self.models_dir)

    @cached_property
    def documents(self) -> DocumentTypes:
        return load_documents(self.models_dir)

    @cached_property
    def elements(self) -> ElementRules:
        return load_elements(self.models_dir)

    @cached_property
    def facts(self) -> Facts:
        return load_facts(self.models_dir)

    @cached_property
    def fields(self) -> Mapping[str, FieldRule]:
        return load_fields(self.models_dir)

    @cached_property
    def findings(self) -> FindingRules:
        return load_findings(self.models_dir)

    @cached_property
    def identity(self) -> IdentityRules:
        return load_identity(self.models_dir)

    @cached_property
    def letters(self) -> Letters:
        return load_letters(self.models_dir, frozenset(self.documents))

    @cached_property
    def mcode(self) -> McodeRules:
        return load_mcode(self.models_dir)

    @cached_property
    def policies(self) -> Policies:
        return load_policies(self.models_dir)

    @cached_property
    def prefill(self) -> PrefillRules:
        return load_prefill(self.models_dir)

    @cached_property
    def profiles(self) -> dict[str, Profile]:
        return load_profiles(self.models_dir)

    @cached_property
    def request(self) -> RequestRules:
        return load_request(self.models_dir)
