"""What the commands about the ledger's upkeep do: its balance, the upgrade of its tables, keys, erasure.
Imports are inside the commands, as in `commands`."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import timedelta

from pipeline.command_parts import operator
from pipeline.errors import ExitCode, UsageError
from pipeline.settings import Settings


def add_commands(
    command: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """The options of `triage ledger`."""
    ledger = command.add_parser("ledger", help="the balance of what was received; upkeep")
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
        records, files = led.rekey(ledger, actor=operator())
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
        while batch := led.erase_old(ledger, timedelta(days=days), actor=operator()):
            erased += len(batch)
        swept = led.sweep(ledger)
    sys.stdout.write(f"{erased} submissions erased; {len(swept)} files that nothing refers to removed.\n")
    return ExitCode.DONE
