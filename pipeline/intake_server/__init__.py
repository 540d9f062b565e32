"""Submissions that come over HTTP: uploads, faxes of a provider, FHIR requests; in one application.

    application(ledger, settings) -> FastAPI

Nothing is answered with a yes before the ledger has it on the disk. What a sender asks twice is one
submission: by its bytes, by its Idempotency-Key, by its fax id, by its Claim.identifier.
"""

from pipeline.intake_server.application import application

__all__ = ["application"]
