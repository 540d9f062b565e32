"""The end of an attempt: the case, its pages, the history and what is to be sent, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from pipeline.ledger.changes import move
from pipeline.ledger.claims import check_held, end_attempt
from pipeline.ledger.database import unanswered
from pipeline.ledger.enqueueing import enqueue, enqueue_held, held_by
from pipeline.ledger.opening import Ledger
from pipeline.ledger.receiving import attach_delivery
from pipeline.ledger.records import RESENT, Claim, Outgoing, PageMark, Sending, State
from pipeline.ledger.tables import cases, files, pages
from pipeline.ledger.texts import CASE, save

# Built once: building a statement costs as much as running it.
_MADE: Final = insert(cases)
_MADE_BY: Final = select(cases.c.number).where(
    cases.c.submission_id == bindparam("of"), cases.c.token == bindparam("held")
)
_PAGES: Final = insert(pages)
_COUNTED: Final = update(files).where(
    files.c.submission_id == bindparam("of"), files.c.position == bindparam("at")
)


def finish(
    ledger: Ledger,
    claim: Claim,
    case: Mapping[str, Any],
    marks: Sequence[PageMark],
    page_counts: Sequence[int],
    outgoing: Outgoing | None,
) -> int:
    """Write the case down, and let `outgoing` (the rules evaluator) have it; returns the case's number.

    `page_counts` is by file. The case is the contract's JSON, not evaluated yet; the submission stays in
    flight until it is. Without `outgoing`, or where the case is parked, the submission ends here: parked,
    with its first problem's code as the reason, else done or partial.

    Asked again for the same claim, because an answer was lost, it changes nothing. Raises LeaseLost.
    """

    def work(db: Connection) -> int:
        if (done := _made_by(db, claim)) is not None:
            return done
        number, now = _finish(ledger, db, claim, case, marks, page_counts, is_sent=outgoing is not None)
        if outgoing is not None and _waits(case):
            enqueue(db, claim.submission_id, number, [outgoing], expedited=claim.expedited, now=now)
        return number

    return ledger.write(work)


def finish_to_send(
    ledger: Ledger,
    claim: Claim,
    case: Mapping[str, Any],
    marks: Sequence[PageMark],
    page_counts: Sequence[int],
    outgoing: Outgoing,
) -> list[Sending]:
    """`finish`; what is to be sent is the claim's worker's from the start (see `enqueue_held`)."""

    def work(db: Connection) -> list[Sending]:
        name, worker = claim.submission_id, claim.worker
        if (done := _made_by(db, claim)) is not None:
            return held_by(db, name, done, worker)
        number, now = _finish(ledger, db, claim, case, marks, page_counts, is_sent=True)
        if not _waits(case):
            return []
        return enqueue_held(ledger, db, name, number, [outgoing], worker, expedited=claim.expedited, now=now)

    return ledger.write(work)


def _finish(
    ledger: Ledger,
    db: Connection,
    claim: Claim,
    case: Mapping[str, Any],
    marks: Sequence[PageMark],
    page_counts: Sequence[int],
    *,
    is_sent: bool,
) -> tuple[int, datetime]:
    """(the case's number, when); all but what is to be sent."""
    number = (check_held(db, claim).case_number or 0) + 1
    now = ledger.now(db)
    first = next((mark.fingerprint for mark in marks if mark.fingerprint), "")
    words, digits = fingerprint_numbers(first)
    move(
        db,
        claim.submission_id,
        State.IN_FLIGHT if is_sent and _waits(case) else state_of(case),
        "finished",
        at=now,
        actor=f"worker:{claim.worker}",
        held=claim.token,
        cause=reason_of(case),
        data={"case": number, "status": case["status"], "pages": len(marks)},
        case_number=number,
        reason=reason_of(case),
        outcome=None,
        decided=None,
        missing=None,
        asks_for_haste=_asks_for_haste(case),
        page_count=sum(page_counts),
        mark_words=words,
        mark_digits=digits,
        worker=None,
        claimable_at=None,
    )
    with unanswered(db):
        save(ledger, db, claim.submission_id, CASE, number, case)
        db.execute(_MADE, _case_row(claim, case, number, now))
        _save_pages(db, claim, marks, page_counts)
        end_attempt(db, claim.submission_id, claim.token, now, "finished", None)
    return number, now


def _waits(case: Mapping[str, Any]) -> bool:
    """Whether the rules evaluator is to have the case before its submission ends."""
    return bool(case["status"] != "parked")


def attach_resent(
    ledger: Ledger, claim: Claim, original: str, marks: Sequence[PageMark], page_counts: Sequence[int]
) -> None:
    """End the attempt because the submission is `original` sent again: it is done, without a case of its
    own, and a delivery of the original. Raises LeaseLost."""

    def work(db: Connection) -> None:
        check_held(db, claim)
        now = ledger.now(db)
        _save_pages(db, claim, marks, page_counts)
        end_attempt(db, claim.submission_id, claim.token, now, RESENT, None)
        attach_delivery(db, original, claim.submission_id, now)
        move(
            db,
            claim.submission_id,
            State.DONE,
            RESENT,
            at=now,
            actor=f"worker:{claim.worker}",
            held=claim.token,
            data={"original": original},
            reason=RESENT,
            duplicate_of=original,
            page_count=sum(page_counts),
            worker=None,
            claimable_at=None,
        )

    ledger.write(work)


def state_of(case: Mapping[str, Any]) -> State:
    """Where a submission with this case ends."""
    states = {"complete": State.DONE, "partial": State.PARTIAL, "parked": State.PARKED}
    return states[case["status"]]


def reason_of(case: Mapping[str, Any]) -> str | None:
    """Why a case is parked: the code of its last problem, which is the one that parked it."""
    return case["problems"][-1]["code"][:40] if case["status"] == "parked" and case["problems"] else None


def _asks_for_haste(case: Mapping[str, Any]) -> bool:
    expedited = case.get("request", {}).get("expedited") or {}
    return expedited.get("value") is True


def fingerprint_numbers(fingerprint: str) -> tuple[int | None, int | None]:
    """The two halves of a fingerprint as a database's signed 64-bit numbers."""
    if not fingerprint:
        return None, None
    words, digits = (int(part, 16) for part in fingerprint.split("-"))
    return _signed(words), _signed(digits)


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def _made_by(db: Connection, claim: Claim) -> int | None:
    number: int | None = db.execute(_MADE_BY, {"of": claim.submission_id, "held": claim.token}).scalar()
    return number


def _case_row(claim: Claim, case: Mapping[str, Any], number: int, now: datetime) -> dict[str, Any]:
    policy = case["policy"] or {}
    return {
        "submission_id": claim.submission_id,
        "number": number,
        "round": claim.round,
        "token": claim.token,
        "status": case["status"],
        "policy_id": policy.get("id"),
        "policy_version": policy.get("version"),
        "created_at": now,
    }


def _save_pages(db: Connection, claim: Claim, marks: Sequence[PageMark], page_counts: Sequence[int]) -> None:
    """The pages of this round in place of an earlier one's."""
    name = claim.submission_id
    if claim.round > 1:
        db.execute(delete(pages).where(pages.c.submission_id == name))
    rows = [
        {
            "submission_id": name,
            "position": mark.file,
            "number": mark.number,
            "state": mark.state,
            "fingerprint": mark.fingerprint or None,
            "problem": mark.problem,
        }
        for mark in marks
    ]
    if rows:
        db.execute(_PAGES, rows)
    for position, count in enumerate(page_counts):
        db.execute(_COUNTED, {"of": name, "at": position, "pages": count})
