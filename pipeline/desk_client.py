"""The desk's interface for programs, from Python: one method for each operation of its document.

    with DeskClient("https://desk.plan.example", token) as desk:
        for line in desk.all_cases(state=["done"]):
            case = desk.get_case(line["id"])
            desk.correct_case(line["id"], if_match=case.etag, kind="accept", subject="findings.intent")

A writing request carries an Idempotency-Key, its own where none is given, so that one whose answer was lost
is sent again and done once. Where the desk cannot do something, `Refused` says why. Needs httpx alone.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final

import httpx

_TRIES: Final = 4
_LATER: Final = frozenset({429, 503})
_LONGEST_WAIT_S: Final = 60.0


class Refused(Exception):
    """The desk did not do it. `detail` is its reason; it quotes nothing of a patient."""

    def __init__(self, status: int, detail: str, places: Sequence[str] = ()) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.places = tuple(places)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the desk said: JSON, or bytes where it is none. `etag` is what a change must name."""

    content: Any
    etag: str | None = None
    repeated: bool = False

    def __getitem__(self, key: Any) -> Any:
        return self.content[key]


class DeskClient:
    """A program at a desk. Safe for use by several threads."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        http: httpx.Client | None = None,
        timeout_s: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http or httpx.Client(timeout=timeout_s)
        self._base = f"{url.rstrip('/')}/api/v1"
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._sleep = sleep

    def __enter__(self) -> DeskClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    # ----------------------------------------------------------------------- cases

    def list_cases(
        self,
        *,
        state: Sequence[str] = (),
        reason: str = "",
        assigned: str = "",
        mine: bool = False,
        policy: str = "",
        at_risk: bool = False,
        reference: str = "",
        order: str = "work",
        after: str | None = None,
        limit: int = 50,
    ) -> Answer:
        """A page of submissions, expedited first, then by due date."""
        query = {
            "state": list(state),
            "reason": reason,
            "assigned": assigned,
            "mine": mine,
            "policy": policy,
            "at_risk": at_risk,
            "reference": reference,
            "order": order,
            "after": after,
            "limit": limit,
        }
        return self._get("/cases", query)

    def all_cases(self, *, state: Sequence[str] = (), mine: bool = False) -> Iterator[Any]:
        """Every submission, page by page."""
        after = None
        while True:
            page = self.list_cases(state=state, mine=mine, after=after, limit=200)
            yield from page["items"]
            if (after := page["next"]) is None:
                return

    def get_case(self, id: str, *, if_none_match: str | None = None) -> Answer:
        """The case as it stands; its content is None where it is still what `if_none_match` names."""
        return self._get(f"/cases/{id}", {}, {"If-None-Match": if_none_match})

    def export_case(self, id: str, format: str) -> Answer:
        """The filled form: `questionnaire-response`, `questionnaire`, `mcode`, `pdf`, `csv` or `json`."""
        return self._get(f"/cases/{id}/exports/{format}")

    def get_history(self, id: str) -> Answer:
        """What happened to a submission."""
        return self._get(f"/cases/{id}/history")

    def get_assignment(self, id: str) -> Answer:
        """Who has a case."""
        return self._get(f"/cases/{id}/assignment")

    def put_assignment(
        self, id: str, *, assigned: str | None, if_match: str | None, idempotency_key: str | None = None
    ) -> Answer:
        """Give a case to a user, or to nobody."""
        body = {"assigned": assigned}
        return self._write("PUT", f"/cases/{id}/assignment", body, idempotency_key, if_match)

    # ----------------------------------------------------------------------- corrections

    def list_corrections(self, id: str) -> Answer:
        """Every correction of a case."""
        return self._get(f"/cases/{id}/corrections")

    def correct_case(
        self,
        id: str,
        *,
        if_match: str | None,
        kind: str,
        subject: str,
        after: str | bool | None = None,
        basis: str | None = None,
        why: str = "",
        areas: Sequence[Mapping[str, Any]] = (),
        idempotency_key: str | None = None,
    ) -> Answer:
        """Correct a case. The answer's ETag is the case's new one."""
        body = {"kind": kind, "subject": subject, "after": after, "basis": basis, "why": why}
        body["areas"] = list(areas)  # type: ignore[assignment]
        return self._write("POST", f"/cases/{id}/corrections", body, idempotency_key, if_match)

    def undo_correction(
        self,
        id: str,
        number: int,
        *,
        if_match: str | None,
        why: str = "",
        idempotency_key: str | None = None,
    ) -> Answer:
        """Take a correction back."""
        path = f"/cases/{id}/corrections/{number}/undo"
        return self._write("POST", path, {"why": why}, idempotency_key, if_match)

    # ----------------------------------------------------------------------- the queue

    def replay_case(self, id: str, *, read_again: bool = False, idempotency_key: str | None = None) -> Answer:
        """Work a submission again."""
        return self._write("POST", f"/cases/{id}/replay", {"read_again": read_again}, idempotency_key)

    def reject_case(self, id: str, *, reason: str, idempotency_key: str | None = None) -> Answer:
        """End a submission."""
        return self._write("POST", f"/cases/{id}/reject", {"reason": reason}, idempotency_key)

    def expedite_case(self, id: str, *, expedited: bool, idempotency_key: str | None = None) -> Answer:
        """Set or lift a submission's priority."""
        return self._write("POST", f"/cases/{id}/expedite", {"expedited": expedited}, idempotency_key)

    # ----------------------------------------------------------------------- requests

    def list_requests(
        self,
        *,
        state: Sequence[str] = (),
        case: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Answer:
        """A page of requests, those due first in front."""
        return self._get("/requests", {"state": list(state), "case": case, "after": after, "limit": limit})

    def preview_request(self, id: str, *, form: str = "json") -> Answer:
        """What the provider of a case would be asked for now."""
        return self._get(f"/cases/{id}/request", {"form": form})

    def send_request(
        self,
        id: str,
        *,
        channels: Sequence[str] = (),
        to: str = "",
        provider: str = "",
        npi: str = "",
        idempotency_key: str | None = None,
    ) -> Answer:
        """Ask for what a case lacks."""
        body = {"channels": list(channels), "to": to, "provider": provider, "npi": npi}
        return self._write("POST", f"/cases/{id}/requests", body, idempotency_key)

    def get_request(self, reference: str) -> Answer:
        """Where a request stands."""
        return self._get(f"/requests/{reference}")

    def get_letter(self, reference: str, *, form: str = "json") -> Answer:
        """A request as it was sent."""
        return self._get(f"/requests/{reference}/letter", {"form": form})

    def close_request(self, reference: str, *, reason: str, idempotency_key: str | None = None) -> Answer:
        """Close an open request."""
        return self._write("POST", f"/requests/{reference}/close", {"reason": reason}, idempotency_key)

    # ----------------------------------------------------------------------- the trail, sessions, webhooks

    def list_audit(
        self,
        *,
        before: int | None = None,
        limit: int = 100,
        case: str | None = None,
        actor: str | None = None,
        action: str | None = None,
    ) -> Answer:
        """A page of the audit trail, newest first."""
        query = {"before": before, "limit": limit, "case": case, "actor": actor, "action": action}
        return self._get("/audit", query)

    def get_me(self) -> Answer:
        """Who asks."""
        return self._get("/me")

    def list_sessions(self) -> Answer:
        """The sessions and tokens of who asks."""
        return self._get("/sessions")

    def end_session(self, id: str, *, idempotency_key: str | None = None) -> Answer:
        """End one of them."""
        return self._write("DELETE", f"/sessions/{id}", None, idempotency_key)

    def list_webhooks(self) -> Answer:
        """All subscriptions."""
        return self._get("/webhooks")

    def add_webhook(self, *, url: str, kinds: Sequence[str], idempotency_key: str | None = None) -> Answer:
        """Let a system be told. The answer's `secret` is shown this once."""
        return self._write("POST", "/webhooks", {"url": url, "kinds": list(kinds)}, idempotency_key)

    def enable_webhook(self, hook: str, *, idempotency_key: str | None = None) -> Answer:
        """Tell a system again."""
        return self._write("POST", f"/webhooks/{hook}/enable", None, idempotency_key)

    def remove_webhook(self, hook: str, *, idempotency_key: str | None = None) -> Answer:
        """Tell a system no more."""
        return self._write("DELETE", f"/webhooks/{hook}", None, idempotency_key)

    # ----------------------------------------------------------------------- inside

    def _get(
        self, path: str, query: Mapping[str, Any] | None = None, headers: Mapping[str, Any] | None = None
    ) -> Answer:
        asked = {name: value for name, value in (query or {}).items() if value not in (None, "", [])}
        given = {name: value for name, value in (headers or {}).items() if value is not None}
        return self._asked("GET", path, params=asked, headers=self._headers | given)

    def _write(
        self, method: str, path: str, body: Any, key: str | None, if_match: str | None = None
    ) -> Answer:
        headers = self._headers | {"Idempotency-Key": key or str(uuid.uuid4())}
        if if_match is not None:
            headers["If-Match"] = if_match
        if body is None:
            return self._asked(method, path, headers=headers)
        return self._asked(method, path, headers=headers, json=body)

    def _asked(self, method: str, path: str, **given: Any) -> Answer:
        """The answer, asked again where waiting helps: each request is safe to repeat."""
        for left in reversed(range(_TRIES)):
            try:
                answer = self._http.request(method, self._base + path, **given)
            except httpx.TransportError:
                if not left:
                    raise
                self._sleep(1.0)
                continue
            if not left or not _later(answer):
                break
            wait = answer.headers.get("Retry-After", "1")
            self._sleep(min(float(wait) if wait.isdigit() else 1.0, _LONGEST_WAIT_S))
        return _told(answer)


def _later(answer: httpx.Response) -> bool:
    """Whether to ask again: the desk is busy, or still at work on this very request, sent before."""
    at_work = answer.status_code == 409 and "Retry-After" in answer.headers
    return at_work or answer.status_code in _LATER


def _told(answer: httpx.Response) -> Answer:
    etag = answer.headers.get("ETag")
    if answer.status_code == 304:
        return Answer(None, etag)
    is_json = answer.headers.get("Content-Type", "").partition(";")[0].endswith("json")
    if answer.status_code >= 400:
        said = answer.json() if is_json else {}
        raise Refused(answer.status_code, said.get("detail", ""), said.get("places", ()))
    repeated = answer.headers.get("Idempotent-Replayed") == "true"
    return Answer(answer.json() if is_json else answer.content or None, etag, repeated)
