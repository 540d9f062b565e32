"""What the commands about the queue do: list it, show, replay, reject, export, hurry. Imports are inside the
commands, as in `commands`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.command_parts import operator
from pipeline.errors import ExitCode, UsageError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.ledger import Item, Ledger

_MOST = 100_000


def add_commands(
    command: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """The options of `triage queue`."""
    queue = command.add_parser("queue", help="submissions: list, show, replay, reject, export")
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
            ids, lambda name: led.replay(ledger, name, actor=operator(), read_again=options.read_again)
        )
    return done if ids else _none_chosen()


def queue_reject(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage queue reject`: a submission is ended by a person, with a reason."""
    from pipeline import ledger as led

    def reject(name: str) -> str:
        led.reject(ledger, name, reason=options.reason, actor=operator())
        return "rejected"

    with led.open_ledger(settings) as ledger:
        return _for_each(options.ids, reject)


def queue_expedite(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage queue expedite`: a person sets, or with --undo lifts, the priority."""
    from pipeline import ledger as led

    def expedite(name: str) -> str:
        led.expedite(ledger, name, expedited=not options.undo, actor=operator())
        return "standard" if options.undo else "expedited"

    with led.open_ledger(settings) as ledger:
        return _for_each(options.ids, expedite)


def queue_announced(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage queue announced`: what a fax provider told of and is not here; tried again, or given up."""
    from pipeline.ledger import notices, open_ledger
    from pipeline.queue_table import notices_table

    def withdraw(name: str) -> str:
        notices.withdraw(ledger, name, reason=options.reason or "", actor=operator())
        return "withdrawn"

    def again(name: str) -> str:
        notices.fetch_again(ledger, name, actor=operator())
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
        audit.write(
            ledger, operator(), "submission_exported", known
        )  # before: what left must be on the record
        return str(export(ledger, name, options.output_dir))

    with led.open_ledger(settings) as ledger:
        ids = _chosen(ledger, options)
        done = _for_each(ids, exported)
    return done if ids else _none_chosen()


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


def _none_chosen() -> ExitCode:
    sys.stdout.write("Nothing is parked for that reason.\n")
    return ExitCode.DONE
