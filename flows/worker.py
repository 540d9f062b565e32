"""One worker of a service, in a process of its own: runs the triage flow whenever something is to be done.

    python -m flows.child flows.worker                                   works the ledger
    python -m flows.child flows.worker --channel NAME [--watch FOLDER]   takes in what comes through a channel
    python -m flows.child flows.worker --requests                        sees to requests for information

Prefect's settings are in the environment. Whatever goes wrong with Prefect is waited out: what is to be
done is in the ledger.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from pipeline import ledger as led
from pipeline.errors import TriageError
from pipeline.ledger import Ledger, open_ledger, worker_name
from pipeline.logs import configure_logging
from pipeline.monitoring import tracing
from pipeline.settings import Settings, load_settings
from pipeline.working import Stages, Worker, library_stages

_log = logging.getLogger(__name__)
_LOOK_S: Final = 0.5
_AFTER_FAILURE_S: Final = 2.0


def main(
    make_stages: Callable[[Settings], Stages] = library_stages,
    open_: Callable[[Settings], Ledger] = open_ledger,
) -> None:
    """Work until it is interrupted, which ends it without an exception."""
    options = argparse.ArgumentParser()
    options.add_argument("--channel")
    options.add_argument("--watch", type=Path)
    options.add_argument("--requests", action="store_true")
    options.add_argument("--log-level", default="WARNING")
    options.add_argument("--json-logs", action="store_true")
    chosen = options.parse_args()
    configure_logging(level=chosen.log_level, json=chosen.json_logs)
    try:
        # Imported now: Prefect would take over logging where it is not set up yet.
        from flows.triage import WORKER, triage
        from flows.upkeep import intake, requests

        settings = load_settings(os.environ)
        tracing.start(settings)
        with open_(settings) as ledger:
            worker = Worker(ledger, settings, worker_name(), stages=make_stages(settings))
            WORKER.set(worker)
            try:
                with asyncio.Runner() as runner:  # knows only what was set before
                    if chosen.channel:
                        folder = str(chosen.watch.absolute()) if chosen.watch else None
                        _for_ever(runner, lambda: True, lambda: intake(chosen.channel, folder))
                    elif chosen.requests:
                        _for_ever(runner, lambda: True, requests)
                    else:
                        _for_ever(runner, lambda: _is_due(ledger), triage)
            finally:
                worker.tallies.write()
                worker.close()
    except KeyboardInterrupt:
        _log.info("Stopped.")
    finally:
        tracing.stop()


def _is_due(ledger: Ledger) -> bool:
    return led.claims_due(ledger) or led.sendings_due(ledger)


async def _interruptible(flow: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """The flow; an interrupt ends this process even where Prefect makes another exception of it, as it does
    when its API is gone."""
    task = asyncio.current_task()
    try:
        await flow()
    finally:
        if task is not None and task.cancelling():
            raise asyncio.CancelledError


def _for_ever(
    runner: asyncio.Runner, is_due: Callable[[], bool], flow: Callable[[], Coroutine[Any, Any, Any]]
) -> None:
    while True:
        try:
            if is_due():
                runner.run(_interruptible(flow))
            else:
                time.sleep(_LOOK_S)
        except TriageError as error:
            _log.error("%s", error)
            time.sleep(_AFTER_FAILURE_S)
        except Exception as error:  # Prefect's API went away, or the flow failed: both are told of already
            _log.warning("A flow run ended with %s.", type(error).__name__)
            time.sleep(_AFTER_FAILURE_S)
