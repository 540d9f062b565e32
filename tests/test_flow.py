"""The flow without Prefect's API: its tasks as plain functions, its settings, its failures.

The whole flow with the API is in test_privacy.py, which starts it once.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from types import ModuleType

import pytest

from flows.local_api import environment_replaced, local_api, prefect_environment
from pipeline.case_json import from_json, to_json
from pipeline.cases import OnPage
from pipeline.domain import Case, CaseFile, Problem, Reading, SourceFile, Submission
from pipeline.errors import ConfigurationError, EvaluatorError
from pipeline.store import Store

SECRET = "Quillfeather"
READING = Reading(pages=(), problems=(Problem("a.pdf", 1, "crashed", "Page 1."),), page_counts={"a.pdf": 1})


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """flows.triage, imported as `flows.run` does it: Prefect with a home of its own."""
    with environment_replaced(prefect_environment(os.environ, tmp_path_factory.mktemp("prefect"))):
        import flows.triage

        yield flows.triage


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF")
    digest = hashlib.sha256(b"%PDF").hexdigest()
    return Submission("s-1", (SourceFile("a.pdf", path, digest, "application/pdf"),))


def case_of(submission: Submission) -> Case:
    files = tuple(CaseFile(file.name, file.sha256, file.media_type, 1) for file in submission.files)
    return Case(submission.id, "complete", (), None, files)


class Recorded:
    """Stages that note what they were given; `error` is raised by the stage named `failing`."""

    def __init__(self, failing: str = "", error: Exception | None = None) -> None:
        self.calls: list[tuple[object, ...]] = []
        self._failing, self._error = failing, error

    def _note(self, *call: object) -> None:
        self.calls.append(call)
        if call[0] == self._failing and self._error is not None:
            raise self._error

    def read(self, submission: Submission, after_page: OnPage) -> Reading:
        self._note("read", submission.id)
        after_page(1, 2)
        return READING

    def build(self, submission: Submission, reading: Reading) -> Case:
        self._note("build", submission.id, reading)
        return case_of(submission)

    def evaluate(self, case: Case) -> Case:
        self._note("evaluate", case)
        return replace(case, problems=(Problem(None, None, "seen", "by the evaluator"),))


@pytest.fixture
def use(flow: ModuleType, tmp_path: Path, submission: Submission) -> Iterator[Callable[[Recorded], Store]]:
    """Give the tasks these stages and the submission in a store."""
    tokens = []

    def set_up(stages: Recorded) -> Store:
        store = Store(tmp_path / "home")
        store.put(submission)
        work = flow.Work(flow.Stages(store, stages.read, stages.build, stages.evaluate))
        tokens.append(flow.WORK.set(work))
        return store

    yield set_up
    for token in tokens:
        flow.WORK.reset(token)


Use = Callable[[Recorded], Store]


# --------------------------------------------------------------------------- tasks


def test_tasks_meet_in_the_store(flow: ModuleType, use: Use, submission: Submission) -> None:
    stages = Recorded()
    store = use(stages)
    for step in (flow.read, flow.build, flow.evaluate):
        assert asyncio.run(step.fn("s-1")) is None
    assert stages.calls == [
        ("read", "s-1"),
        ("build", "s-1", READING),
        ("evaluate", case_of(submission)),
    ]
    assert from_json(store.load_case("s-1")).problems == (Problem(None, None, "seen", "by the evaluator"),)


def test_a_parked_case_is_not_evaluated(flow: ModuleType, use: Use, submission: Submission) -> None:
    stages = Recorded()
    store = use(stages)
    parked = replace(case_of(submission), status="parked")
    store.save_case("s-1", to_json(parked))
    asyncio.run(flow.evaluate.fn("s-1"))
    assert stages.calls == []
    assert from_json(store.load_case("s-1")) == parked


def test_a_task_may_be_repeated(flow: ModuleType, use: Use, submission: Submission) -> None:
    store = use(Recorded())
    for step in (flow.read, flow.read, flow.build, flow.read, flow.build, flow.evaluate):
        asyncio.run(step.fn("s-1"))
    once = store.load_case("s-1")
    for step in (flow.read, flow.build, flow.evaluate):
        asyncio.run(step.fn("s-1"))
    assert store.load_case("s-1") == once


@pytest.mark.parametrize(
    ("error", "retryable", "no_answer"),
    [
        (EvaluatorError(SECRET, retryable=True), True, True),
        (EvaluatorError(SECRET, retryable=False), False, True),
        (ConfigurationError(SECRET), False, False),
        (KeyError(SECRET), False, False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_prefect_sees_of_a_failure(
    flow: ModuleType, use: Use, error: Exception, retryable: bool, no_answer: bool
) -> None:
    use(Recorded("read", error))
    with pytest.raises(flow.StageFailed) as caught:
        asyncio.run(flow.read.fn("s-1"))
    failed = caught.value
    assert str(failed).startswith(f"read failed with {type(error).__name__} at test_flow.py:")
    assert SECRET not in repr(failed)
    assert (failed.__cause__, failed.__context__) == (None, None)
    assert (failed.retryable, failed.no_answer) == (retryable, no_answer)
    assert flow.WORK.get().failure is error
    state = flow.Completed(data=failed)
    assert asyncio.run(flow._waiting_can_help(flow.evaluate, None, state)) is retryable


def test_pages_are_counted(flow: ModuleType, use: Use) -> None:
    use(Recorded())
    pages = []
    flow.WORK.get().on_page = lambda done, of: pages.append((done, of))
    asyncio.run(flow.read.fn("s-1"))
    assert pages == [(1, 2)]


def test_an_interrupt_stops_reading_at_the_next_page(flow: ModuleType, use: Use) -> None:
    """A thread cannot be interrupted, and the command must not go on reading for minutes."""
    reading, interrupted, ended = Event(), Event(), []

    class Long(Recorded):
        def read(self, submission: Submission, after_page: OnPage) -> Reading:
            reading.set()
            interrupted.wait(10)
            try:
                after_page(1, 2)
            except InterruptedError as error:
                ended.append(error)
            return READING

    use(Long())

    async def interrupt() -> None:
        task = asyncio.create_task(flow.read.fn("s-1"))
        await asyncio.to_thread(reading.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        interrupted.set()

    asyncio.run(interrupt())
    assert len(ended) == 1


@pytest.mark.parametrize(
    ("error", "traceback"), [(ConfigurationError("No such policy."), False), (KeyError(SECRET), True)]
)
def test_only_a_bug_is_logged_with_its_traceback(
    flow: ModuleType, use: Use, caplog: pytest.LogCaptureFixture, error: Exception, traceback: bool
) -> None:
    caplog.set_level(logging.DEBUG, logger="flows")  # an earlier test may have asked for quiet
    use(Recorded("read", error))
    with pytest.raises(flow.StageFailed):
        asyncio.run(flow.read.fn("s-1"))
    (record,) = caplog.records
    assert bool(record.exc_info or record.exc_text) is traceback


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigurationError("No such policy."), "failed", "No such policy."),
        (KeyError(SECRET), "internal_error", "build failed with KeyError at "),
    ],
)
def test_a_failed_submission_is_parked_in_the_store(
    flow: ModuleType, use: Use, submission: Submission, error: Exception, code: str, message: str
) -> None:
    store = use(Recorded("build", error))
    asyncio.run(flow.read.fn("s-1"))
    with pytest.raises(flow.StageFailed) as caught:
        asyncio.run(flow.build.fn("s-1"))
    flow._park(flow.WORK.get(), "s-1", caught.value)
    case = from_json(store.load_case("s-1"))
    (problem,) = case.problems
    assert (case.status, [file.name for file in case.files]) == ("parked", ["a.pdf"])
    assert (problem.code, problem.message[: len(message)]) == (code, message)
    assert SECRET not in problem.message


@pytest.mark.parametrize(("retryable", "asked"), [(True, " It was asked 4 times."), (False, "")])
def test_without_an_answer_the_case_is_parked_and_says_how_often_was_asked(
    flow: ModuleType, use: Use, submission: Submission, retryable: bool, asked: str
) -> None:
    """The task tries again, so that the client does not know."""
    store = use(Recorded("evaluate", EvaluatorError("It is down.", retryable=retryable)))
    work = flow.WORK.get()
    work.stages = replace(work.stages, evaluator_delays=[1.0, 2.0, 4.0])
    asyncio.run(flow.read.fn("s-1"))
    asyncio.run(flow.build.fn("s-1"))
    with pytest.raises(flow.StageFailed) as caught:
        asyncio.run(flow.evaluate.fn("s-1"))
    flow._park(work, "s-1", caught.value)
    case = from_json(store.load_case("s-1"))
    assert case.status == "parked"
    assert case.problems[-1].message == f"It is down.{asked}"


def test_waiting_does_not_help_against_something_else(flow: ModuleType) -> None:
    state = flow.Completed(data=TimeoutError())
    assert asyncio.run(flow._waiting_can_help(flow.evaluate, None, state)) is False


@pytest.mark.parametrize("task", ["read", "build", "evaluate"])
def test_nothing_is_kept_by_prefect(flow: ModuleType, task: str) -> None:
    step = getattr(flow, task)
    assert step.persist_result is False
    assert step.cache_policy == flow.NO_CACHE
    assert step.log_prints in (None, False)
    assert flow.triage.persist_result is False


def test_a_worker_takes_its_settings_from_the_environment(
    flow: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, submission: Submission
) -> None:
    Store(tmp_path / "there").put(submission)
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path / "there"))
    monkeypatch.setenv("TRIAGE_EVALUATOR_RETRIES", "7")
    stages = contextvars.Context().run(flow._work).stages
    assert stages.store.submission("s-1").files[0].sha256 == submission.files[0].sha256
    assert list(stages.evaluator_delays) == [1, 2, 4, 8, 16, 30, 30]


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
