"""From a sealed request to a parcel in a channel's hands: what a worker does with a sending of ours.

A target is `request:<channel>`; a reminder's is `remind<n>:<channel>`. The sending's key is
`<reference>/<step>/<channel>`: sent again, it is the same delivery.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pipeline.cases import Knowledge
from pipeline.correspondence.records import REQUEST, To, unsealed
from pipeline.correspondence.tables import requests
from pipeline.delivery import Channel, Parcel, Part, channels_in, parcel
from pipeline.errors import DeliveryError, RequestError
from pipeline.information_request.fhir import attachment_task, communication_request
from pipeline.information_request.pdf import letter_pdf
from pipeline.information_request.record import InformationRequest
from pipeline.information_request.x12 import x12_277
from pipeline.ledger import Ledger, Sending, load

Output = Callable[[Sending, Mapping[str, Any]], None]
_MOST_REMINDERS = 9


def target(channel: str, step: int) -> str:
    """The outbox target of a letter (step 0) or of a reminder by a channel."""
    return f"{'request' if step == 0 else f'remind{step}'}:{channel}"


def letters_out(ledger: Ledger, knowledge: Knowledge) -> dict[str, Output]:
    """An output for every target of ours that the settings have a channel for. Each raises DeliveryError."""
    return {
        target(name, step): _output(ledger, knowledge, channel)
        for name, channel in channels_in(knowledge.settings).items()
        for step in range(_MOST_REMINDERS + 1)
    }


def _output(ledger: Ledger, knowledge: Knowledge, channel: Channel) -> Output:
    def deliver(sending: Sending, _: Mapping[str, Any]) -> None:
        reference = sending.key.partition("/")[0]
        number = ledger.read(
            lambda db: db.execute(
                requests.select()
                .with_only_columns(requests.c.number)
                .where(requests.c.reference == reference)
            ).scalar()
        )
        record = None if number is None else load(ledger, sending.submission_id, REQUEST, number)
        if record is None:
            raise DeliveryError("The request is not in the ledger any more.", retryable=False)
        request, to = unsealed(record)
        channel.deliver(replace(parcel_of(request, to, knowledge), key=sending.key.replace("/", ":")))

    return deliver


def parcel_of(request: InformationRequest, to: To, knowledge: Knowledge) -> Parcel:
    """All forms of a request. A form that it cannot be said in is left out: the letter never is."""
    letters = knowledge.catalog.letters
    parts = [Part("letter.pdf", "application/pdf", letter_pdf(request, letters))]
    parts.append(_json("x12-277.json", x12_277(request, letters, to.provider)))
    resources: list[Mapping[str, Any]] = []
    with suppress(RequestError):  # it lacks what FHIR must have; `triage request preview` tells what
        resources = [form(request, letters, to.provider) for form in (attachment_task, communication_request)]
    parts += [_json(f"{one['resourceType'].lower()}.json", one) for one in resources]
    return parcel(request.reference or "", parts, resources, to.address)


def _json(name: str, content: Mapping[str, Any]) -> Part:
    return Part(name, "application/json", json.dumps(content, indent=1, ensure_ascii=False).encode())
