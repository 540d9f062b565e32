"""What the commands about the service do: run it on one machine, register it for many, see whether all that
it needs is there. Imports are inside the commands, as in `commands`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from pipeline.errors import ExitCode, TriageError, UsageError
from pipeline.intake_commands import HOST, PORT
from pipeline.monitor_commands import PLACE
from pipeline.settings import Settings

# Named, not imported: Prefect is imported by flows/ alone, and only when asked for.
SERVE, DEPLOY, COMMAND = "flows.serve:serve", "flows.deploy:deploy", "flows.serve:Part.command"
WATCHING, POLLING, REQUESTING = "flows.serve:watching", "flows.serve:polling", "flows.serve:requesting"


def add_commands(
    command: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """The options of `triage doctor`, `triage serve` and `triage deploy`."""
    from pipeline.desk_place import add_desk

    check = command.add_parser("doctor", parents=[shared], help="what is installed, reachable, writable")
    check.set_defaults(function=doctor)

    service = command.add_parser(
        "serve", parents=[shared], help="workers, the channels of the settings and the desk, on one machine"
    )
    service.add_argument("--workers", type=int, default=2, help="submissions at once; default: 2")
    service.add_argument("--watch", type=Path, metavar="FOLDER", help="take in what is put there")
    service.add_argument(
        "--intake", nargs="?", const=f"{HOST}:{PORT}", metavar="HOST:PORT", help="take submissions over HTTP"
    )
    service.add_argument(
        "--metrics",
        nargs="?",
        const=PLACE,
        metavar="HOST:PORT",
        help=f"serve /metrics, /health/live and /health/ready; default: {PLACE}",
    )
    add_desk(service)
    service.set_defaults(function=serve)

    register = command.add_parser(
        "deploy", parents=[shared], help="register the flows with your own Prefect, for many machines"
    )
    register.add_argument("--pool", default="triage", help="work pool; default: triage")
    register.add_argument(
        "--type", default="process", choices=["process", "docker", "kubernetes"], help="default: process"
    )
    register.add_argument("--workers", type=int, default=4, help="triage runs at once, in all; default: 4")
    register.add_argument("--watch", type=Path, metavar="FOLDER", help="a folder that the machines share")
    for name, told in {
        "image": "docker, kubernetes: what runs",
        "network": "docker: network of the containers",
        "namespace": "kubernetes: where jobs are made",
        "secret": "kubernetes: a Secret whose keys become files in /run/secrets/triage",
        "memory": "docker, kubernetes: limit of a run, such as 4g or 4Gi",
        "cpu": "kubernetes: what a run asks for, such as 2",
    }.items():
        register.add_argument(f"--{name}", default="", help=told)
    register.add_argument(
        "--volume",
        action="append",
        default=[],
        metavar="SOURCE:PLACE[:ro]",
        help="docker: a volume or folder; kubernetes: a PersistentVolumeClaim",
    )
    register.set_defaults(function=deploy)


def doctor(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage doctor`: what is installed, reachable, writable, outdated; what to do about it."""
    from pipeline.doctor import examine
    from pipeline.surroundings import Found

    worst = Found.OK
    for check in examine(settings):
        worst = max(worst, check.found)
        if check.found is not Found.OK or not options.quiet:
            told = f"{check.found.name:<6} {check.what}: {check.told}"
            sys.stdout.write(f"{told} {check.next_step}".rstrip() + "\n")
            sys.stdout.flush()
    return ExitCode.CONFIGURATION if worst is Found.BROKEN else ExitCode.DONE


def serve(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage serve`: workers, the channels of the settings and the servers here, until it is stopped."""
    from pipeline.desk_place import desk_arguments, desk_place
    from pipeline.serving import place

    if options.watch is not None and not options.watch.is_dir():
        raise UsageError(f"{options.watch} is not a folder.", next_step="Make it, or name another.")

    channels = _channels(options, settings)

    def ready() -> None:
        if not options.quiet:
            watched = f", {options.watch} is watched" if options.watch else ""
            others = ", ".join(name for name in channels if name != "folder" or not options.watch)
            polled = f", channels: {others}" if others else ""
            taken = f", submissions are taken at {options.intake}" if options.intake else ""
            at = f", the desk is at {desk_place(options)}" if options.desk else ""
            sys.stdout.write(f"{options.workers} workers run{watched}{polled}{taken}{at}. Ctrl-C stops it.\n")
            sys.stdout.flush()

    parts = [resolve_name(REQUESTING)(), *_polled(channels, options.watch)]
    if options.intake is not None:
        parts.append(_intake(options.intake, settings))
    if options.metrics is not None:
        place(options.metrics)
        parts.append(resolve_name(COMMAND)("metrics", "--listen", options.metrics, "--quiet"))
    if options.desk:
        parts.append(resolve_name(COMMAND)("desk", "--quiet", *desk_arguments(options)))
    if settings.webhook_hosts:
        parts.append(resolve_name(COMMAND)("webhook", "run"))
    arguments = ["--log-level", options.log_level, *(["--json-logs"] if options.json_logs else [])]
    resolve_name(SERVE)(settings, workers=options.workers, parts=parts, arguments=arguments, ready=ready)
    return ExitCode.DONE


def deploy(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage deploy`: the flows are registered with the Prefect API of PREFECT_API_URL."""
    with _prefects_errors():
        deployed = resolve_name(DEPLOY)(
            pool=options.pool,
            pool_type=options.type,
            workers=options.workers,
            channels=_channels(options, settings),
            watched=str(options.watch.absolute()) if options.watch else None,
            environ=os.environ,
            image=options.image,
            volumes=tuple(options.volume),
            network=options.network,
            namespace=options.namespace,
            secret=options.secret,
            memory=options.memory,
            cpu=options.cpu,
        )
    for one in deployed:
        sys.stdout.write(f"{one.name} in work pool {one.pool}, {one.schedule}\n")
    sys.stdout.write(f"On each machine: prefect worker start --pool {options.pool} --type {options.type}\n")
    return ExitCode.DONE


# --------------------------------------------------------------------------- inside


def _intake(where: str, settings: Settings) -> Any:
    """The intake server as a part of the service. Raises what it would refuse, before anything starts."""
    from pipeline.serving import check_place, place

    host, port = place(where)
    check_place(host, tls=bool(settings.intake_tls_cert))
    return resolve_name(COMMAND)("intake", "--quiet", "--host", host, "--port", str(port))


def _channels(options: argparse.Namespace, settings: Settings) -> list[str]:
    """The channels to poll: those of the settings, and the folder that the command names."""
    from pipeline.intake import configured

    watched = str(options.watch) if options.watch else settings.watch_folder
    return configured(replace(settings, watch_folder=watched))


def _polled(channels: Sequence[str], watched: Path | None) -> list[Any]:
    """A part of the service for each channel."""
    return [
        resolve_name(WATCHING)(watched) if name == "folder" and watched else resolve_name(POLLING)(name)
        for name in channels
    ]


@contextmanager
def _prefects_errors() -> Iterator[None]:
    """What Prefect raises, as an error that an operator can act on."""
    try:
        yield
    except TriageError:
        raise
    except Exception as error:
        raise UsageError(
            f"Prefect did not take it ({type(error).__name__}).",
            next_step="PREFECT_API_URL must name a Prefect API that runs; `prefect server start` starts one.",
        ) from error
