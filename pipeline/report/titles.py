"""Names as clinic and payer use them, from the knowledge files where these have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.catalog import Catalog
from pipeline.domain import Case
from pipeline.errors import UsageError
from pipeline.settings import Settings
from pipeline.wording import label_of


@dataclass(frozen=True, slots=True)
class Titles:
    """Titles by name. What has no title is called by its name."""

    policy: str = ""
    documents: Mapping[str, str] = field(default_factory=dict)
    requirements: Mapping[str, str] = field(default_factory=dict)
    criteria: Mapping[str, str] = field(default_factory=dict)

    def document(self, name: str) -> str:
        return self.documents.get(name) or label_of(name).capitalize()

    def requirement(self, name: str) -> str:
        return self.requirements.get(name) or label_of(name)

    def criterion(self, criterion_id: str | None) -> str:
        return self.criteria.get(criterion_id or "", "")


def titles_for(case: Case, settings: Settings) -> Titles:
    """The titles for a case, from the knowledge files of the settings."""
    return titles_in(case, Catalog(settings.models_dir))


def titles_in(case: Case, catalog: Catalog) -> Titles:
    """Titles of the document types, and of the policy version that the case was judged under."""
    documents = {name: catalog.documents[name].title for name in catalog.documents}
    if case.policy is None:
        return Titles(documents=documents)
    try:
        policy = catalog.policies.version(case.policy)
    except UsageError:  # a case of an older policy is shown all the same
        return Titles(documents=documents)
    otherwise = {policy.otherwise.id: policy.otherwise.title}
    return Titles(
        policy=policy.title,
        documents=documents,
        requirements={required.name: required.title for required in policy.required_documents},
        criteria={criterion.id: criterion.title for criterion in policy.criteria} | otherwise,
    )
