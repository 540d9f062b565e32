"""The same answer to the same request: a writing request that names an Idempotency-Key is done once.

The key is taken before the request is done, and the answer kept, sealed, behind it for a day. A repeat gets
that answer; the same key with another request is refused (422), and while the first is still being done so is
the second (409). What was refused changed nothing and is tried anew. If the process dies in between, a repeat
is done again after a minute: each write is one transaction that is guarded by If-Match or comes out the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from fastapi import HTTPException, Request
from fastapi.routing import APIRoute
from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from pipeline.ledger import Ledger
from pipeline.ledger.keeping import drop_ended, keep, look_up
from pipeline.review.guard import session_of
from pipeline.review.sessions import Session
from pipeline.review.tables import api_answers

KEY: Final = "Idempotency-Key"
REPEATED: Final = "Idempotent-Replayed"
_KEPT: Final = timedelta(hours=24)
_LONGEST_RUN: Final = timedelta(minutes=1)
_LONGEST_KEY: Final = 200
_HEADERS: Final = ("etag", "location")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class _Taken:
    """What stands behind a key: nothing yet, this request, or another."""

    state: Literal["new", "running", "other", "answered"]
    answer: dict[str, Any] | None = None


def once(ledger: Ledger) -> type[APIRoute]:
    """The class of routes whose writing requests heed the key."""

    class Once(APIRoute):
        def get_route_handler(self) -> Handler:
            do = super().get_route_handler()
            if set(self.methods or ()) <= {"GET", "HEAD"}:
                return do

            async def handle(request: Request) -> Response:
                key = request.headers.get(KEY)
                session = None if key is None else await run_in_threadpool(session_of, request, ledger)
                if key is None or session is None:
                    return await do(request)
                return await _once(ledger, session, key, request, do)

            return handle

    return Once


async def _once(
    ledger: Ledger, session: Session, key: str, request: Request, do: Callable[[Request], Awaitable[Response]]
) -> Response:
    if not key.isprintable() or not key.isascii() or not 0 < len(key) <= _LONGEST_KEY:
        raise HTTPException(422, f"An {KEY} is 1 to {_LONGEST_KEY} visible characters.")
    name, asked = _digest(key.encode()), _asked(session, request, await request.body())
    taken = await run_in_threadpool(_take, ledger, session.user.name, name, asked)
    if taken.state == "other":
        raise HTTPException(422, f"This {KEY} was given with another request.")
    if taken.state == "running":
        raise HTTPException(409, f"The request of this {KEY} is still being done.", {"Retry-After": "1"})
    if taken.answer is not None:
        return _again(taken.answer)
    try:
        answer = await do(request)
    except BaseException:
        await run_in_threadpool(_release, ledger, session.user.name, name)
        raise
    if answer.status_code >= 300:
        await run_in_threadpool(_release, ledger, session.user.name, name)
    else:
        await run_in_threadpool(_keep, ledger, session.user.name, name, answer)
    return answer


def _take(ledger: Ledger, user: str, key: str, asked: str) -> _Taken:
    a = api_answers.c

    def work(db: Connection) -> _Taken:
        now = ledger.now(db)
        db.execute(delete(api_answers).where(a.at < now - _KEPT))
        drop_ended(db, now)
        upsert = sqlite.insert if ledger.database.is_sqlite else postgresql.insert
        row = {"user_name": user, "key": key, "asked": asked, "at": now, "done": False}
        entered = upsert(api_answers).values(row).on_conflict_do_nothing().returning(a.key)
        if db.execute(entered).first() is not None:
            return _Taken("new")
        one = (a.user_name == user, a.key == key)
        known = db.execute(select(api_answers).where(*one).with_for_update()).one_or_none()
        if known is None:  # it was given back this very moment
            return _Taken("running")
        if known.asked != asked:
            return _Taken("other")
        if known.done and (answer := look_up(ledger, db, _name(user, key))) is not None:
            return _Taken("answered", answer)
        if known.at > now - _LONGEST_RUN:
            return _Taken("running")
        db.execute(update(api_answers).where(*one).values(at=now, done=False))
        return _Taken("new")

    return ledger.write(work)


def _keep(ledger: Ledger, user: str, key: str, answer: Response) -> None:
    told = {
        "status": answer.status_code,
        "headers": {name: answer.headers[name] for name in _HEADERS if name in answer.headers},
        "type": answer.headers.get("content-type", ""),
        "body": bytes(answer.body).decode(),
    }
    a = api_answers.c

    def work(db: Connection) -> None:
        now = ledger.now(db)
        keep(ledger, db, _name(user, key), told, ends_at=now + _KEPT)
        db.execute(update(api_answers).where(a.user_name == user, a.key == key).values(done=True, at=now))

    ledger.write(work, durable=True)


def _release(ledger: Ledger, user: str, key: str) -> None:
    a = api_answers.c
    ledger.write(
        lambda db: db.execute(delete(api_answers).where(a.user_name == user, a.key == key, a.done.is_(False)))
    )


def _again(answer: dict[str, Any]) -> Response:
    headers = answer["headers"] | {REPEATED: "true"}
    body = answer["body"].encode() if answer["body"] else None
    return Response(body, answer["status"], headers, answer["type"] or None)


def _asked(session: Session, request: Request, body: bytes) -> str:
    """All that makes the request what it is, the role among it: who lost one does not get its answers."""
    parts = [
        session.user.role,
        request.method,
        request.url.path,
        request.url.query,
        request.headers.get("if-match", ""),
        _digest(body),
    ]
    return _digest(json.dumps(parts).encode())


def _name(user: str, key: str) -> str:
    return f"answer|{user}|{key}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
