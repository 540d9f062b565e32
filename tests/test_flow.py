"""The flow without Prefect's API: its tasks as plain functions, its settings, its failures.

The whole flow with the API is in test_privacy.py, which starts it once.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from types import ModuleType

import pytest
from ledgers import open_test_ledger, received
from stages import EMPTY, Recorded

from flows.local_api import environment_replaced, local_api, prefect_environment
from flows.worker import _for_ever
from pipeline import ledger as led
from pipeline.cases import OnPage
from pipeline.domain import Reading, Submission
from pipeline.errors import ConfigurationError, EvaluatorError
from pipeline.ledger import Ledger, State
from pipeline.settings import load_settings
from pipeline.working import Worker

SECRET = "Quillfeather"


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """flows.triage, imported as `flows.run` does it: Prefect with a home of its own."""
    with environment_replaced(prefect_environment(os.environ, tmp_path_factory.mktemp("prefect"))):
        import flows.triage

        yield flows.triage


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_test_ledger("sqlite", tmp_path / "home") as ledger:
        yield ledger


@pytest.fixture
def use(flow: ModuleType, ledger: Ledger) -> Iterator[Callable[[Recorded], Worker]]:
    """Give the flow a worker with these stages."""
    tokens = []

    def set_up(stages: Recorded) -> Worker:
        worker = Worker(ledger, load_settings({}), "w", stages=stages.stages)
        tokens.append(flow.WORKER.set(worker))
        return worker

    yield set_up
    for token in tokens:
        flow.WORKER.reset(token)


Use = Callable[[Recorded], Worker]


def worked(flow: ModuleType, worker: Worker) -> str:
    """What the task `work` does to the next submission; its id."""
    (claim,) = led.claim(worker.ledger, worker.name)
    flow._claims[claim.submission_id] = claim
    asyncio.run(flow.work.fn(claim.submission_id))
    return claim.submission_id


# --------------------------------------------------------------------------- tasks


def test_a_task_takes_a_submission_to_its_end(flow: ModuleType, use: Use, ledger: Ledger) -> None:
    received(ledger, b"1")
    name = worked(flow, use(Recorded()))
    assert led.item(ledger, name).state == State.DONE


@pytest.mark.parametrize("error", [ConfigurationError(SECRET), KeyError(SECRET)], ids=["ours", "bug"])
def test_what_prefect_sees_of_a_failure(flow: ModuleType, use: Use, ledger: Ledger, error: Exception) -> None:
    received(ledger, b"1")
    worker = use(Recorded("read", error))
    with pytest.raises(flow.WorkFailed) as caught:
        worked(flow, worker)
    assert str(caught.value).startswith(f"work failed with {type(error).__name__} at stages.py:")
    assert SECRET not in repr(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert worker.failure is error


def test_a_case_without_an_answer_of_the_evaluator_is_no_failed_task(
    flow: ModuleType, use: Use, ledger: Ledger
) -> None:
    received(ledger, b"1")
    name = worked(flow, use(Recorded("evaluate", EvaluatorError(SECRET, retryable=False))))
    assert led.item(ledger, name).reason == "evaluator"


def test_what_is_due_is_sent(flow: ModuleType, use: Use, ledger: Ledger) -> None:
    received(ledger, b"1", b"2", b"3")
    worker = use(Recorded())
    for claim in led.claim(ledger, "w", 9):
        worker.work(claim)
    assert led.sendings_due(ledger)
    assert asyncio.run(flow.deliver.fn(2)) == 2
    assert led.figures(ledger).states[State.DONE] == 2
    assert asyncio.run(flow.deliver.fn(2)) == 1
    assert not led.sendings_due(ledger)


@pytest.mark.parametrize(
    ("every_s", "order"), [(-1.0, ["send", "work", "work"]), (3600.0, ["work", "work", "send"])]
)
def test_what_is_due_does_not_wait_for_all_submissions(
    flow: ModuleType,
    use: Use,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    every_s: float,
    order: list[str],
) -> None:
    """A letter would wait for a hundred faxes, half an hour."""
    received(ledger, b"1", b"2", b"3")
    worker, done, work, deliver = use(Recorded()), list[str](), flow.work.fn, flow.deliver.fn

    async def worked(submission_id: str) -> None:
        done.append("work")
        await work(submission_id)

    async def delivered(most: int, seconds: float | None = None) -> int:
        done.append("send")
        return int(await deliver(most, seconds))

    for name, value in [("work", worked), ("deliver", delivered), ("_SENDINGS_S", every_s)]:
        monkeypatch.setattr(flow, name, value)
    worker.work(led.claim(ledger, "w")[0])
    asyncio.run(flow.triage.fn(10))
    assert done == order
    assert not led.sendings_due(ledger)


def test_what_hangs_when_it_is_sent_holds_up_no_submission_much(
    flow: ModuleType, use: Use, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty letters for a server that lets each wait: between submissions they get a tenth of the time."""
    clock, done = [0.0], list[str]()
    received(ledger, *(b"%d" % number for number in range(20)))
    worker = use(Recorded())
    for claim in led.claim(ledger, "w", 10):
        worker.work(claim)

    async def worked(submission_id: str) -> None:
        flow._claims.pop(submission_id)
        clock[0] += 10
        done.append("work")

    def hanging(worker: Worker, sendings: list[led.Sending]) -> None:
        clock[0] += 10
        done.append("send")
        for sending in sendings:
            led.undelivered(ledger, sending, "not_taken", can_pass=True)

    monkeypatch.setattr(flow.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(flow, "work", worked)
    monkeypatch.setattr(flow, "deliver", flow.deliver.fn)
    monkeypatch.setattr(flow, "_send_all", hanging)
    monkeypatch.setattr(flow, "_beside_the_loop", lambda what, run: asyncio.sleep(0, run()))
    asyncio.run(flow.triage.fn(10))
    assert done[: -done[::-1].index("work")].count("send") <= 1
    assert done.count("work") == 10


def test_an_interrupt_stops_reading_at_the_next_page_and_gives_back(
    flow: ModuleType, use: Use, ledger: Ledger
) -> None:
    """A thread cannot be interrupted, and the command must not go on reading for minutes."""
    reading, interrupted = Event(), Event()

    class Long(Recorded):
        def read(self, submission: Submission, after_page: OnPage) -> Reading:
            reading.set()
            interrupted.wait(10)
            after_page(1, 2)
            return EMPTY

    worker = use(Long())
    (receipt,) = received(ledger, b"1")
    (claim,) = led.claim(ledger, worker.name)
    flow._claims[claim.submission_id] = claim

    async def interrupt() -> None:
        task = asyncio.create_task(flow.work.fn(claim.submission_id))
        await asyncio.to_thread(reading.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        interrupted.set()

    asyncio.run(interrupt())
    item = led.item(ledger, receipt.submission_id)
    assert (item.state, item.attempts, item.worker) == (State.RECEIVED, 0, None)


def test_an_interrupt_ends_a_worker_though_prefect_makes_another_exception_of_it() -> None:
    """Its API may be gone by then; the worker went on for ever."""
    runs = []

    async def hiding() -> None:
        runs.append(1)
        if len(runs) > 1:
            raise SystemExit("it went on")
        signal.raise_signal(signal.SIGINT)
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            raise ConnectionError from None

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with asyncio.Runner() as runner, pytest.raises(KeyboardInterrupt):
            _for_ever(runner, lambda: True, hiding)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("task", ["work", "deliver"])
def test_nothing_is_kept_by_prefect(flow: ModuleType, task: str) -> None:
    step = getattr(flow, task)
    assert step.persist_result is False
    assert step.cache_policy == flow.NO_CACHE
    assert step.log_prints in (None, False)
    assert flow.triage.persist_result is flow.triage_one.persist_result is False


def test_a_worker_takes_its_settings_from_the_environment(
    flow: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path / "there"))
    asked = list[dict[str, object]]()
    monkeypatch.setattr(flow, "configure_logging", lambda **how: asked.append(how))
    monkeypatch.setattr(logging.getLogger(), "handlers", [console := flow.PrefectConsoleHandler()])
    worker = contextvars.Context().run(flow.worker_of_this_process)
    assert asked == [{"level": logging.INFO, "json": True}]
    assert console not in logging.getLogger().handlers
    with worker.ledger:
        received(worker.ledger, b"1")
    assert (tmp_path / "there" / "ledger.db").exists()


# --------------------------------------------------------------------------- settings and the API


def test_the_users_own_prefect_is_left_alone(tmp_path: Path) -> None:
    environment = prefect_environment(
        {
            "PATH": "/bin",
            "PREFECT_API_URL": "https://api.prefect.cloud/api",
            "PREFECT_API_KEY": "k",
            "PREFECT_PROFILE": "cloud",
            "PREFECT_LOGGING_TO_API_ENABLED": "true",
            "PREFECT_LOGGING_LEVEL": "DEBUG",
            "DO_NOT_TRACK": "0",
        },
        tmp_path,
    )
    assert environment["PATH"] == "/bin"
    assert environment["PREFECT_HOME"] == str(tmp_path)
    assert environment["PREFECT_LOGGING_LEVEL"] == "DEBUG"
    assert environment["PREFECT_LOGGING_TO_API_ENABLED"] == "false"
    assert environment["DO_NOT_TRACK"] == "1"
    assert not {"PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_PROFILE"} & environment.keys()


def test_prefect_knows_our_settings(flow: ModuleType, tmp_path: Path) -> None:
    """A setting that Prefect renames would be ignored without a word."""
    from prefect.settings import Settings

    names = {name.upper() for name in Settings().to_environment_variables(include_aliases=True)}
    ours = {name for name in prefect_environment({}, tmp_path) if name.startswith("PREFECT_")}
    assert ours <= names


def test_environment_is_put_back() -> None:
    before = dict(os.environ)
    with environment_replaced({"PATH": "/nowhere"}):
        assert dict(os.environ) == {"PATH": "/nowhere"}
    assert dict(os.environ) == before


def test_api_that_does_not_start_says_where_its_log_is(tmp_path: Path) -> None:
    database = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": "no-such-database://"}
    broken = {**prefect_environment(os.environ, tmp_path), **database}
    with local_api(broken, tmp_path) as ready, pytest.raises(ConfigurationError, match=r"server\.log"):
        ready()
    assert "Traceback" in (tmp_path / "server.log").read_text()


def test_api_ends_with_its_parent(tmp_path: Path) -> None:
    """Prefect's own ephemeral server goes on for ever when the process that started it is killed.

    A parent's death closes the pipe, as the test does.
    """
    settings = prefect_environment(os.environ, tmp_path)
    with subprocess.Popen(
        [sys.executable, "-m", "flows.api_process"],
        env={**settings, "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false"},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as api:
        assert api.stdin is not None
        api.stdin.close()
        assert api.wait(timeout=60) == 0


# --------------------------------------------------------------------------- upkeep


def test_requests_are_seen_to_each_round_and_a_fault_keeps_its_words(
    flow: ModuleType, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    import flows.upkeep as upkeep

    use(Recorded())
    assert asyncio.run(upkeep.requests.fn(minutes=0)).name.startswith("0 replies joined, 0 requests settled")
    rounds, due = [], upkeep.run_due

    def broken_at_last(*arguments: object, **more: object) -> object:
        rounds.append(more["actor"])
        if len(rounds) == 3:
            raise ValueError(f"{SECRET} is no date")
        return due(*arguments, **more)

    monkeypatch.setattr(upkeep, "run_due", broken_at_last)
    with pytest.raises(flow.WorkFailed) as failed:
        asyncio.run(upkeep.requests.fn(minutes=60, every_s=0))
    assert rounds == ["flow:requests"] * 3
    assert SECRET not in f"{failed.value} {failed.value.__context__} {failed.value.__cause__}"
