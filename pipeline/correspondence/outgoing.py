"""From a sealed request to a parcel in a channel's hands: what a worker does with a sending of ours.

A target is `request:<channel>:<number of the request>`, a reminder's `remind<n>:...`; a try after a failure
that the channel told later has `.2` behind it. The sending's key is `<reference>/<step>/<channel>`, with `/2`
for such a try: sent again under its key, it is the same delivery.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select

from pipeline.cases import Knowledge
from pipeline.correspondence.records import REQUEST, Delivery, To, unsealed
from pipeline.correspondence.tables import handovers, requests
from pipeline.delivery import Channel, Parcel, Part, Receipt, channels_in, parcel
from pipeline.errors import CatalogError, DeliveryError, RequestError
from pipeline.information_request.fhir import attachment_task, communication_request
from pipeline.information_request.pdf import letter_pdf
from pipeline.information_request.record import InformationRequest
from pipeline.information_request.x12 import x12_277
from pipeline.ledger import Ledger, Outgoing, Sending, load
from pipeline.ledger.tables import outbox

Output = Callable[[Sending, Mapping[str, Any]], None]
_LONGEST_RECEIPT: Final = 300
_STEP: Final = {"request": 0} | {f"remind{step}": step for step in range(1, 100)}


def targets(
    db: Connection, submission_id: str, request: Row[Any], channels: Iterable[str], step: int
) -> list[Outgoing]:
    """What has to be sent so that each channel gets a letter (step 0) or a reminder: nothing where it has it
    or will have it, another try where it said that it failed."""
    prefix = f"{request.reference}/{step}/"
    known = db.execute(
        select(outbox.c.key, outbox.c.state, handovers.c.state.label("became"))
        .outerjoin(handovers, handovers.c.key == outbox.c.key)
        .where(outbox.c.submission_id == submission_id, outbox.c.key.like(f"{prefix}%"))
    ).all()
    told = "request" if step == 0 else f"remind{step}"
    outgoing = []
    for channel in channels:
        tries = [row for row in known if row.key.split("/")[2] == channel]
        if all(row.became == Delivery.FAILED for row in tries):
            number = len(tries) + 1
            again = f"/{number}" if tries else ""
            target = f"{told}:{channel}:{request.number}{again.replace('/', '.')}"
            outgoing.append(Outgoing(target, f"{prefix}{channel}{again}"))
    return outgoing


def letters_out(ledger: Ledger, knowledge: Knowledge) -> Callable[[str], Output | None]:
    """The output for a target of ours where the settings have its channel; an output raises DeliveryError."""
    channels = channels_in(knowledge.settings)

    def output(target: str) -> Output | None:
        step, _, rest = target.partition(":")
        channel = channels.get(rest.partition(":")[0])
        return _output(ledger, knowledge, channel) if step in _STEP and channel is not None else None

    return output


def _output(ledger: Ledger, knowledge: Knowledge, channel: Channel) -> Output:
    def deliver(sending: Sending, case: Mapping[str, Any]) -> None:
        reference, step, name = sending.key.split("/")[:3]
        number = ledger.read(
            lambda db: db.execute(select(requests.c.number).where(requests.c.reference == reference)).scalar()
        )
        record = None if number is None else load(ledger, sending.submission_id, REQUEST, number)
        if record is None:
            raise DeliveryError("The request is not in the ledger any more.", retryable=False)
        request, to = unsealed(record)
        try:
            parcel = parcel_of(request, to, knowledge, reminder=int(step))
        except CatalogError as error:  # of the plan's template: it stands in the way of letters alone
            raise DeliveryError(f"The letter cannot be written: {error}", retryable=True) from None
        receipt = channel.deliver(replace(parcel, key=sending.key.replace("/", ":")))
        ledger.write(lambda db: _hand_over(ledger, db, sending, name, receipt))

    return deliver


def _hand_over(ledger: Ledger, db: Connection, sending: Sending, channel: str, receipt: Receipt) -> None:
    """Note who has it, once: what is handed over again under the same key is the same parcel."""
    there = select(handovers.c.key).where(handovers.c.key == sending.key)
    if db.execute(there).first() is not None:
        return
    now = ledger.now(db)
    db.execute(
        insert(handovers).values(
            key=sending.key,
            reference=sending.key.partition("/")[0],
            submission_id=sending.submission_id,
            channel=channel,
            receipt=receipt.id if len(receipt.id) <= _LONGEST_RECEIPT else "",
            state=Delivery.ACKNOWLEDGED if receipt.acknowledged else Delivery.HANDED_OVER,
            handed_at=now,
            ask_at=None if receipt.acknowledged else now,
        )
    )


def parcel_of(request: InformationRequest, to: To, knowledge: Knowledge, *, reminder: int = 0) -> Parcel:
    """All forms of a request, or of a reminder of it. A form that it cannot be said in is left out: the
    letter never is."""
    letters = knowledge.catalog.letters
    parts = [Part("letter.pdf", "application/pdf", letter_pdf(request, letters, reminder=reminder))]
    parts.append(_json("x12-277.json", x12_277(request, letters, to.provider)))
    resources: list[Mapping[str, Any]] = []
    with suppress(RequestError):  # it lacks what FHIR must have; `triage request preview` tells what
        resources = [form(request, letters, to.provider) for form in (attachment_task, communication_request)]
    parts += [_json(f"{one['resourceType'].lower()}.json", one) for one in resources]
    return parcel(request.reference or "", parts, resources, to.address)


def _json(name: str, content: Mapping[str, Any]) -> Part:
    return Part(name, "application/json", json.dumps(content, indent=1, ensure_ascii=False).encode())
