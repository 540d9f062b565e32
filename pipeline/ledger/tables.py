"""The ledger's tables. What they mean is said here; how they came to be, in `migrations/`.

No text of a patient stands in a column in clear: file names, readings and cases are sealed (`records`),
the rest is ids, hashes, codes, counts and times. Times are UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect


class Utc(TypeDecorator[datetime]):
    """A time with its zone, always UTC; SQLite keeps no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without its zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        result: datetime = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return result


Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows in a column of type INTEGER only
metadata = MetaData()


def _submission(**options: Any) -> Column[str]:
    return Column("submission_id", String(32), ForeignKey("submissions.id"), nullable=False, **options)


submissions = Table(
    "submissions",
    metadata,
    Column("id", String(32), primary_key=True),  # from the files' hashes, see domain.Submission
    Column("state", String(16), nullable=False),  # see records.State
    Column("reason", String(40)),  # why parked, rejected or released: a code
    Column("channel", String(40), nullable=False),  # of the first delivery
    Column("expedited", Boolean, nullable=False),
    Column("received_at", Utc, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("pended_at", Utc),  # since when it waits for someone outside
    Column("updated_at", Utc, nullable=False),
    Column("round", Integer, nullable=False),  # 1, and one more with each replay that works it anew
    Column("attempts", Integer, nullable=False),  # claims in this round
    Column("token", Integer, nullable=False),  # of the last claim: who holds an older one may not write
    Column("worker", String(120)),  # who holds it
    Column("claimable_at", Utc),  # from when on it may be claimed: a held one when its lease ends
    Column("file_count", Integer, nullable=False),
    Column("byte_count", BigInteger, nullable=False),
    Column("page_count", Integer),  # None until it is read
    Column("mark_words", BigInteger),  # fingerprint of its first page that has one (pages.fingerprint)
    Column("mark_digits", BigInteger),
    Column("case_number", Integer),  # of the latest case
    Column("outcome", String(32)),  # of its evaluation
    Column("decided", String(32)),  # the outcome that a person set beside it
    Column("missing", JSON(none_as_null=True)),  # codes of what the evaluation asks for
    Column("asks_for_haste", Boolean),  # a page says that it is urgent: shown, not obeyed
    Column("duplicate_of", String(32)),  # it is this submission, sent again
    Column("erased_at", Utc),
    Index(
        "submissions_claimable",
        text("expedited DESC"),
        "due_at",
        "id",
        sqlite_where=text("claimable_at IS NOT NULL"),
        postgresql_where=text("claimable_at IS NOT NULL"),
    ),
    Index("submissions_by_state", "state", "due_at"),
    Index("submissions_by_pages", "page_count", "received_at"),
)

files = Table(
    "files",
    metadata,
    _submission(primary_key=True),
    Column("position", Integer, primary_key=True),  # from 0
    Column("sha256", String(64), nullable=False, index=True),
    Column("media_type", String(80), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("pages", Integer),  # None until it is read, 0 where that cannot be known
)

pages = Table(
    "pages",
    metadata,
    _submission(primary_key=True),
    Column("position", Integer, primary_key=True),  # of its file
    Column("number", Integer, primary_key=True),  # from 1
    Column("state", String(12), nullable=False),  # read, blank, duplicate (of one in the packet), unread
    Column("fingerprint", String(40)),  # holds no words
    Column("problem", String(40)),
)

cases = Table(
    "cases",
    metadata,
    _submission(primary_key=True),
    Column("number", Integer, primary_key=True),  # from 1: readings of the same submission
    Column("round", Integer, nullable=False),
    Column("token", Integer, nullable=False),  # of the claim that made it
    Column("status", String(16), nullable=False),  # complete, partial, parked
    Column("policy_id", String(80)),
    Column("policy_version", String(40)),
    Column("outcome", String(32)),
    Column("created_at", Utc, nullable=False),
    Column("evaluated_at", Utc),
    UniqueConstraint("submission_id", "round", name="one_case_a_round"),
)

attempts = Table(
    "attempts",
    metadata,
    _submission(primary_key=True),
    Column("token", Integer, primary_key=True),
    Column("round", Integer, nullable=False),
    Column("worker", String(120), nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Column("result", String(16)),  # finished, resent, released, failed, lost
    Column("reason", String(40)),
)

events = Table(
    "events",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("submission_id", String(32), ForeignKey("submissions.id"), index=True),
    Column("at", Utc, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("state", String(16)),  # the submission's state after it, where it changed
    Column("actor", String(120), nullable=False),  # worker:NAME, channel:NAME, user:NAME, operator:NAME
    Column("cause", String(40)),
    Column("data", JSON, nullable=False),  # codes, counts, hashes, times
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(32), primary_key=True),  # drawn by who receives, so that a repeated call is one
    _submission(index=True),
    Column("at", Utc, nullable=False),
    Column("channel", String(40), nullable=False),
    Column("reference", String(200)),  # the channel's own id of it (a fax id): no text of a patient
    Column("resent_as", String(32)),  # the submission that turned out to be this one sent again
    UniqueConstraint("channel", "reference", name="one_delivery_a_reference"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    _submission(index=True),
    Column("case_number", Integer, nullable=False),
    Column("target", String(40), nullable=False),  # evaluator, folder, ...
    Column("key", String(160), nullable=False),  # idempotency key: the same case has the same
    Column("state", String(12), nullable=False),  # waiting, delivered, failed, cancelled
    Column("expedited", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("token", Integer, nullable=False),
    Column("worker", String(120)),
    Column("claimable_at", Utc),  # as of submissions
    Column("reason", String(40)),
    Column("created_at", Utc, nullable=False),
    Column("ended_at", Utc),
    UniqueConstraint("submission_id", "case_number", "target", name="one_sending_a_case"),
    Index(
        "outbox_claimable",
        text("expedited DESC"),
        "id",
        sqlite_where=text("claimable_at IS NOT NULL"),
        postgresql_where=text("claimable_at IS NOT NULL"),
    ),
)

records = Table(
    "records",
    metadata,
    _submission(primary_key=True),
    Column("kind", String(24), primary_key=True),  # names, reading, case, ...
    Column("number", Integer, primary_key=True),  # round of a reading, number of a case, 0 of names
    Column("content", LargeBinary, nullable=False),  # sealed, see sealing.Keyring.seal
    Column("key_name", String(32), nullable=False, index=True),
)

blobs = Table(
    "blobs",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("kept_at", Utc, nullable=False),
    Column("erased_at", Utc),
)

notices = Table(
    "notices",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("channel", String(40), nullable=False),
    Column("reference", String(200), nullable=False),  # the channel's own id of it: no text of a patient
    Column("state", String(12), nullable=False),  # waiting, fetched, parked, withdrawn
    Column("reason", String(40)),  # why it is parked or withdrawn, or was not had the last time
    Column("received_at", Utc, nullable=False),  # by whoever tells of it: the clock runs from then
    Column("told_at", Utc, nullable=False),  # of the newest word about it
    Column("since", Utc, nullable=False),  # when it was told of here, or a person asked for it again
    Column("attempts", Integer, nullable=False),
    Column("token", Integer, nullable=False),  # as of submissions
    Column("worker", String(120)),
    Column("claimable_at", Utc),
    Column("submission_id", String(32), ForeignKey("submissions.id")),  # what it became
    Column("ended_at", Utc),
    Column("content", LargeBinary),  # sealed: from where it is to be had; None once it is here
    Column("key_name", String(32), index=True),
    UniqueConstraint("channel", "reference", name="one_notice_a_reference"),
    Index("notices_by_state", "state", "claimable_at"),
)

# What is counted beside the truth, by who works: durations and pages. Lost by at most some seconds' worth
# where a worker is killed; see `monitoring.tally`.
tallies = Table(
    "tallies",
    metadata,
    Column("kind", String(24), primary_key=True),  # stage, pages
    Column("label", String(24), primary_key=True),  # read, build, ...; how a page ended
    Column("bucket", Integer, primary_key=True),  # of the stage's histogram, from 0; 0 of pages
    Column("number", BigInteger, nullable=False),
    Column("seconds", Float, nullable=False),
)
