"""Registering the flows with a Prefect API of your own, for many machines.

On each machine then runs `prefect worker start --pool triage`, with the same TRIAGE_ settings. The flows
take no submissions as parameters, so any number of runs may be started, by whomever: each works what the
ledger gives it.

What is stuck is the ledger's to say (`triage queue list --stuck`), and it comes back by itself when its
lease ends. Only Prefect's own record can be wrong for ever: a run whose machine died stays Running, and
holds a place below the concurrency limit. Two automations mend that; they touch no submission.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from prefect import Flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import (
    ConcurrencyLimitConfig,
    ConcurrencyLimitStrategy,
    StateType,
)
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings
from prefect.types.entrypoint import EntrypointType

from flows.triage import triage
from flows.upkeep import intake, reevaluate, requests, retention
from flows.work_pools import HEARTBEAT_S, Pool, base_job_template
from pipeline.errors import ConfigurationError, UsageError

_ROUND_S: Final = 60.0
_NIGHTLY: Final = "17 2 * * *"
SILENT_S: Final = 4 * HEARTBEAT_S  # three heartbeats may be lost
NOT_BEGUN_S: Final = 900.0  # an image may have to be pulled
# Heartbeats, and each state by its name, which ours give themselves ("3 worked, 0 failed").
_ANY_NEWS: Final = "prefect.flow-run.*"
_OTHERS: Final = (requests, retention, reevaluate)


@dataclass(frozen=True)
class Deployed:
    """One deployment or automation, as it was registered."""

    name: str
    pool: str
    schedule: str


def deploy(
    *,
    pool: str,
    pool_type: str,
    workers: int,
    channels: Sequence[str],
    watched: str | None,
    environ: Mapping[str, str] | None = None,
    silent_s: float = SILENT_S,
    not_begun_s: float = NOT_BEGUN_S,
    **options: Any,
) -> list[Deployed]:
    """Register work pool, deployments, schedules, limits and automations; again, with other values,
    changes them.

    `workers` is how many triage runs there may be at once on all machines; each of `channels` has one.
    `watched` is a folder for the channel of that name. `options` are of `Pool`. Raises what Prefect raises,
    UsageError and ConfigurationError: without an address Prefect would start a server of its own, which
    ends with the command.
    """
    if get_current_settings().api.url is None:
        raise ConfigurationError(
            "No Prefect API is named.",
            next_step="PREFECT_API_URL=http://HOST:4200/api names it; `prefect server start` starts one.",
        )
    # Beside the triage runs one of each other flow.
    at_once = workers + len(_OTHERS) + len(channels)
    wanted = Pool(name=pool, type=pool_type, at_once=at_once, environ=environ or {}, **options)
    return asyncio.run(_deploy(wanted, workers, channels, watched, silent_s, not_begun_s))


async def _deploy(
    pool: Pool,
    workers: int,
    channels: Sequence[str],
    watched: str | None,
    silent_s: float,
    not_begun_s: float,
) -> list[Deployed]:
    template = base_job_template(pool)
    async with get_client() as client:
        await _make_pool(client, pool, template)
        done = await _deployments(pool.name, workers, channels, watched)
        for automation in automations(silent_s, not_begun_s):
            await _keep(client, automation)
            done.append(Deployed(f"automation {automation.name}", pool.name, automation.description))
    return done


async def _make_pool(client: PrefectClient, pool: Pool, template: dict[str, Any]) -> None:
    try:
        there = await client.read_work_pool(pool.name)
    except ObjectNotFound:
        new = WorkPoolCreate(
            name=pool.name, type=pool.type, base_job_template=template, concurrency_limit=pool.at_once
        )
        await client.create_work_pool(new)
        return
    if there.type != pool.type:
        raise UsageError(
            f"The work pool {pool.name} is of type {there.type}, which cannot be changed.",
            next_step="Name another with --pool.",
        )
    changed = WorkPoolUpdate(base_job_template=template, concurrency_limit=pool.at_once)
    await client.update_work_pool(pool.name, changed)


async def _deployments(
    pool: str, workers: int, channels: Sequence[str], watched: str | None
) -> list[Deployed]:
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


# --------------------------------------------------------------------------- runs that hang


def automations(silent_s: float, not_begun_s: float) -> list[AutomationCore]:
    """What marks runs of our flows as crashed: those that began and are not heard of any more, and those
    that were handed to a worker and did not begin."""
    return [
        _crashed_when(
            "triage: a run is silent",
            f"no heartbeat for {silent_s:.0f} s: marked as crashed, its place is free",
            after="prefect.flow-run.heartbeat",
            within_s=silent_s,
        ),
        _crashed_when(
            "triage: a run does not begin",
            f"pending for {not_begun_s:.0f} s: marked as crashed, its place is free",
            after="prefect.flow-run.Pending",
            within_s=not_begun_s,
        ),
    ]


def _crashed_when(name: str, told: str, *, after: str, within_s: float) -> AutomationCore:
    ours = [flow.name for flow in (triage, intake, *_OTHERS)]
    return AutomationCore(
        name=name,
        description=told,
        trigger=EventTrigger(
            after={after},
            expect={_ANY_NEWS},
            for_each={"prefect.resource.id"},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            match_related=ResourceSpecification(
                {"prefect.resource.role": ["flow"], "prefect.resource.name": ours}
            ),
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=within_s),
        ),
        actions=[
            ChangeFlowRunState(name="Crashed", state=StateType.CRASHED, message=f"{told}.", force=False)
        ],
    )


async def _keep(client: PrefectClient, automation: AutomationCore) -> None:
    """The automation as it is now, once: a second `deploy` changes it."""
    there = await client.read_automations_by_name(automation.name)
    if there:
        await client.update_automation(there[0].id, automation)
    else:
        await client.create_automation(automation)
