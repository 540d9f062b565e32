"""The channels that the settings ask for, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pipeline.delivery.parcel import Later, Parcel, Receipt
from pipeline.settings import Settings


class Channel(Protocol):
    """A way out."""

    def deliver(self, parcel: Parcel) -> Receipt:
        """Raises DeliveryError."""

    def later(self, receipt: str) -> Later:
        """What the other side says of a parcel by the id of its receipt. Raises DeliveryError."""


def channels_in(settings: Settings) -> dict[str, Channel]:
    """By name: `folder`, `webhook`, `fhir`, `mail`. Raises ConfigurationError for a wrong setting."""
    found: dict[str, Channel] = {}
    if settings.request_folder:
        from pipeline.delivery.folder import Folder

        found["folder"] = Folder(Path(settings.request_folder))
    if settings.request_webhook_url:
        from pipeline.delivery.webhook import Webhook

        found["webhook"] = Webhook.of(settings)
    if settings.request_fhir_url:
        from pipeline.delivery.fhir_endpoint import FhirEndpoint

        found["fhir"] = FhirEndpoint.of(settings)
    if settings.request_mail_server:
        from pipeline.delivery.mail import Mail

        found["mail"] = Mail.of(settings)
    return found
