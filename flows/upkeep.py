"""The flows besides triage: watching a folder, sending again what failed, erasing what is old.

Prefect is imported here; see `triage`.
"""

from __future__ import annotations

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.triage import worker_of_this_process
from pipeline import ledger as led
from pipeline.intake.watch import WatchedFolder
from pipeline.settings import load_settings

_ACTOR = "flow:retention"


@flow(name="watch", persist_result=False)
async def watch(
    folder: str, minutes: float = 60.0, every_s: float = 1.0, settled_s: float = 5.0
) -> State[None]:
    """Take in what comes into `folder` for so many minutes; the state's name says how many came."""
    worker, ends, taken = worker_of_this_process(), time.monotonic() + 60 * minutes, 0
    watched = WatchedFolder(Path(folder), settled_s=settled_s)
    while time.monotonic() < ends:
        taken += await asyncio.to_thread(watched.take_in, worker.ledger)
        await asyncio.sleep(every_s)
    return Completed(name=f"{taken} received")


@flow(name="reevaluate", persist_result=False)
async def reevaluate(reason: str = "evaluator", most: int = 1000) -> State[None]:
    """Put to work again what is parked for a reason that has been mended: the rules evaluator is back."""
    ledger = worker_of_this_process().ledger
    parked = led.items(ledger, states=[led.State.PARKED], reason=reason, most=most)
    for item in parked:
        await asyncio.to_thread(led.replay, ledger, item.id, actor="flow:reevaluate")
    return Completed(name=f"{len(parked)} replayed")


@flow(name="retention", persist_result=False)
async def retention() -> State[None]:
    """Erase what the settings say is old, and files that nothing refers to."""
    ledger, settings = worker_of_this_process().ledger, load_settings(os.environ)
    erased = list[str]()
    if settings.retention_days:
        keep = timedelta(days=settings.retention_days)
        while batch := await asyncio.to_thread(led.erase_old, ledger, keep, actor=_ACTOR):
            erased += batch
    swept = await asyncio.to_thread(led.sweep, ledger)
    return Completed(name=f"{len(erased)} erased, {len(swept)} files swept")
