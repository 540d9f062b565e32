"""Registering the flows with a Prefect API of your own, for many machines.

On each machine then runs `prefect worker start --pool triage`, with the same TRIAGE_ settings. The flows
take no submissions as parameters, so any number of runs may be started, by whomever: each works what the
ledger gives it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from prefect import Flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.exceptions import ObjectNotFound
from prefect.types.entrypoint import EntrypointType

from flows.triage import triage
from flows.upkeep import intake, reevaluate, requests, retention

_ROUND_S: Final = 60.0
_NIGHTLY: Final = "17 2 * * *"


@dataclass(frozen=True)
class Deployed:
    """One deployment, as it was registered."""

    name: str
    pool: str
    schedule: str


def deploy(
    *, pool: str, pool_type: str, workers: int, channels: Sequence[str], watched: str | None
) -> list[Deployed]:
    """Register work pool, deployments, schedules and limits; again, with other values, changes them.

    `workers` is how many triage runs there may be at once on all machines; each of `channels` has one.
    `watched` is a folder for the channel of that name. Raises what Prefect raises.
    """
    return asyncio.run(_deploy(pool, pool_type, workers, channels, watched))


async def _deploy(
    pool: str, pool_type: str, workers: int, channels: Sequence[str], watched: str | None
) -> list[Deployed]:
    async with get_client() as client:
        try:
            await client.read_work_pool(pool)
        except ObjectNotFound:
            await client.create_work_pool(WorkPoolCreate(name=pool, type=pool_type))
    every = timedelta(seconds=_ROUND_S)
    done = [
        # A run that finds nothing ends at once; one that works keeps its place until the next is due.
        await _register(triage, pool, "every minute", interval=every, limit=workers),
        await _register(requests, pool, "every minute", interval=every, limit=1),
        await _register(retention, pool, "nightly", cron=_NIGHTLY, limit=1),
        await _register(reevaluate, pool, "by hand", limit=1),
    ]
    for channel in channels:
        parameters = {"channel": channel}
        if channel == "folder" and watched is not None:
            parameters["folder"] = watched
        done.append(
            await _register(
                intake, pool, "every minute", name=channel, interval=every, limit=1, parameters=parameters
            )
        )
    return done


async def _register(
    flow: Flow[Any, Any], pool: str, told: str, *, limit: int, name: str = "triage", **schedule: Any
) -> Deployed:
    deployment = await flow.ato_deployment(
        name,
        work_pool_name=pool,
        entrypoint_type=EntrypointType.MODULE_PATH,
        # A run above the limit has nothing to do that the others do not: it goes away.
        concurrency_limit=ConcurrencyLimitConfig(
            limit=limit, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
        ),
        **schedule,
    )
    applying = deployment.apply()
    if asyncio.iscoroutine(applying):
        await applying
    return Deployed(f"{flow.name}/{name}", pool, told)
