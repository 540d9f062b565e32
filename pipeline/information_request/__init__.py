"""Asking a provider for what is missing: one record, several forms.

    draft_request(case, policy, letters, types) -> InformationRequest | None     pure
    draft_of(case, catalog)                     the same, by the policy that the case names
    case_with_request(case, catalog) -> dict    the contract's case, with its draft
    issued(draft, reference=..., today=..., deadlines=...) -> InformationRequest

`letter`, `fhir` and `x12` are the forms; each reads the record and nothing else.
"""

from pipeline.information_request.as_json import case_with_request
from pipeline.information_request.build import draft_of, draft_request
from pipeline.information_request.record import InformationRequest, issued

__all__ = ["InformationRequest", "case_with_request", "draft_of", "draft_request", "issued"]
