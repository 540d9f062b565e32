"""The work around a case: the worklist and its questions, the queue, requests to the provider, an outcome set
by a medical director."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from desks import LETTER, TestDesk, open_desk
from fastapi.testclient import TestClient
from httpx import Response
from ledgers import DATABASES
from sqlalchemy import update

from pipeline import audit
from pipeline.correspondence import requests_of
from pipeline.ledger import Order, State, history, item
from pipeline.ledger.tables import submissions
from pipeline.review import accounts, worklist
from pipeline.review.casefile import open_case
from pipeline.review.worklist import NOBODY, Wanted

UNSTAGED = LETTER.replace(", cT2a N0 M0", "")  # a lung cancer whose stage nobody tells
BROKEN = b"%PDF-1.4 cut off"


@contextmanager
def opened(home: Path, kind: str) -> Iterator[TestDesk]:
    """Three submissions: one that lacks a stage, one that lacks nothing, one that cannot be read."""
    parked = home / "parked"
    parked.mkdir()
    (parked / "cut.pdf").write_bytes(BROKEN)
    with open_desk(home, UNSTAGED, LETTER, parked, kind=kind) as made:
        made.settings = dataclasses.replace(made.settings, request_folder=str(home / "requests"))
        yield made


@pytest.fixture(params=DATABASES)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestDesk]:
    """A desk of the test's own."""
    with opened(tmp_path, request.param) as made:
        yield made


@pytest.fixture(scope="module", params=DATABASES)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDesk]:
    """A desk for tests that change no case."""
    with opened(tmp_path_factory.mktemp("desk"), request.param) as made:
        yield made


def ids(lines: list[worklist.Line]) -> list[str]:
    return [line.item.id for line in lines]


def post(client: TestClient, own: TestDesk, path: str, **form: object) -> Response:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/").text)
    assert found
    return client.post(f"/cases/{own.submission_id}/{path}", data={"csrf": found[1], **form})


# --------------------------------------------------------------------------- the worklist


def test_the_worklist_is_narrowed_by_each_question(own: TestDesk) -> None:
    first, second, parked = (
        item(own.ledger, one) for one in ids(worklist.lines(own.ledger, order=Order.OLDEST))
    )
    worklist.assign(own.ledger, first.id, accounts.user(own.ledger, "nora"), actor="max")
    asked = {
        Wanted(states=(State.PARKED,)): {parked.id},
        Wanted(reason="truncated"): {parked.id},
        Wanted(reason="encrypted"): set(),
        Wanted(assigned="nora"): {first.id},
        Wanted(assigned=NOBODY): {second.id, parked.id},
        Wanted(policy="cryosurgical-ablation"): {first.id, second.id, parked.id},
        Wanted(policy="another"): set(),
        Wanted(reference=first.id[:10].upper()): {first.id},
        Wanted(at_risk=True): set(),
    }
    for wanted, found in asked.items():
        assert set(ids(worklist.lines(own.ledger, wanted))) == found, wanted


def test_what_is_at_risk_is_what_the_clock_says(own: TestDesk) -> None:
    """The database finds the very lines that are shown as at risk."""
    c = submissions.c
    for number, line in enumerate(worklist.lines(own.ledger)):
        for left in (
            timedelta(hours=17.9),
            timedelta(hours=18.1),
            timedelta(hours=41.9),
            timedelta(hours=42.1),
        ):
            clock = own.ledger.deadlines.expedited if number else own.ledger.deadlines.standard
            due = own.ledger.read(own.ledger.now) + left
            values = {"expedited": bool(number), "due_at": due, "received_at": due - clock.length}
            own.ledger.write(
                lambda db, v=values, i=line.item.id: db.execute(
                    update(submissions).where(c.id == i).values(v)
                )
            )  # type: ignore[misc]
            shown = [one.item.id for one in worklist.lines(own.ledger) if one.at_risk]
            assert set(ids(worklist.lines(own.ledger, Wanted(at_risk=True)))) == set(shown)


@pytest.mark.parametrize("order", list(Order))
def test_each_order_is_paged_without_a_gap(shared: TestDesk, order: Order) -> None:
    whole = ids(worklist.lines(shared.ledger, order=order))
    paged: list[str] = []
    while more := worklist.lines(shared.ledger, order=order, after=paged[-1] if paged else None, most=1):
        paged += ids(more)
    assert paged == whole
    assert len(whole) == 3


def test_a_line_tells_what_is_missing_and_under_which_policy(shared: TestDesk) -> None:
    (line,) = worklist.lines(shared.ledger, Wanted(reference=shared.submission_id))
    assert line.item.missing == ("stage_group",)
    assert line.policy == "cryosurgical-ablation"
    html = shared.client("nora").get("/?order=outcome").text
    assert "stage group" in html
    assert "Cryosurgical Ablation" in html


# --------------------------------------------------------------------------- the queue


def test_intake_hurries_replays_and_rejects(own: TestDesk) -> None:
    ida = own.client("ida")
    assert post(ida, own, "queue", do="expedite", reason="Testperson, Alma").status_code == 303
    assert item(own.ledger, own.submission_id).expedited
    assert post(ida, own, "queue", do="standard").status_code == 303
    assert not item(own.ledger, own.submission_id).expedited
    assert post(ida, own, "queue", do="reject", reason="because").status_code == 422
    assert post(ida, own, "queue", do="reject").status_code == 422
    assert post(ida, own, "queue", do="burn").status_code == 422
    assert post(ida, own, "queue", do="read_again").status_code == 303
    assert item(own.ledger, own.submission_id).state is State.RECEIVED
    assert post(ida, own, "queue", do="replay").status_code == 409  # it waits already
    assert post(ida, own, "queue", do="reject", reason="sent_twice").status_code == 303
    ended = item(own.ledger, own.submission_id)
    assert (ended.state, ended.reason) == (State.REJECTED, "sent_twice")
    told = [(row.action, row.data) for row in audit.entries(own.ledger) if row.actor == "ida"]
    assert ("queue_reject", {"reason": "sent_twice"}) in told
    assert ("queue_expedite", {}) in told  # a reason that was not asked for is not kept
    assert history(own.ledger, own.submission_id).events[-1].actor == "user:ida"
    assert "sent twice" in ida.get(f"/cases/{own.submission_id}/history").text


def test_a_history_shows_nothing_of_a_patient(shared: TestDesk) -> None:
    for name in ("ida", "otto", "ada"):
        html = shared.client(name).get(f"/cases/{shared.submission_id}/history").text
        assert "evaluated" in html
        assert not re.search("Testperson|Alma|curative", html)


# --------------------------------------------------------------------------- requests


def send(client: TestClient, own: TestDesk, **form: object) -> Response:
    file = open_case(own.ledger, own.submission_id)
    assert file is not None
    given = {
        "version": file.version,
        "channel": "folder",
        "provider": "Sample Valley",
        "address": "(614) 555-0101",
    }
    return post(client, own, "request", **{**given, **form})


def test_a_request_is_seen_sent_once_and_closed(own: TestDesk) -> None:
    nora = own.client("nora")
    page = nora.get(f"/cases/{own.submission_id}/request").text
    assert "What the provider would be asked for" in page
    assert "Testperson, Alma" in page
    assert nora.get(f"/cases/{own.submission_id}/request.pdf").content.startswith(b"%PDF")
    assert send(nora, own).status_code == 303
    assert send(nora, own).status_code == 303
    (entry,) = requests_of(own.ledger, submission_id=own.submission_id)
    assert entry.open_items == ("stage_group",)
    assert {channel: sent.state for channel, sent in entry.sendings.items()} == {"folder": "waiting"}
    assert item(own.ledger, own.submission_id).pended_at is not None
    sent = nora.get(f"/cases/{own.submission_id}/requests/{entry.reference}")
    assert entry.reference in sent.text
    story = f"/cases/{own.submission_id}/history"
    assert "stage group" in nora.get(story).text
    told = own.client("otto").get(story)  # an auditor, who asks nobody for anything
    assert (told.status_code, "stage group" in told.text) == (200, False)
    (line,) = worklist.lines(own.ledger, Wanted(reference=entry.reference.lower()))
    assert (line.item.id, line.request) == (own.submission_id, "open")
    close = f"requests/{entry.reference}/close"
    assert post(nora, own, close, reason="because").status_code == 422
    assert post(nora, own, close, reason="answered_by_phone").status_code == 303
    assert requests_of(own.ledger, submission_id=own.submission_id) == []
    rows = [row for row in audit.entries(own.ledger) if row.actor == "nora"]
    told = {row.action: row.data for row in rows}
    assert [row.action for row in rows].count("request_sent") == 2  # one row each time she sent it
    assert told["request_sent"]["reference"] == entry.reference
    assert told["request_closed"]["reason"] == "answered_by_phone"
    assert "Testperson" not in str(told)


@pytest.mark.parametrize(
    ("form", "status"),
    [({"channel": "pigeon"}, 422), ({"channel": []}, 422), ({"npi": "12"}, 422), ({"version": "9.9"}, 409)],
)
def test_a_request_that_makes_no_sense_is_not_sent(
    shared: TestDesk, form: dict[str, object], status: int
) -> None:
    assert send(shared.client("nora"), shared, **form).status_code == status
    assert requests_of(shared.ledger, submission_id=shared.submission_id) == []


def test_another_case_s_request_is_not_shown_under_this_one(own: TestDesk) -> None:
    nora = own.client("nora")
    send(nora, own)
    (entry,) = requests_of(own.ledger, submission_id=own.submission_id)
    (other,) = ids(worklist.lines(own.ledger, Wanted(states=(State.PARKED,))))
    assert nora.get(f"/cases/{other}/requests/{entry.reference}").status_code == 404


# --------------------------------------------------------------------------- another outcome


def set_outcome(client: TestClient, own: TestDesk, **form: object) -> Response:
    file = open_case(own.ledger, own.submission_id)
    assert file is not None
    given = {
        "version": file.version,
        "kind": "outcome",
        "subject": "outcome",
        "after": "meets",
        "why": "peer to peer",
    }
    return post(client, own, "corrections", **{**given, **form})


def test_a_director_s_outcome_stands_beside_the_recommendation(own: TestDesk) -> None:
    max_ = own.client("max")
    assert set_outcome(max_, own).status_code == 303
    file = open_case(own.ledger, own.submission_id)
    assert file is not None
    assert file.case == file.read  # nothing of the recommendation is touched
    assert file.decision is not None
    assert (file.decision.actor, file.decision.before, file.decision.after) == (
        "max",
        "needs_information",
        "meets",
    )
    listed = item(own.ledger, own.submission_id)
    assert (listed.outcome, listed.decided) == ("needs_information", "meets")
    page = max_.get(f"/cases/{own.submission_id}").text
    assert "More information is needed" in page
    assert "Set by max" in page
    assert post(max_, own, "corrections", version="1.1", kind="undo", subject="1").status_code == 303
    assert item(own.ledger, own.submission_id).decided is None


def test_who_may_not_set_an_outcome_may_not_undo_one(own: TestDesk) -> None:
    nora = own.client("nora")
    assert set_outcome(nora, own).status_code == 403
    set_outcome(own.client("max"), own)
    assert post(nora, own, "corrections", version="1.1", kind="undo", subject="1").status_code == 403
    token = {"Authorization": f"Bearer {token_of(own, 'nora')}", "If-Match": '"1.1"'}
    body = {"kind": "outcome", "subject": "outcome", "after": "meets", "why": "x"}
    api = f"/api/v1/cases/{own.submission_id}/corrections"
    assert own.client().post(api, json=body, headers=token).status_code == 403


@pytest.mark.parametrize(
    "form", [{"after": "approved"}, {"after": ""}, {"why": ""}, {"subject": "findings.t"}]
)
def test_an_outcome_that_is_none_is_refused(shared: TestDesk, form: dict[str, str]) -> None:
    assert set_outcome(shared.client("max"), shared, **form).status_code == 422


def token_of(own: TestDesk, name: str) -> str:
    from pipeline.review import sessions

    user = accounts.user(own.ledger, name)
    assert user is not None
    return sessions.begin(own.ledger, user, program=True)


# --------------------------------------------------------------------------- two things said


def test_what_contradicts_stands_side_by_side_and_one_is_taken(tmp_path: Path) -> None:
    later = LETTER.replace("cT2a N0 M0", "cT3 N0 M0").replace("03/02/2026", "03/03/2026")
    with open_desk(tmp_path, f"{LETTER}\f{later}") as own:
        max_ = own.client("max")
        page = max_.get(f"/cases/{own.submission_id}").text
        sides = re.search(r'<div class="sides">(.*?)\n</div>', page, re.DOTALL)
        assert sides
        assert [re.findall("<bdi>(T[0-9A]+)</bdi>", side) for side in sides[1].split('"side"')[1:]] == [
            ["T2A"],
            ["T3"],
        ]
        refused = post(
            max_, own, "corrections", version="1.0", kind="change", subject="findings.t", after="T4", why="x"
        )
        assert refused.status_code == 422  # nobody says T4, so its words must be shown
        form = {"kind": "change", "subject": "findings.t", "after": "T3", "why": "the later note"}
        assert post(max_, own, "corrections", version="1.0", **form).status_code == 303
        file = open_case(own.ledger, own.submission_id)
        assert file is not None
        t = file.case.findings["t"]
        assert (t.value, t.confidence, t.evidence[0].page) == ("T3", 1.0, 2)
