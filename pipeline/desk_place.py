"""Where the desk is served: options, and the address that people are told."""

from __future__ import annotations

import argparse
from typing import Final

HOST: Final = "127.0.0.1"
PORT: Final = 8360


def add_desk(service: argparse.ArgumentParser) -> None:
    """The options of `triage serve` that put the desk beside the workers."""
    service.add_argument(
        "--desk",
        nargs="?",
        const=f"{HOST}:{PORT}",
        metavar="HOST:PORT",
        help=f"serve the reviewer's desk, too; without a place at {HOST}:{PORT}",
    )
    add_tls(service)


def desk_arguments(options: argparse.Namespace) -> list[str]:
    """The arguments of `triage desk` for the desk that `triage serve` starts.

    Raises UsageError for a place that is none, ConfigurationError for one that must not be served so.
    """
    from pipeline.serving import check_place, place  # not where a command line is only parsed

    host, port = place(options.desk)
    check_place(host, tls=bool(options.tls_cert))
    tls = [("--tls-cert", options.tls_cert), ("--tls-key", options.tls_key)]
    return ["--host", host, "--port", str(port), *(part for pair in tls if pair[1] for part in pair)]


def desk_place(options: argparse.Namespace) -> str:
    """The address of that desk, for people."""
    _, host, _, port, *_ = desk_arguments(options)
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if options.tls_cert else 'http'}://{shown}:{port}"


def add_tls(parser: argparse.ArgumentParser) -> None:
    """The options for serving over TLS."""
    parser.add_argument("--tls-cert", metavar="FILE", help="the desk's certificate (PEM): serve https")
    parser.add_argument("--tls-key", metavar="FILE", help="its key, if not in the same file")
