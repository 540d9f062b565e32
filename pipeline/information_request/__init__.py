"""Asking a provider for what is missing: one record, several forms.

    draft_request(case, policy, letters, types) -> InformationRequest | None     pure
    issued(draft, reference=..., today=..., deadlines=...) -> InformationRequest

`letter`, `fhir` and `x12` are the forms; each reads the record and nothing else.
"""

from pipeline.information_request.build import draft_request
from pipeline.information_request.record import InformationRequest, issued

__all__ = ["InformationRequest", "draft_request", "issued"]
