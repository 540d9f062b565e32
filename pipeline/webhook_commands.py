"""What `triage webhook` does: which systems are told of what happens. Imports are inside the commands, as in
`commands`."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Final

from pipeline.command_parts import operator
from pipeline.errors import ExitCode, LedgerUnavailable, UsageError
from pipeline.settings import Settings

_LOOK_S: Final = 1.0
_TIDY_S: Final = 3600.0


def add_commands(
    command: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """The options of `triage webhook`."""
    hook = command.add_parser("webhook", help="systems that are told of what happens, by signed webhooks")
    what = hook.add_subparsers(dest="webhook_command", required=True, metavar="COMMAND")
    new = what.add_parser("add", parents=[shared], help="a new one; prints its secret, this once")
    new.add_argument("url", metavar="URL")
    new.add_argument("--on", action="append", required=True, metavar="KIND", help="case.done, ...; repeat it")
    new.set_defaults(function=add)
    what.add_parser("list", parents=[shared], help="all, and which are left alone").set_defaults(
        function=show
    )
    again = what.add_parser("enable", parents=[shared], help="tell one again that was left alone")
    again.add_argument("id", metavar="ID")
    again.set_defaults(function=enable)
    gone = what.add_parser("remove", parents=[shared], help="tell one no more")
    gone.add_argument("id", metavar="ID")
    gone.set_defaults(function=remove)
    sender = what.add_parser("run", parents=[shared], help="send what is due, until it is stopped")
    sender.add_argument("--once", action="store_true", help="what is due now, then end")
    sender.set_defaults(function=run)


def add(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage webhook add`."""
    from pipeline import subscriptions
    from pipeline.ledger import open_ledger
    from pipeline.ledger.telling import Told

    if any(kind not in tuple(Told) for kind in options.on):
        raise UsageError("There is no such kind.", next_step=f"Known: {', '.join(Told)}.")
    kinds = [Told(kind) for kind in options.on]
    with open_ledger(settings) as ledger:
        made, secret = subscriptions.add(ledger, settings, options.url, kinds, actor=operator())
    sys.stdout.write(f"{made.id} {secret}\n")
    return ExitCode.DONE


def show(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage webhook list`."""
    from pipeline import subscriptions
    from pipeline.ledger import open_ledger

    with open_ledger(settings) as ledger:
        for one in subscriptions.listed(ledger):
            state = f"left alone ({one.reason})" if one.disabled_at else f"{one.waiting} waiting"
            sys.stdout.write(f"{one.id}  {one.url}  {','.join(one.kinds)}  {state}\n")
    return ExitCode.DONE


def enable(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage webhook enable`."""
    from pipeline import subscriptions
    from pipeline.ledger import open_ledger

    with open_ledger(settings) as ledger:
        subscriptions.enable(ledger, options.id, actor=operator())
    return ExitCode.DONE


def remove(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage webhook remove`."""
    from pipeline import subscriptions
    from pipeline.ledger import open_ledger

    with open_ledger(settings) as ledger:
        if not subscriptions.remove(ledger, options.id, actor=operator()):
            raise UsageError("There is no such subscription.", next_step="`triage webhook list` lists them.")
    return ExitCode.DONE


def run(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage webhook run`: a part of `triage serve`; several may run side by side."""
    from pipeline import subscriptions
    from pipeline.ledger import open_ledger
    from pipeline.subscriptions.places import places_in

    places_in(settings)  # says what is wrong before anything waits for it
    tidied = float("-inf")
    with open_ledger(settings) as ledger:
        while True:
            try:
                if time.monotonic() - tidied > _TIDY_S:
                    subscriptions.tidy(ledger)
                    tidied = time.monotonic()
                sent = subscriptions.send_due(ledger, settings)
            except LedgerUnavailable:
                if options.once:
                    raise
                sent = 0  # told of already; it may come back
            except KeyboardInterrupt:
                return ExitCode.DONE
            if options.once and not sent:
                return ExitCode.DONE
            if not sent:
                try:
                    time.sleep(_LOOK_S)
                except KeyboardInterrupt:
                    return ExitCode.DONE
