"""One submission through the flow on this machine, for the command line: Prefect comes and goes with it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from flows.local_api import environment_replaced, local_api, prefect_environment
from pipeline import ledger as led
from pipeline.case_json import from_json
from pipeline.cases import OnPage
from pipeline.domain import Case, Submission
from pipeline.errors import UnreadableFile
from pipeline.ledger import Arrival, Incoming, Ledger, open_ledger, worker_name
from pipeline.monitoring import tracing
from pipeline.settings import Settings
from pipeline.working import Stages, Worker, library_stages

Process = Callable[[Submission], Case]
MakeStages = Callable[[Settings], Stages]
_ACTOR = "user:command"


@contextmanager
def through_flow(
    settings: Settings,
    *,
    on_page: OnPage | None = None,
    make_stages: MakeStages = library_stages,
    first_pause: timedelta = timedelta(seconds=1),
) -> Iterator[Process]:
    """`cases.process`, but through the ledger and the flow; Prefect's API runs as long as the block.

    A submission that the ledger knows is worked anew, as another numbered case. The function raises what a
    stage raised, as `cases.process` does; `on_page` is told (pages done, pages in all) by the thread that
    reads. The evaluator is asked again after `first_pause`, then after twice as long, and so on.
    """
    with _prefect(settings), open_ledger(settings) as opened:
        from flows.triage import WORKER

        limits = replace(
            opened.limits,
            # Whoever waits for it wants to know at once, and to have it worked in any case.
            max_attempts=1,
            resent=timedelta(0),
            delivery_attempts=settings.evaluator_retries + 1,
            first_pause=first_pause,
        )
        ledger = replace(opened, limits=limits)
        worker = Worker(ledger, settings, worker_name(), stages=make_stages(settings), on_page=on_page)
        tracing.start(settings)
        token = WORKER.set(worker)
        try:
            with asyncio.Runner() as runner:
                yield lambda submission: _process(submission, worker, runner)
        finally:
            WORKER.reset(token)
            worker.tallies.write()
            worker.close()
            tracing.stop()


def _process(submission: Submission, worker: Worker, runner: asyncio.Runner) -> Case:
    from flows.triage import WorkFailed, triage_one

    ledger = worker.ledger
    submission_id = _received(ledger, submission)
    worker.failure = None
    try:
        runner.run(triage_one(submission_id))
    except WorkFailed:
        if worker.failure is None:
            raise
        raise worker.failure from None
    return from_json(led.load_case(ledger, submission_id))


def _received(ledger: Ledger, submission: Submission) -> str:
    """The submission's id in the ledger, ready to be worked under the names that it has now."""
    received_at = datetime.combine(submission.received, time(12), UTC) if submission.received else None
    files = [Incoming(file.name, file.path) for file in submission.files]
    (receipt,) = led.receive(ledger, [Arrival(files, channel="command", received_at=received_at)])
    if receipt.submission_id != submission.id:
        raise UnreadableFile(
            "changed", "A file changed while it was taken in.", next_step="Send it again once it is whole."
        )
    if not receipt.new:
        led.rename(ledger, submission.id, [(file.sha256, file.name) for file in submission.files])
        if led.item(ledger, submission.id).state in led.ENDED:
            led.replay(ledger, submission.id, actor=_ACTOR, read_again=True)
    return submission.id


@contextmanager
def _prefect(settings: Settings) -> Iterator[None]:
    """Prefect imported with our settings, and its API."""
    prefect_home = settings.home / "prefect"
    environment = prefect_environment(os.environ, prefect_home)
    with environment_replaced(environment), local_api(environment, prefect_home) as api_settings:
        # Imported while the API starts: both take seconds.
        from prefect.context import refresh_global_settings_context
        from prefect.events.worker import EventsWorker

        import flows.triage  # noqa: F401

        os.environ.update(api_settings())
        # Prefect reads its settings when it is imported, which may have been for an earlier API.
        refresh_global_settings_context()
        try:
            yield
        finally:
            # States of tasks travel as events, beside the calls; they must arrive before the API goes.
            EventsWorker.drain_all()
