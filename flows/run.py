"""Submissions through the flow on this machine, for the command line: Prefect comes and goes with it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flows.local_api import environment_replaced, local_api, prefect_environment
from pipeline.case_json import from_json
from pipeline.cases import OnPage
from pipeline.domain import Case, Submission
from pipeline.settings import Settings

if TYPE_CHECKING:
    from flows.triage import Stages, Work

Process = Callable[[Submission], Case]
MakeStages = Callable[[Settings], "Stages"]


@contextmanager
def through_flow(
    settings: Settings,
    *,
    on_page: OnPage | None = None,
    make_stages: MakeStages | None = None,
) -> Iterator[Process]:
    """`cases.process`, but through the flow; Prefect's API runs as long as the block.

    The function raises what the stage raised where a flow run fails, as `cases.process` does;
    `on_page` is told (pages done, pages in all) by the thread that reads. `make_stages` is called
    once Prefect may be imported; the library's stages are the default.
    """
    with _prefect(settings):
        from flows.triage import WORK, Work, library_stages

        work = Work((make_stages or library_stages)(settings), on_page)
        token = WORK.set(work)
        try:
            with asyncio.Runner() as runner:
                yield lambda submission: _process(submission, work, runner)
        finally:
            WORK.reset(token)


def _process(submission: Submission, work: Work, runner: asyncio.Runner) -> Case:
    from flows.triage import StageFailed, triage

    store = work.stages.store
    submission_id = store.put(submission)
    try:
        runner.run(triage(submission_id))
    except StageFailed:
        if work.failure is None:
            raise
        raise work.failure from None
    return from_json(store.load_case(submission_id))


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
