"""`triage deploy` against a Prefect server that runs, on SQLite and, where TRIAGE_TEST_POSTGRES names a
server, on PostgreSQL. `make prefect`; takes a minute or two each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from ledgers import DATABASES, KEYS, postgres, received
from prefect_servers import WITHIN_S, client_environment, prefect, prefect_server, running
from test_privacy import leaks, write_packet

from pipeline import ledger as led
from pipeline.ledger import Ledger, State, open_ledger
from pipeline.settings import load_settings

SECRET_KEY = KEYS.partition("=")[2]


@dataclass(frozen=True)
class Place:
    """A server, and what a machine of it has in its environment."""

    api: str
    folder: Path
    environment: dict[str, str]

    def post(self, path: str, **body: Any) -> Any:
        """As Prefect's own client: SQLite that is busy makes a server say 503, and is asked again."""
        ends = time.monotonic() + WITHIN_S
        while (answer := httpx.post(f"{self.api}{path}", json=body, timeout=30)).status_code == 503:
            assert time.monotonic() < ends, "the server is busy for ever"
            time.sleep(1)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        answer = httpx.get(f"{self.api}{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()

    def triage(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pipeline", *arguments],
            env={**self.environment, **more},
            capture_output=True,
            text=True,
        )


@pytest.fixture(scope="module", params=DATABASES)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("prefect")
    if request.param == "sqlite":
        with prefect_server(folder) as api:
            yield _place(api, folder)
        return
    with postgres() as url, prefect_server(folder, database=url.replace("://", "+asyncpg://", 1)) as api:
        yield _place(api, folder)


def _place(api: str, folder: Path) -> Place:
    ours = {"TRIAGE_HOME": str(folder / "home"), "TRIAGE_KEYS": KEYS, "TRIAGE_MIN_FREE_MB": "1"}
    path = {"PYTHONPATH": os.environ.get("PYTHONPATH", os.getcwd())}
    return Place(api, folder, {**client_environment(folder / "client", api), **ours, **path})


def _ended(ledger: Ledger) -> int:
    states = led.figures(ledger).states
    return sum(states[state] for state in led.ENDED)


def until(holds: Callable[[], bool], told: str) -> None:
    ends = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < ends, told
        time.sleep(0.5)


def test_flows_are_registered_and_work(place: Place) -> None:
    inbox = place.folder / "inbox"
    inbox.mkdir()
    done = place.triage("deploy", "--workers", "2", "--watch", str(inbox))
    assert done.returncode == 0, done.stderr
    pool = place.get("/work_pools/triage")
    assert (pool["type"], pool["concurrency_limit"]) == ("process", 6)
    deployments = {
        (one["entrypoint"], len(one["schedules"]), one["global_concurrency_limit"]["limit"])
        for one in place.post("/deployments/filter")
    }
    assert deployments == {
        ("flows.triage.triage", 1, 2),
        ("flows.upkeep.intake", 1, 1),
        ("flows.upkeep.requests", 1, 1),
        ("flows.upkeep.retention", 1, 1),
        ("flows.upkeep.reevaluate", 0, 1),
    }
    with open_ledger(load_settings({n: t for n, t in place.environment.items() if "TRIAGE" in n})) as ledger:
        (receipt,) = received(ledger, b"%PDF-1.7 cut off")
        worker = prefect("worker", "start", "--pool", "triage", "--type", "process")
        with running(worker, place.environment, place.folder / "worker.log"):
            until(lambda: led.item(ledger, receipt.submission_id).state == State.PARKED, "not worked")
            write_packet(inbox / "Quillfeather, Ambrosius.pdf")
            until(lambda: _ended(ledger) == 2, "what came into the folder")
            assert led.balance(ledger).pages_unread == 0
            assert sum(led.balance(ledger).pages.values()) == 2
        assert led.balance(ledger).holds
    # Both pages were read by a process that Prefect's worker started, and nobody but the ledger tells.
    kept = [path for path in place.folder.rglob("*") if path.is_file()]
    assert {str(path): leaks(path.read_bytes()) for path in kept if leaks(path.read_bytes())} == {}
    lines = (place.folder / "worker.log").read_text().splitlines()
    told = [json.loads(line) for line in lines if line.startswith('{"time"')]
    assert receipt.submission_id in {line.get("submission") for line in told}
    assert sum(f"Submission {receipt.submission_id}: " in line for line in lines) == 1


def test_a_second_time_changes_and_does_not_double(place: Place) -> None:
    for workers in ("2", "6"):
        assert place.triage("deploy", "--workers", workers).returncode == 0
    assert place.get("/work_pools/triage")["concurrency_limit"] == 9  # six, requests, retention, reevaluate
    names = [one["name"] for one in place.post("/automations/filter")]
    assert sorted(names) == ["triage: a run does not begin", "triage: a run is silent"]


def test_a_docker_pool_holds_no_secret(place: Place) -> None:
    options = ["--pool", "docked", "--type", "docker", "--image", "i:1", "--volume", "v:/srv/v"]
    refused = place.triage("deploy", *options)
    assert (refused.returncode, "TRIAGE_KEYS would be kept" in refused.stderr) == (3, True)
    keys = place.folder / "keys"
    keys.write_text(KEYS)
    environment = {name: text for name, text in place.environment.items() if name != "TRIAGE_KEYS"}
    done = Place(place.api, place.folder, environment).triage("deploy", *options, TRIAGE_KEYS_FILE=str(keys))
    assert done.returncode == 0, done.stderr
    other = place.triage("deploy", "--pool", "docked")
    assert (other.returncode, "is of type docker, which cannot be changed" in other.stderr) == (2, True)
    template = place.get("/work_pools/docked")["base_job_template"]
    assert template["variables"]["properties"]["env"]["default"]["TRIAGE_KEYS_FILE"] == str(keys)
    kept = b"".join(path.read_bytes() for path in (place.folder / "server").rglob("*") if path.is_file())
    assert SECRET_KEY.encode() not in kept


def test_a_run_whose_machine_died_is_marked_and_gives_its_place_back(place: Place) -> None:
    program = (
        "from flows.deploy import deploy; "
        "deploy(pool='triage', pool_type='process', workers=1, channels=(), watched=None, "
        "silent_s=10, not_begun_s=10)"
    )
    subprocess.run([sys.executable, "-c", program], env=place.environment, check=True)
    (deployment,) = [
        one for one in place.post("/deployments/filter") if one["entrypoint"] == "flows.triage.triage"
    ]
    place.post("/deployments/filter")
    silent, idle, alive = (
        place.post(f"/deployments/{deployment['id']}/create_flow_run", state={"type": "SCHEDULED"})["id"]
        for _ in range(3)
    )
    # As the engine and the worker do; then nothing is heard of the first two.
    for run in (silent, idle, alive):
        place.post(f"/flow_runs/{run}/set_state", state={"type": "PENDING"}, force=True)
    for run in (silent, alive):
        place.post(f"/flow_runs/{run}/set_state", state={"type": "RUNNING"}, force=True)
        heartbeat(place, run)

    def state(run: str) -> str:
        return str(place.get(f"/flow_runs/{run}")["state"]["type"])

    def both() -> bool:
        heartbeat(place, alive)
        return state(silent) == state(idle) == "CRASHED"

    until(both, "not marked")
    assert state(alive) == "RUNNING"
    message = place.get(f"/flow_runs/{silent}")["state"]["message"]
    assert message == "no heartbeat for 10 s: marked as crashed, its place is free."


def heartbeat(place: Place, run: str) -> None:
    event = {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": "prefect.flow-run.heartbeat",
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
        "related": [
            {
                "prefect.resource.id": "prefect.flow.x",
                "prefect.resource.role": "flow",
                "prefect.resource.name": "triage",
            }
        ],
    }
    answer = httpx.post(f"{place.api}/events", json=[event], timeout=30)
    answer.raise_for_status()
