"""What `triage metrics` does. Imports are inside the commands, as in `commands`."""

from __future__ import annotations

import argparse
import sys
from datetime import timedelta
from typing import Final

from pipeline.errors import ExitCode
from pipeline.settings import Settings

PLACE: Final = "127.0.0.1:9464"


def add_commands(
    command: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """The options of `triage metrics`."""
    metrics = command.add_parser(
        "metrics", parents=[shared], help="the queue's figures for Prometheus, once or at an address"
    )
    metrics.add_argument(
        "--listen",
        nargs="?",
        const=PLACE,
        metavar="HOST:PORT",
        help=f"serve /metrics, /health/live and /health/ready; default: {PLACE}",
    )
    metrics.set_defaults(function=show_metrics)


def show_metrics(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage metrics`: printed once, as for a textfile collector, or served until it is stopped."""
    from pipeline.ledger import open_ledger
    from pipeline.monitoring.metrics import exposition
    from pipeline.monitoring.server import application
    from pipeline.serving import place, serve_application

    def ready(address: str) -> None:
        if not options.quiet:
            sys.stdout.write(f"Metrics are at {address}/metrics; Ctrl-C stops it.\n")
            sys.stdout.flush()

    with open_ledger(settings) as ledger:
        if options.listen is not None:
            serve_application(application(ledger, settings), *place(options.listen), ready=ready)
        else:
            after = timedelta(seconds=settings.stuck_s)
            sys.stdout.write(exposition(ledger, stuck_after=after).decode())
    return ExitCode.DONE
