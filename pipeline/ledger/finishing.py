"""The end of an attempt: the case, its pages, the history and what is to be sent, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from pipeline.ledger.changes import move
from pipeline.ledger.claims import check_held, end_attempt
from pipeline.ledger.opening import Ledger
from pipeline.ledger.outbox import enqueue
from pipeline.ledger.receiving import attach_delivery
from pipeline.ledger.records import Claim, Outgoing, PageMark, State
from pipeline.ledger.tables import cases, files, pages
from pipeline.ledger.texts import CASE, save

RESENT = "resent"


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
        number = (check_held(db, claim).case_number or 0) + 1
        now = ledger.now(db)
        save(ledger, db, claim.submission_id, CASE, number, case)
        db.execute(insert(cases), _case_row(claim, case, number, now))
        _save_pages(db, claim, marks, page_counts)
        end_attempt(db, claim.submission_id, claim.token, now, "finished", None)
        waits = outgoing is not None and case["status"] != "parked"
        if outgoing is not None and waits:
            enqueue(db, claim.submission_id, number, [outgoing], expedited=claim.expedited, now=now)
        first = next((mark.fingerprint for mark in marks if mark.fingerprint), "")
        words, digits = fingerprint_numbers(first)
        move(
            db,
            claim.submission_id,
            State.IN_FLIGHT if waits else state_of(case),
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
        return number

    return ledger.write(work)


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
    same = select(cases.c.number).where(
        cases.c.submission_id == claim.submission_id, cases.c.token == claim.token
    )
    number: int | None = db.execute(same).scalar()
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
        db.execute(insert(pages), rows)
    for position, count in enumerate(page_counts):
        one = update(files).where(files.c.submission_id == name, files.c.position == position)
        db.execute(one.values(pages=count))
