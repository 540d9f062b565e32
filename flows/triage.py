"""The triage flow: submissions of the ledger, one after the other, each a task.

One flow run works many submissions, since a run costs Prefect a quarter of a second and a task a few
milliseconds. It claims them one at a time, so that what becomes urgent meanwhile is next, and takes no ids
as parameters: a flow run that Prefect starts twice (PrefectHQ/prefect#12509) is one more worker.

Prefect keeps parameters, states and the messages of exceptions in its database, and pickles the exception
that ends a flow run into its storage whether or not results are persisted (seen with 3.8.8), so none of
them may hold text of a patient. Tasks take ids; an exception of a stage ends in the worker; what goes on
to Prefect is a WorkFailed made of class names and line numbers. What is tried again, when and how often is
in the ledger, not in Prefect: it must outlive Prefect.

Prefect is imported here: its settings must be in the environment before (see `flows.local_api`).
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import time
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging.handlers import PrefectConsoleHandler
from prefect.states import Completed

from pipeline import ledger as led
from pipeline.errors import EvaluatorError
from pipeline.ledger import Claim, Item, Sending, open_ledger, worker_name
from pipeline.logs import configure_logging
from pipeline.monitoring import tracing
from pipeline.settings import load_settings
from pipeline.working import FOR_ALL, Worker

_log = logging.getLogger(__name__)
_LOOK_S = 0.2  # between looks at a submission that another works, or that waits for its evaluator
# Letters, and what is tried again, do not wait until the submissions are all worked. Between two of them
# they get a tenth of the time: a server that hangs, with many letters for it, holds up no submission much.
_SENDINGS_S, _SENDINGS_SHARE = 10.0, 0.1

WORKER: ContextVar[Worker] = ContextVar("worker")


def worker_of_this_process() -> Worker:
    """What this process's starter has set; else a Prefect worker has started the flow, and its environment
    says. Nobody has seen to the logs then: they go to that worker's console, without patient text."""
    if (worker := WORKER.get(None)) is None:
        _log_as_we_do()
        settings = load_settings(os.environ)
        tracing.start(settings)
        worker = Worker(open_ledger(settings), settings, worker_name())
        atexit.register(worker.close)
        WORKER.set(worker)
    return worker


def _log_as_we_do() -> None:
    """One JSON object a line, by our policy, and not by Prefect's console a second time."""
    configure_logging(level=logging.INFO, json=True)
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, PrefectConsoleHandler):
            root.removeHandler(handler)


class WorkFailed(Exception):
    """The work failed. Holds nothing but ids, the exception's class and its place."""

    def __init__(self, what: str, error: Exception) -> None:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        super().__init__(f"{what} failed with {type(error).__name__} at {place}.")


async def _beside_the_loop(what: str, run: Callable[[], Any]) -> Any:
    """Run `run` in a thread; a cancelled task stops the worker at the next page. Raises WorkFailed."""
    worker = worker_of_this_process()
    try:
        return await asyncio.to_thread(run)
    except asyncio.CancelledError:
        worker.stop()
        raise
    except Exception as error:
        worker.failure, failed = error, WorkFailed(what, error)
    # Raised here and not above, so that the stage's exception is not the context of this one.
    raise failed


_claims: dict[str, Claim] = {}


@task(cache_policy=NO_CACHE, persist_result=False, task_run_name="{submission_id}")
async def work(submission_id: str) -> None:
    """One submission as far as it goes, its sendings included."""
    worker, claim = worker_of_this_process(), _claims.pop(submission_id)

    await _beside_the_loop("work", lambda: worker.work_and_send(claim))
    if worker.failure is not None and not isinstance(worker.failure, EvaluatorError):
        raise WorkFailed("work", worker.failure)


@task(cache_policy=NO_CACHE, persist_result=False)
async def deliver(most: int, seconds: float | None = None) -> int:
    """What waits to be sent, evaluator and outputs: up to `most`, none begun after `seconds`.

    Returns how many were tried.
    """
    worker = worker_of_this_process()
    ends = None if seconds is None else time.monotonic() + seconds

    def run() -> int:
        tried = 0
        while tried < most and (ends is None or time.monotonic() < ends):
            if not (sendings := led.claim_sendings(worker.ledger, worker.name)):
                break
            _send_all(worker, sendings)
            tried += len(sendings)
        return tried

    return int(await _beside_the_loop("deliver", run))


@flow(name="triage", persist_result=False)
async def triage(most: int = 100, minutes: float = 60.0) -> State[None]:
    """Up to `most` submissions, until none waits or the minutes are over, and what is due to be sent, in
    between and at the end.

    The state's name says how many were worked and how many of them failed.
    """
    worker, ends = worker_of_this_process(), time.monotonic() + 60 * minutes
    done = failed = 0
    send_at = time.monotonic() + _SENDINGS_S
    while done < most and (now := time.monotonic()) < ends:
        if now > send_at:
            await _send_due(worker, most, seconds=1.0)
            took = time.monotonic() - now
            send_at = time.monotonic() + max(_SENDINGS_S, took / _SENDINGS_SHARE)
        claims = await _beside_the_loop("claim", lambda: led.claim(worker.ledger, worker.name))
        if not claims:
            break
        done, failed = done + 1, failed + await _work(claims[0])
    await _send_due(worker, most)
    await _beside_the_loop("write durations", worker.tallies.write)
    return Completed(name=f"{done} worked, {failed} failed")


async def _send_due(worker: Worker, most: int, *, seconds: float | None = None) -> None:
    if await _beside_the_loop("look", lambda: led.sendings_due(worker.ledger)):
        await deliver(most, seconds)


@flow(name="triage-one", flow_run_name="{submission_id}", persist_result=False)
async def triage_one(submission_id: str) -> State[None]:
    """One submission until it ends, for who waits for it. The state's name is the submission's."""
    worker = worker_of_this_process()
    while (item := await _beside_the_loop("look", lambda: led.item(worker.ledger, submission_id))) and (
        item.state not in led.ENDED
    ):
        if await _step(worker, item):
            raise WorkFailed("work", worker.failure) if worker.failure else RuntimeError("unreachable")
    return Completed(name=item.state.capitalize())


async def _step(worker: Worker, item: Item) -> bool:
    """Whatever can be done now for a submission: work it, send it, or wait. True where the work failed."""

    def claim() -> list[Claim]:
        return led.claim(worker.ledger, worker.name, only=item.id)

    def send() -> list[Sending]:
        sendings = led.claim_sendings(worker.ledger, worker.name, 9, only=item.id)
        _send_all(worker, sendings)
        return sendings

    if claims := await _beside_the_loop("claim", claim):
        return bool(await _work(claims[0]))
    if not await _beside_the_loop("send", send):
        await asyncio.sleep(_LOOK_S)
    return False


async def _work(claim: Claim) -> int:
    """1 where the work failed, which is the submission's affair; what is everybody's is raised."""
    _claims[claim.submission_id] = claim
    try:
        await work(claim.submission_id)
    except WorkFailed:
        if isinstance(worker_of_this_process().failure, FOR_ALL):
            raise
        return 1
    finally:
        _claims.pop(claim.submission_id, None)
    return 0


def _send_all(worker: Worker, sendings: list[Sending]) -> None:
    for sending in sendings:
        worker.send(sending)
