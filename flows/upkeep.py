"""The flows besides triage: taking in what a channel has, what requests for information ask for, sending
again what failed, erasing what is old.

Prefect is imported here; see `triage`.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.triage import _beside_the_loop, worker_of_this_process
from pipeline import ledger as led
from pipeline.cases import Knowledge
from pipeline.correspondence import run_due
from pipeline.intake import open_channel
from pipeline.intake.polling import Polling
from pipeline.settings import load_settings

_ACTOR, _REQUESTS = "flow:retention", "flow:requests"


@flow(name="intake", persist_result=False)
async def intake(channel: str, folder: str | None = None, minutes: float = 60.0) -> State[None]:
    """Take in what comes through a channel for so many minutes; the state's name says how many came.

    `folder` is watched instead of the settings' by the channel of that name.
    """
    worker, ends, taken = worker_of_this_process(), time.monotonic() + 60 * minutes, 0
    settings = load_settings(os.environ)
    if folder is not None:
        settings = replace(settings, watch_folder=folder)
    polling = Polling(open_channel(channel, settings))
    while (left := ends - time.monotonic()) > 0:
        taken += await asyncio.to_thread(polling.poll, worker.ledger)
        await asyncio.sleep(min(polling.pause_s, left))
    return Completed(name=f"{taken} received")


@flow(name="requests", persist_result=False)
async def requests(minutes: float = 60.0, every_s: float = 60.0) -> State[None]:
    """What the days, the channels and the arrivals ask of requests for information, each minute for so many
    minutes: replies joined, acknowledgements collected, offices reminded, requests expired. Any number of
    runs at once do each thing once; the state's name says what was done."""
    worker, ends, told = worker_of_this_process(), time.monotonic() + 60 * minutes, ""
    knowledge = Knowledge(worker.settings)
    while True:
        done = await _beside_the_loop("requests", partial(run_due, worker.ledger, knowledge, actor=_REQUESTS))
        told = done.told if done.found or done.reminded or done.expired or not told else told
        if time.monotonic() + every_s >= ends:
            return Completed(name=told)
        await asyncio.sleep(every_s)


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
