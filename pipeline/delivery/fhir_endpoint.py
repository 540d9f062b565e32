"""A FHIR server of the provider or its gateway: each resource is created once, by its identifier.

`If-None-Exist` asks the server to create a resource only where none has its identifier. After a conflict
(409, 412) the server is asked whether it has the resource: then it was delivered before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from pipeline.delivery import http
from pipeline.delivery.parcel import Parcel, Receipt
from pipeline.errors import DeliveryError
from pipeline.settings import Settings

_JSON = "application/fhir+json"
_CONFLICTS = (409, 412)
_WHAT = "The FHIR server"


@dataclass(frozen=True)
class FhirEndpoint:
    """The channel `fhir`. Only resources of the named `kinds` are sent."""

    url: str
    token: str = field(default="", repr=False)
    kinds: tuple[str, ...] = ("Task",)
    timeout_s: float = 10.0
    transport: httpx.BaseTransport | None = None
    needs_resources = True

    @classmethod
    def of(cls, settings: Settings) -> FhirEndpoint:
        kinds = tuple(settings.request_fhir_resources.replace(",", " ").split())
        http.client(settings.request_fhir_url, settings.request_timeout_s, None).close()
        return cls(settings.request_fhir_url, settings.request_fhir_token, kinds, settings.request_timeout_s)

    def deliver(self, parcel: Parcel) -> Receipt:
        """All resources of its kinds are on the server."""
        wanted = [one for one in parcel.resources if one["resourceType"] in self.kinds]
        if not wanted:
            raise DeliveryError(
                "The request has no FHIR form that this channel sends.",
                retryable=False,
                next_step="Send it by another channel.",
            )
        with http.client(self.url, self.timeout_s, self.transport) as connection:
            places = [self._create(connection, resource, parcel.key) for resource in wanted]
        return Receipt(id=places[0])

    def _create(self, connection: httpx.Client, resource: Mapping[str, Any], key: str) -> str:
        kind, query = resource["resourceType"], _query(resource)
        base = f"{self.url.rstrip('/')}/{kind}"
        headers = self._headers() | {"Content-Type": _JSON, "If-None-Exist": query, "Idempotency-Key": key}
        try:
            answer = http.post(connection, base, json.dumps(resource).encode(), headers, what=_WHAT)
        except http.Refused as refused:
            if refused.status in _CONFLICTS and self._has(connection, f"{base}?{query}"):
                return ""
            raise
        return str(answer.headers.get("Location", ""))

    def _has(self, connection: httpx.Client, url: str) -> bool:
        """Whether a search finds the resource. Raises DeliveryError where there is no answer."""
        answer = http.get(connection, url, self._headers(), what=_WHAT)
        try:
            found = answer.json()
        except ValueError:
            return False
        return isinstance(found, dict) and bool(found.get("entry"))

    def _headers(self) -> dict[str, str]:
        return {"Accept": _JSON} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})


def _query(resource: Mapping[str, Any]) -> str:
    [identifier, *_] = resource["identifier"]
    return f"identifier={quote(identifier['system'], safe='')}%7C{quote(identifier['value'], safe='')}"
