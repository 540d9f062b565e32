"""The reviewer's desk under odd input, two people at once, and records that are gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
from desks import LETTER, TestDesk, open_desk
from fastapi.testclient import TestClient
from ledgers import DATABASES
from sqlalchemy import Connection, func, insert, select

from pipeline.__main__ import main
from pipeline.errors import ExitCode
from pipeline.ledger.tables import records, submissions
from pipeline.review import accounts, audit, sessions, tables, worklist
from pipeline.review.casefile import Change, correct, open_case
from pipeline.review.corrections import Kind
from pipeline.review.pictures import Pictures

ACCEPT = Change(Kind.ACCEPT, "findings.intent")


@pytest.fixture(scope="module", params=DATABASES)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDesk]:
    """A desk for tests that change no case."""
    with open_desk(tmp_path_factory.mktemp("desk"), LETTER, kind=request.param) as desk:
        yield desk


@pytest.fixture(params=DATABASES)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestDesk]:
    """A desk of the test's own."""
    with open_desk(tmp_path, LETTER, kind=request.param) as desk:
        yield desk


def csrf_of(client: TestClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/").text)
    assert found
    return found[1]


def version_of(desk: TestDesk) -> str:
    file = open_case(desk.ledger, desk.submission_id)
    assert file is not None
    return file.version


def accept(desk: TestDesk, version: str = "1.0", actor: str = "nora") -> Any:
    return correct(desk.ledger, desk.settings, desk.submission_id, ACCEPT, version=version, actor=actor)


def kept(desk: TestDesk, kind: str) -> int:
    count = select(func.count()).select_from(records).where(records.c.kind == kind)
    return int(desk.ledger.read(lambda db: db.execute(count).scalar_one()))


def program(desk: TestDesk, name: str = "nora") -> dict[str, str]:
    user = accounts.user(desk.ledger, name)
    assert user is not None
    return {"Authorization": f"Bearer {sessions.begin(desk.ledger, user, program=True)}"}


def area_of_intent(desk: TestDesk) -> dict[str, Any]:
    file = open_case(desk.ledger, desk.submission_id)
    assert file is not None
    (box, *_) = file.case.findings["intent"].evidence[0].boxes
    return {"file": 0, "page": 1, "area": [box.x0 - 1, box.top - 1, box.x1 + 1, box.bottom + 1]}


# --------------------------------------------------------------------------- many


def test_a_submission_is_found_however_many_stand_before_it(own: TestDesk) -> None:
    """Ten thousand and more are due before the one that is looked for."""

    def fill(db: Connection) -> None:
        row = dict(db.execute(select(submissions)).one()._mapping)
        early = {**row, "due_at": row["due_at"] - timedelta(days=1)}
        db.execute(insert(submissions), [{**early, "id": f"{n:016x}"} for n in range(10_050)])

    own.ledger.write(fill)
    user = accounts.user(own.ledger, "nora")
    worklist.assign(own.ledger, own.submission_id, user, actor="max")
    for wanted in ({"mine": "nora"}, {"reference": own.submission_id[:8]}):
        (line,) = worklist.lines(own.ledger, **wanted)
        assert line.item.id == own.submission_id
    first = worklist.lines(own.ledger, reference="0000")
    after = worklist.lines(own.ledger, reference="0000", after=first[-1].item.id)
    assert (len(first), len(after)) == (worklist.PAGE, worklist.PAGE)
    assert first[-1].item.id < after[0].item.id


# --------------------------------------------------------------------------- accounts, tokens, pictures


def test_wrong_passwords_that_come_at_once_are_all_counted(own: TestDesk) -> None:
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda _: accounts.checked(own.ledger, "nora", "wrong"), range(5)))
    failures = own.ledger.read(lambda db: db.execute(select(tables.users).filter_by(name="nora")).one())
    assert (failures.failures, failures.locked_until is not None) == (5, True)


def test_who_made_a_token_is_on_the_record(own: TestDesk) -> None:
    user = accounts.user(own.ledger, "nora")
    assert user is not None
    sessions.begin(own.ledger, user, program=True, lasts=timedelta(days=3), actor="operator:root")
    (row,) = audit.entries(own.ledger, most=1)
    assert (row.actor, row.data) == ("operator:root", {"user": "nora", "days": 3})
    environ = {"TRIAGE_HOME": str(own.settings.home)}
    for days in ("0", "-1", "99999999999"):
        assert main(["user", "token", "nora", "--days", days], environ) == ExitCode.USAGE


def test_a_file_that_keeps_a_process_busy_leaves_none_behind(own: TestDesk) -> None:
    others = set(active_children())
    hasty = Pictures(own.ledger, replace(own.settings, page_timeout_s=0.2))
    try:
        assert hasty.picture(own.submission_id, 0, 1, 0, "page") is None
        for process in set(active_children()) - others:
            process.join(5)
        assert set(active_children()) <= others
        hasty.settings = own.settings
        assert hasty.picture(own.submission_id, 0, 1, 0, "page")
    finally:
        hasty.close()
