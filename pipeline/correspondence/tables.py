"""Tables of requests and replies, in the ledger's database: references, codes, days and states.

What a request says, to whom it goes and about whom it is, is a sealed record of the ledger (`texts`, kind
`request`, by the request's number).
"""

from __future__ import annotations

from sqlalchemy import Column, Date, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from pipeline.ledger.tables import Utc, metadata

requests = Table(
    "requests",
    metadata,
    Column("reference", String(12), primary_key=True),
    Column("submission_id", String(32), ForeignKey("submissions.id"), nullable=False),
    Column("number", Integer, nullable=False),  # of the submission's requests, from 1
    Column("case_number", Integer, nullable=False),  # the case that it was settled against last
    Column("state", String(12), nullable=False),  # see records.State
    Column("cause", String(40)),  # why it is not open any more: a code
    Column("issued_on", Date, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("expires_on", Date, nullable=False),
    Column("remind_on", Date),  # next
    Column("reminders", Integer, nullable=False),  # sent so far
    Column("closed_at", Utc),
    UniqueConstraint("submission_id", "number", name="one_request_a_number"),
    Index("requests_by_state", "state", "due_on"),
)

request_items = Table(
    "request_items",
    metadata,
    Column("reference", String(12), ForeignKey("requests.reference"), primary_key=True),
    Column("code", String(120), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("state", String(12), nullable=False),  # open, answered, not_needed, withdrawn
    Column("closed_at", Utc),
)

replies = Table(
    "replies",
    metadata,
    Column("submission_id", String(32), ForeignKey("submissions.id"), primary_key=True),
    Column("state", String(12), nullable=False, index=True),  # joined, waiting (for a person), none
    Column("reference", String(12), ForeignKey("requests.reference")),
    Column("found_by", String(12)),  # barcode, reference, content, person
    Column("reason", String(40)),  # why it waits: see rejoin.match.Reason
    Column("at", Utc, nullable=False),
)

handovers = Table(
    "handovers",
    metadata,
    Column("key", String(160), primary_key=True),  # of the outbox: reference/step/channel
    Column("reference", String(12), ForeignKey("requests.reference"), nullable=False, index=True),
    Column("submission_id", String(32), ForeignKey("submissions.id"), nullable=False),
    Column("channel", String(40), nullable=False),
    Column("receipt", String(300), nullable=False),  # the channel's own id of it: names nobody
    Column("state", String(12), nullable=False),  # see records.Delivery
    Column("code", String(40)),  # the other side's word for it: no_answer, accepted, rejected
    Column("handed_at", Utc, nullable=False),
    Column("ask_at", Utc, index=True),  # when the channel is asked again; None: it says no more
    Column("late_at", Utc),  # since when it is told that nobody acknowledged it
    Column("ended_at", Utc),
)
