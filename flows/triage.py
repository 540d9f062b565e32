"""One submission through the flow: read, build, evaluate.

A task is a border at which work is repeated, so there are three, and they hand over ids: the
records meet in the store. Prefect keeps parameters, states and the messages of exceptions in its
database, and pickles the exception that ends a flow run into its storage whether or not results are
persisted (seen with 3.8.8), so none of them may hold text of a patient. An exception of a stage ends
at `_stage`; what goes on to Prefect is a StageFailed made of names and line numbers.

Prefect is imported here: its settings must be in the environment before (see `flows.run`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
import traceback
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import Completed
from prefect.tasks import Task

from pipeline import cases
from pipeline.case_json import from_json, to_json
from pipeline.domain import Case, Problem, Reading, Submission
from pipeline.errors import EvaluatorError, TriageError
from pipeline.settings import Settings, load_settings
from pipeline.store import Store

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stages:
    """What the tasks call: the library, or a test's stand-ins.

    `read` tells its second argument (pages done, pages in all) after each page. `evaluate` raises
    EvaluatorError where there is no answer; a retryable one is tried again after each of
    `evaluator_delays` (seconds), since the evaluator's answer is the one thing that may be there
    later without anybody's doing.
    """

    store: Store
    read: Callable[[Submission, cases.OnPage], Reading]
    build: Callable[[Submission, Reading], Case]
    evaluate: Callable[[Case], Case]
    evaluator_delays: Sequence[float] = ()


def library_stages(settings: Settings) -> Stages:
    """The stages as `triage run` has them without the flow."""
    from pipeline.evaluation import evaluate as ask_evaluator

    knowledge = cases.Knowledge(settings)
    once = replace(settings, evaluator_retries=0)  # the task tries again, not the client
    return Stages(
        store=Store(settings.home),
        read=lambda submission, after_page: cases.read(submission, settings, on_page=after_page),
        build=lambda submission, reading: cases.build_case(submission, reading, knowledge),
        evaluate=lambda case: replace(case, evaluation=ask_evaluator(case, once)),
        evaluator_delays=[min(2.0**attempt, 30.0) for attempt in range(settings.evaluator_retries)],
    )


@dataclass
class Work:
    """The stages of this process, and the exception that ended the last flow run.

    The exception stays here, for whoever started the flow in this process: it may quote a page.
    """

    stages: Stages
    on_page: cases.OnPage | None = None
    failure: Exception | None = field(default=None, repr=False)
    interrupted: Event = field(default_factory=Event)

    def after_page(self, done: int, of: int) -> None:
        """Between two pages: where a thread that reads can stop, as no interrupt reaches it."""
        if self.interrupted.is_set():
            raise InterruptedError("The flow run was cancelled.")
        if self.on_page is not None:
            self.on_page(done, of)


WORK: ContextVar[Work] = ContextVar("work")


def _work() -> Work:
    """What `flows.run` has set; else a worker has started the flow, and its environment says."""
    if (work := WORK.get(None)) is None:
        work = Work(library_stages(load_settings(os.environ)))
        WORK.set(work)
    return work


class StageFailed(Exception):
    """A stage failed. Holds nothing but the stage's name, the exception's class and its place."""

    def __init__(self, stage: str, error: Exception) -> None:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        super().__init__(f"{stage} failed with {type(error).__name__} at {place}.")
        self.retryable = isinstance(error, EvaluatorError) and error.retryable
        self.no_answer = isinstance(error, EvaluatorError)


async def _stage(name: str, submission_id: str, run: Callable[[Work], None]) -> None:
    """Run a stage beside the event loop. Raises StageFailed in place of anything else."""
    work, started = _work(), time.monotonic()
    try:
        await asyncio.to_thread(run, work)
        _log.info("Submission %s: %s took %.1f s.", submission_id, name, time.monotonic() - started)
        return
    except asyncio.CancelledError:
        work.interrupted.set()
        raise
    except Exception as error:
        work.failure = error
        failed = StageFailed(name, error)
        if isinstance(error, TriageError):
            _log.warning("Submission %s: %s", submission_id, failed)
        else:
            _log.error("Submission %s: %s", submission_id, failed, exc_info=error)
    # Raised here and not above, so that the stage's exception is not the context of this one.
    raise failed


async def _waiting_can_help(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    error = await state.aresult(raise_on_failure=False)
    return isinstance(error, StageFailed) and error.retryable


@task(cache_policy=NO_CACHE, persist_result=False)
async def read(submission_id: str) -> None:
    """Files to pages."""

    def run(work: Work) -> None:
        store = work.stages.store
        store.save_reading(submission_id, work.stages.read(store.submission(submission_id), work.after_page))

    await _stage("read", submission_id, run)


@task(cache_policy=NO_CACHE, persist_result=False)
async def build(submission_id: str) -> None:
    """Pages to a case."""

    def run(work: Work) -> None:
        store = work.stages.store
        case = work.stages.build(store.submission(submission_id), store.load_reading(submission_id))
        store.save_case(submission_id, to_json(case))

    await _stage("build", submission_id, run)


@task(cache_policy=NO_CACHE, persist_result=False, retry_condition_fn=_waiting_can_help)
async def evaluate(submission_id: str) -> None:
    """A case to its evaluation; a case that is parked already stays as it is."""

    def run(work: Work) -> None:
        store = work.stages.store
        case = from_json(store.load_case(submission_id))
        if case.status != "parked":
            store.save_case(submission_id, to_json(work.stages.evaluate(case)))

    await _stage("evaluate", submission_id, run)


@flow(name="triage", flow_run_name="{submission_id}", persist_result=False)
async def triage(submission_id: str) -> State[None]:
    """One submission of the store to its case in the store. The state's name is the case's status.

    Without an answer of the evaluator the case is parked. Any other failure is a matter of set-up or
    a bug: the case is parked too, so that it is not lost from sight, and the flow run fails.
    """
    work = _work()
    work.failure = None
    delays = list(work.stages.evaluator_delays)
    try:
        await read(submission_id)
        await build(submission_id)
        await evaluate.with_options(retries=len(delays), retry_delay_seconds=delays)(submission_id)
    except StageFailed as failed:
        await asyncio.to_thread(_park, work, submission_id, failed)
        if not failed.no_answer:
            raise
    status: str = (await asyncio.to_thread(work.stages.store.load_case, submission_id))["status"]
    return Completed(name=status.capitalize())


def _park(work: Work, submission_id: str, failed: StageFailed) -> None:
    """Leave a parked case in the store: with what is known where only the evaluator is missing."""
    store = work.stages.store
    if isinstance(work.failure, EvaluatorError):
        tries = len(work.stages.evaluator_delays) + 1 if failed.retryable else 1
        case = cases.unanswered(from_json(store.load_case(submission_id)), work.failure, tries=tries)
    else:
        expected = isinstance(work.failure, TriageError)
        problem = (
            Problem(None, None, "failed", str(work.failure))
            if expected
            else Problem(None, None, "internal_error", str(failed))
        )
        case = cases.parked(store.submission(submission_id), problem)
    store.save_case(submission_id, to_json(case))
