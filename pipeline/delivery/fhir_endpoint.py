"""A FHIR server of the provider or its gateway: each resource is created once, by its identifier.

`If-None-Exist` asks the server to create a resource only where none has its identifier. After a conflict
(409, 412), and after a yes that does not show the resource, the server is asked whether it has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from pipeline.delivery import http
from pipeline.delivery.parcel import WAITING, Later, Parcel, Receipt, code_of
from pipeline.errors import DeliveryError
from pipeline.settings import Settings

_JSON = "application/fhir+json"
_CONFLICTS = (409, 412)
_TASK = "Task"
# Task.status (R4) as it tells of the request; `requested`, `draft` and what is not known tell nothing yet.
_DONE = "completed"
_TAKEN = frozenset({"received", "accepted", "ready", "in_progress", "on_hold", _DONE})
_FAILED = frozenset({"rejected", "failed", "cancelled", "entered_in_error"})
# Codes of an OperationOutcome's issue under which waiting can help.
_PASSING = frozenset(
    {"transient", "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled"}
)
_WHAT = "The FHIR server"


@dataclass(frozen=True)
class FhirEndpoint:
    """The channel `fhir`. Only resources of the named `kinds` are sent."""

    url: str
    token: str = field(default="", repr=False)
    kinds: tuple[str, ...] = ("Task",)
    timeout_s: float = 10.0
    transport: httpx.BaseTransport | None = None

    @classmethod
    def of(cls, settings: Settings) -> FhirEndpoint:
        kinds = tuple(settings.request_fhir_resources.replace(",", " ").split())
        http.client(settings.request_fhir_url, settings.request_timeout_s, None).close()
        return cls(settings.request_fhir_url, settings.request_fhir_token, kinds, settings.request_timeout_s)

    def deliver(self, parcel: Parcel) -> Receipt:
        """All resources of its kinds are on the server. What became of a Task is asked later."""
        wanted = [one for one in parcel.resources if one["resourceType"] in self.kinds]
        if not wanted:
            raise DeliveryError(
                "The request has no FHIR form that this channel sends.",
                retryable=False,
                next_step="Send it by another channel.",
            )
        with http.client(self.url, self.timeout_s, self.transport) as connection:
            for resource in wanted:
                self._create(connection, resource, parcel.key)
        tasks = [f"{_TASK}?{_query(one)}" for one in wanted if one["resourceType"] == _TASK]
        return Receipt(acknowledged=not tasks, id=tasks[0] if tasks else "")

    def later(self, receipt: str) -> Later:
        """By the status of the Task, as whoever works it sets it. Raises DeliveryError."""
        with http.client(self.url, self.timeout_s, self.transport) as connection:
            found = self._found(connection, _TASK, f"{self.url.rstrip('/')}/{receipt}")
        code = code_of(found[0].get("status")) if found else ""
        if code in _FAILED:
            return Later("failed", code)
        return Later("acknowledged", code, final=code == _DONE) if code in _TAKEN else WAITING

    def _create(self, connection: httpx.Client, resource: Mapping[str, Any], key: str) -> None:
        """The resource is on the server. Raises DeliveryError where that is not sure."""
        kind, query = resource["resourceType"], _query(resource)
        base = f"{self.url.rstrip('/')}/{kind}"
        headers = self._headers() | {"Content-Type": _JSON, "If-None-Exist": query, "Idempotency-Key": key}
        try:
            answer = http.post(connection, base, json.dumps(resource).encode(), headers, what=_WHAT)
        except http.Refused as refused:
            if refused.status not in _CONFLICTS:
                raise
            if self._found(connection, kind, f"{base}?{query}"):
                return
            raise _not_there(f"answered with status {refused.status}", retryable=True) from None
        told = _json_of(answer)
        errors = _errors_of(told)
        if told.get("resourceType") == kind or (answer.status_code == 201 and not errors):
            return
        # A yes that does not say to what: it may be somebody else's, or that of a search.
        if not self._found(connection, kind, f"{base}?{query}"):
            raise _not_there("said yes", retryable=not errors or bool(errors & _PASSING))

    def _found(self, connection: httpx.Client, kind: str, url: str) -> list[Mapping[str, Any]]:
        """The resources of a kind that a search finds. Raises DeliveryError where there is no answer."""
        told = _json_of(http.get(connection, url, self._headers(), what=_WHAT))
        entries = told.get("entry")
        listed = entries if isinstance(entries, list) else []
        resources = [one.get("resource") for one in listed if isinstance(one, dict)]
        return [one for one in resources if isinstance(one, dict) and one.get("resourceType") == kind]

    def _headers(self) -> dict[str, str]:
        return {"Accept": _JSON} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})


def _json_of(answer: httpx.Response) -> dict[str, Any]:
    """The resource in an answer; empty where it holds none."""
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _errors_of(told: Mapping[str, Any]) -> set[str]:
    """The codes of an OperationOutcome's errors."""
    issues = told.get("issue") if told.get("resourceType") == "OperationOutcome" else None
    return {
        str(issue.get("code"))
        for issue in (issues if isinstance(issues, list) else [])
        if isinstance(issue, dict) and issue.get("severity") in ("fatal", "error")
    }


def _not_there(told: str, *, retryable: bool) -> DeliveryError:
    return DeliveryError(
        f"{_WHAT} {told}, and a search does not find the request there.",
        retryable=retryable,
        next_step="The request waits and is sent again." if retryable else "Its own log tells more.",
    )


def _query(resource: Mapping[str, Any]) -> str:
    [identifier, *_] = resource["identifier"]
    return f"identifier={quote(identifier['system'], safe='')}%7C{quote(identifier['value'], safe='')}"
