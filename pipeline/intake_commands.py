"""What the command about the intake server does. Imports are inside, as in `commands`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pipeline.errors import ExitCode, UsageError
from pipeline.settings import Settings

HOST, PORT = "127.0.0.1", 8370
_MOST_CONNECTIONS = 512


def add_commands(
    command: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """The options of `triage intake`."""
    intake = command.add_parser(
        "intake", parents=[shared], help="submissions over HTTP: uploads, faxes of a provider, FHIR requests"
    )
    intake.add_argument("--host", default=HOST, help="default: this machine alone")
    intake.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}; 0 takes a free one")
    intake.add_argument("--tls-cert", metavar="FILE", help="certificate (PEM); TRIAGE_INTAKE_TLS_CERT")
    intake.add_argument("--tls-key", metavar="FILE", help="its key; TRIAGE_INTAKE_TLS_KEY")
    intake.set_defaults(function=intake_server)


def intake_server(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage intake`: until it is stopped."""
    from pipeline.intake_server import application
    from pipeline.ledger import open_ledger
    from pipeline.serving import Certificates, check_place, serve_application

    certificate = options.tls_cert or settings.intake_tls_cert
    key = options.tls_key or settings.intake_tls_key
    if key and not certificate:
        raise UsageError("A key without its certificate.", next_step="Give --tls-cert.")
    check_place(options.host, tls=bool(certificate))
    certificates = Certificates(Path(certificate), Path(key) if key else None) if certificate else None

    def ready(address: str) -> None:
        if not options.quiet:
            sys.stdout.write(f"Submissions are taken at {address}; Ctrl-C stops it.\n")
            sys.stdout.flush()

    with open_ledger(settings) as ledger:
        app: Any = application(ledger, settings)
        serve_application(
            app,
            options.host,
            options.port,
            ready=ready,
            certificates=certificates,
            limit_concurrency=_MOST_CONNECTIONS,
        )
    return ExitCode.DONE
