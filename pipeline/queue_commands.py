"""What the commands about the queue do: list it, show, replay, reject, export, hurry; the ledger's balance,
upgrade and keys; the service. Imports are inside the commands, as in `commands`."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from pipeline.errors import ExitCode, TriageError, UsageError
from pipeline.monitor_commands import PLACE
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.ledger import Item, Ledger

# Named, not imported: Prefect is imported by flows/ alone, and only when asked for.
SERVE, DEPLOY, COMMAND = "flows.serve:serve", "flows.deploy:deploy", "flows.serve:Part.command"
WATCHING, POLLING, REQUESTING = "flows.serve:watching", "flows.serve:polling", "flows.serve:requesting"
_MOST = 100_000


def queue_list(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage queue list`: what waits, in the order in which it should be looked at."""
    from pipeline import ledger as led
    from pipeline.queue_table import as_json, table

    states = [led.State(state) for state in options.state or ()]
    with led.open_ledger(settings) as ledger:
        after = timedelta(seconds=settings.stuck_s)
        items = led.items(
            ledger,
            states=states,
            reason=options.reason,
            among=led.stuck(ledger, after=after) if options.stuck else None,
            after=options.after,
            most=options.most,
        )
        now, figures = ledger.read(ledger.now), led.figures(ledger)
    if options.json:
        sys.stdout.write(json.dumps([as_json(item) for item in items], indent=2) + "\n")
    else:
        sys.stdout.write(table(items, figures, now))
    return ExitCode.DONE


def queue_show(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage queue show`: everything about one submission, its sender's names for the files included."""
    from pipeline import ledger as led
    from pipeline.queue_table import history_as_json, story

    with led.open_ledger(settings) as ledger:
        history = led.history(ledger, options.id)
        names = led.names(ledger, options.id)
        now = ledger.read(ledger.now)
    if options.json:
        sys.stdout.write(json.dumps(history_as_json(history), indent=2) + "\n")
    else:
        sys.stdout.write(story(history, names, now))
    return ExitCode.DONE


def queue_replay(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage queue replay`: what ended is put to work again, by id or all that is parked for a reason."""
    from pipeline import ledger as led

    with led.open_ledger(settings) as ledger:
        ids = _chosen(ledger, options)
        done = _for_each(
            ids, lambda name: led.replay(ledger, name, actor=_actor(), read_again=options.read_again)
        )
    return done if ids else _none_chosen()


def queue_reject(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage queue reject`: a submission is ended by a person, with a reason."""
    from pipeline import ledger as led

    def reject(name: str) -> str:
        led.reject(ledger, name, reason=options.reason, actor=_actor())
        return "rejected"

    with led.open_ledger(settings) as ledger:
        return _for_each(options.ids, reject)


def queue_expedite(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage queue expedite`: a person sets, or with --undo lifts, the priority."""
    from pipeline import ledger as led

    def expedite(name: str) -> str:
        led.expedite(ledger, name, expedited=not options.undo, actor=_actor())
        return "standard" if options.undo else "expedited"

    with led.open_ledger(settings) as ledger:
        return _for_each(options.ids, expedite)


def queue_announced(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage queue announced`: what a fax provider told of and is not here; tried again, or given up."""
    from pipeline.ledger import notices, open_ledger
    from pipeline.queue_table import notices_table

    def withdraw(name: str) -> str:
        notices.withdraw(ledger, name, reason=options.reason or "", actor=_actor())
        return "withdrawn"

    def again(name: str) -> str:
        notices.fetch_again(ledger, name, actor=_actor())
        return "is fetched again"

    with open_ledger(settings) as ledger:
        if options.withdraw:
            return _for_each(options.withdraw, withdraw)
        if options.again is not None:
            parked = notices.listed(ledger, states=[notices.PARKED])
            return _for_each(options.again or [one.id for one in parked], again)
        sys.stdout.write(notices_table(notices.listed(ledger), ledger.read(ledger.now)))
    return ExitCode.DONE


def queue_export(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage queue export`: received files, case and history of submissions, in a folder each."""
    from pipeline import audit
    from pipeline import ledger as led
    from pipeline.queue_export import export

    def exported(name: str) -> str:
        known = led.item(ledger, name).id
        audit.write(ledger, _actor(), "submission_exported", known)  # before: what left must be on the record
        return str(export(ledger, name, options.output_dir))

    with led.open_ledger(settings) as ledger:
        ids = _chosen(ledger, options)
        done = _for_each(ids, exported)
    return done if ids else _none_chosen()


def ledger_balance(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage ledger balance`: does what was received equal what became of it, and what does not add up."""
    from pipeline import ledger as led
    from pipeline.queue_table import balance_as_json, balance_sheet

    with led.open_ledger(settings) as ledger:
        balance = led.balance(ledger)
    if options.json:
        sys.stdout.write(json.dumps(balance_as_json(balance), indent=2) + "\n")
    else:
        sys.stdout.write(balance_sheet(balance))
    return ExitCode.DONE if balance.holds else ExitCode.PARKED


def ledger_upgrade(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage ledger upgrade`: the tables become those of this version."""
    from pipeline.ledger import ledger_url, schema
    from pipeline.ledger.database import connect

    database = connect(ledger_url(settings))
    before, after = schema.upgrade(database), schema.newest()
    database.close()
    told = "is up to date" if before == after else f"was upgraded from {before or 'nothing'}"
    sys.stdout.write(f"The ledger {told}: version {after}.\n")
    return ExitCode.DONE


def ledger_rekey(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage ledger rekey`: everything kept is sealed with the current key."""
    from pipeline import ledger as led

    with led.open_ledger(settings) as ledger:
        records, files = led.rekey(ledger, actor=_actor())
        sys.stdout.write(f"{records} records and {files} files are sealed anew with {ledger.keys.current}.\n")
    return ExitCode.DONE


def ledger_new_key(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage ledger new-key`: a line for the key file, on standard output and nowhere else."""
    from pipeline.sealing import new_key

    sys.stdout.write(new_key(options.name) + "\n")
    return ExitCode.DONE


def ledger_erase(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage ledger erase`: what ended long ago loses its files and texts; proof is in the history."""
    from pipeline import ledger as led

    days = options.days if options.days is not None else settings.retention_days
    if days < 1:
        raise UsageError(
            "How old is old is not said.", next_step="Give --days, or set TRIAGE_RETENTION_DAYS."
        )
    erased = 0
    with led.open_ledger(settings) as ledger:
        while batch := led.erase_old(ledger, timedelta(days=days), actor=_actor()):
            erased += len(batch)
        swept = led.sweep(ledger)
    sys.stdout.write(f"{erased} submissions erased; {len(swept)} files that nothing refers to removed.\n")
    return ExitCode.DONE


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


def _intake(where: str, settings: Settings) -> Any:
    """The intake server as a part of the service. Raises what it would refuse, before anything starts."""
    from pipeline.serving import check_place, place

    host, port = place(where)
    check_place(host, tls=bool(settings.intake_tls_cert))
    return resolve_name(COMMAND)("intake", "--quiet", "--host", host, "--port", str(port))


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


# --------------------------------------------------------------------------- options


def add_commands(command: Any, shared: argparse.ArgumentParser) -> None:
    """The queue's commands and their options."""
    from pipeline.desk_place import add_desk

    _add_queue(command.add_parser("queue", help="submissions: list, show, replay, reject, export"), shared)
    _add_ledger(command.add_parser("ledger", help="the balance of what was received; upkeep"), shared)

    check = command.add_parser("doctor", parents=[shared], help="what is installed, reachable, writable")
    check.set_defaults(function=doctor)

    service = command.add_parser(
        "serve", parents=[shared], help="workers, the channels of the settings and the desk, on one machine"
    )
    service.add_argument("--workers", type=int, default=2, help="submissions at once; default: 2")
    service.add_argument("--watch", type=Path, metavar="FOLDER", help="take in what is put there")
    service.add_argument(
        "--intake", nargs="?", const="127.0.0.1:8370", metavar="HOST:PORT", help="take submissions over HTTP"
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


def _add_queue(queue: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    what = queue.add_subparsers(dest="queue_command", required=True, metavar="COMMAND")
    states = ["received", "in_flight", "done", "partial", "parked", "rejected"]

    listing = what.add_parser("list", parents=[shared], help="by priority and time left")
    listing.add_argument("--state", action="append", choices=states)
    listing.add_argument("--reason", metavar="CODE")
    listing.add_argument("--stuck", action="store_true", help="no progress in TRIAGE_STUCK_S seconds")
    listing.add_argument("--after", metavar="ID", help="go on behind that one")
    listing.add_argument("--most", type=int, default=50)
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(function=queue_list)

    show = what.add_parser("show", parents=[shared], help="one submission with its history")
    show.add_argument("id", metavar="ID")
    show.add_argument("--json", action="store_true", help="without the sender's names")
    show.set_defaults(function=queue_show)

    replay = what.add_parser("replay", parents=[shared], help="work again, or send again what was not taken")
    replay.add_argument("ids", nargs="*", metavar="ID")
    replay.add_argument("--reason", metavar="CODE", help="all that are parked for this reason")
    replay.add_argument("--read-again", action="store_true", help="from the pages on, in every case")
    replay.set_defaults(function=queue_replay)

    reject = what.add_parser("reject", parents=[shared], help="end submissions, with a reason")
    reject.add_argument("ids", nargs="+", metavar="ID")
    reject.add_argument("--reason", required=True, metavar="CODE", help="letters, digits and _")
    reject.set_defaults(function=queue_reject)

    hurry = what.add_parser("expedite", parents=[shared], help="give submissions the short clock")
    hurry.add_argument("ids", nargs="+", metavar="ID")
    hurry.add_argument("--undo", action="store_true")
    hurry.set_defaults(function=queue_expedite)

    announced = what.add_parser(
        "announced", parents=[shared], help="faxes that a provider told of and that are not here yet"
    )
    announced.add_argument(
        "--again", nargs="*", metavar="ID", help="fetch these again, or without an ID all that are parked"
    )
    announced.add_argument("--withdraw", nargs="+", metavar="ID", help="give these up, with --reason")
    announced.add_argument("--reason", metavar="CODE", help="why: letters, digits and _")
    announced.set_defaults(function=queue_announced)

    export = what.add_parser("export", parents=[shared], help="files, case and history into a folder")
    export.add_argument("ids", nargs="*", metavar="ID")
    export.add_argument("--reason", metavar="CODE", help="all that are parked for this reason")
    export.add_argument("--output-dir", type=Path, required=True, metavar="OUT")
    export.set_defaults(function=queue_export)


def _add_ledger(ledger: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    what = ledger.add_subparsers(dest="ledger_command", required=True, metavar="COMMAND")
    balance = what.add_parser("balance", parents=[shared], help="received = what became of it, to the page")
    balance.add_argument("--json", action="store_true")
    balance.set_defaults(function=ledger_balance)
    upgrade = what.add_parser("upgrade", parents=[shared], help="the tables become those of this version")
    upgrade.set_defaults(function=ledger_upgrade)
    rekey = what.add_parser("rekey", parents=[shared], help="seal everything with the current key")
    rekey.set_defaults(function=ledger_rekey)
    key = what.add_parser("new-key", parents=[shared], help="print a new key for the key file")
    key.add_argument("name", metavar="NAME")
    key.set_defaults(function=ledger_new_key)
    erase = what.add_parser("erase", parents=[shared], help="erase what ended long ago, with proof")
    erase.add_argument("--days", type=int, metavar="N", help="default: TRIAGE_RETENTION_DAYS")
    erase.set_defaults(function=ledger_erase)


# --------------------------------------------------------------------------- inside


def _chosen(ledger: Ledger, options: argparse.Namespace) -> list[str]:
    from pipeline import ledger as led

    if bool(options.ids) == bool(options.reason):
        raise UsageError("Name submissions, or --reason CODE for all that are parked for it.")
    if options.ids:
        return list(options.ids)
    found: Sequence[Item] = led.items(ledger, states=[led.State.PARKED], reason=options.reason, most=_MOST)
    return [item.id for item in found]


def _for_each(ids: Sequence[str], act: Any) -> ExitCode:
    """Each as far as it goes; 1 where one could not be done, whose reason is on stderr."""
    failed = 0
    for name in ids:
        try:
            sys.stdout.write(f"{name}: {act(name)}\n")
        except UsageError as error:
            if len(ids) == 1:
                raise
            failed += 1
            sys.stderr.write(f"triage: {error}\n")
    return ExitCode.PARKED if failed else ExitCode.DONE


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


def _none_chosen() -> ExitCode:
    sys.stdout.write("Nothing is parked for that reason.\n")
    return ExitCode.DONE


def _actor() -> str:
    try:
        return f"operator:{getpass.getuser()}"
    except (KeyError, OSError):  # a container without names
        return "operator:unknown"


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
