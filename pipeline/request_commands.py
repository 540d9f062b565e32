"""`triage request`: what a provider is asked for, sent, listed, closed, and rejoined with its answer."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.command_parts import operator, put
from pipeline.errors import ExitCode, UsageError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.cases import Knowledge
    from pipeline.information_request import InformationRequest
    from pipeline.information_request.fhir import Provider
    from pipeline.ledger import Ledger

FORMATS = ("text", "html", "pdf", "json", "task", "communication", "x12")
_REFERENCE = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}")


def add_commands(
    command: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """`triage request ...` and its options."""
    request = command.add_parser("request", help="ask a provider for what is missing")
    ask = request.add_subparsers(dest="request_command", required=True, metavar="COMMAND")

    shown = ask.add_parser("preview", parents=[shared], help="what would be asked for, or was")
    shown.add_argument("subject", metavar="SUBJECT", help="a case.json, a submission, or a reference")
    shown.add_argument("--format", choices=FORMATS, default="text")
    shown.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")
    _provider(shown)
    shown.set_defaults(function=preview)

    sent = ask.add_parser("send", parents=[shared], help="ask, once, by the channels that are set up")
    sent.add_argument("submission", metavar="SUBMISSION")
    sent.add_argument(
        "--by", action="append", metavar="CHANNEL", help="folder, webhook, fhir or mail; default: all set up"
    )
    sent.add_argument("--to", default="", metavar="ADDRESS", help="fax number or e-mail address")
    _provider(sent)
    sent.set_defaults(function=send)

    listed = ask.add_parser(
        "list", parents=[shared], help="open requests, and replies that wait for a person"
    )
    listed.add_argument("--all", action="store_true", help="closed ones too")
    listed.add_argument("--json", action="store_true", help="as JSON")
    listed.set_defaults(function=list_requests)

    closed = ask.add_parser("close", parents=[shared], help="close a request with a reason")
    closed.add_argument("reference", metavar="REFERENCE")
    closed.add_argument("--reason", required=True, metavar="CODE", help="letters, digits and _")
    closed.set_defaults(function=close)

    put = ask.add_parser("join", parents=[shared], help="say which request a submission answers")
    put.add_argument("submission", metavar="SUBMISSION")
    put.add_argument("reference", metavar="REFERENCE")
    put.set_defaults(function=join)

    told = ask.add_parser(
        "acknowledge",
        parents=[shared],
        help="for a gateway: a request went out, or failed",
    )
    told.add_argument("reference", metavar="REFERENCE")
    told.add_argument("--channel", default="folder", help="default: folder")
    told.add_argument("--failed", metavar="CODE", help="it did not go out, and why: no_answer, busy")
    told.set_defaults(function=acknowledge)

    day = ask.add_parser(
        "run",
        parents=[shared],
        help="one round of what `triage serve` does each minute: replies, receipts, reminders, expiry",
    )
    day.set_defaults(function=run)


def _provider(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--provider", default="", metavar="NAME", help="who is asked")
    parser.add_argument("--npi", default="", metavar="NPI", help="the organization's, which FHIR needs")


def preview(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage request preview`: the request in one of its forms."""
    from pipeline.cases import Knowledge
    from pipeline.information_request.fhir import Provider

    knowledge = Knowledge(settings)
    request = _request_of(options.subject, knowledge)
    if request is None:
        sys.stdout.write("Nothing is to be asked for.\n")
        return ExitCode.DONE
    content = _form(options.format)(request, knowledge, Provider(options.provider, options.npi))
    put(content, options.output)
    return ExitCode.DONE


def send(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage request send`: enters the request and lets the channels have it, at once where they answer."""
    from pipeline import correspondence
    from pipeline.cases import Knowledge
    from pipeline.information_request.fhir import Provider
    from pipeline.ledger import open_ledger

    to = correspondence.To(
        tuple(options.by or ()), Provider(options.provider, options.npi, options.to), options.to
    )
    with open_ledger(settings) as ledger:
        request = correspondence.send(ledger, Knowledge(settings), options.submission, to, actor=operator())
        _deliver(ledger, settings, options.submission)
        [entry] = correspondence.requests_of(ledger, submission_id=options.submission)
    if not options.quiet:
        sys.stdout.write(
            f"Request {request.reference}: {len(request.items)} asked for, answer due {request.due}.\n"
            + "".join(f"  {channel}: {sent}\n" for channel, sent in entry.sendings.items())
        )
    arrived = all(sent.arrived for sent in entry.sendings.values())
    return ExitCode.DONE if arrived else ExitCode.PARKED


def list_requests(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage request list`: those due first in front, then replies that wait for a person."""
    from pipeline import correspondence
    from pipeline.ledger import open_ledger
    from pipeline.request_table import table

    states = list(correspondence.State) if options.all else [correspondence.State.OPEN]
    with open_ledger(settings) as ledger:
        entries = correspondence.requests_of(ledger, states=states)
        waiting = correspondence.waiting_replies(ledger)
        now = ledger.read(ledger.now)
    if options.json:
        told = {"requests": [_entry(one) for one in entries], "waiting": [_entry(one) for one in waiting]}
        sys.stdout.write(json.dumps(told, indent=2, default=str) + "\n")
        return ExitCode.DONE
    sys.stdout.write(table(entries, waiting, now))
    return ExitCode.DONE


def close(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage request close`."""
    from pipeline import correspondence
    from pipeline.ledger import open_ledger

    with open_ledger(settings) as ledger:
        correspondence.close(ledger, options.reference, reason=options.reason, actor=operator())
    return ExitCode.DONE


def join(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage request join`: a person says what a reply answers."""
    from pipeline import correspondence
    from pipeline.ledger import open_ledger

    with open_ledger(settings) as ledger:
        correspondence.join(ledger, options.submission, options.reference, actor=operator())
    return ExitCode.DONE


def acknowledge(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage request acknowledge`: what a gateway says that cannot leave a file."""
    from pipeline import correspondence
    from pipeline.ledger import open_ledger

    with open_ledger(settings) as ledger:
        correspondence.tell(
            ledger, options.reference, options.channel, failed=options.failed, actor=operator()
        )
    return ExitCode.DONE


def run(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage request run`: all that the days, the channels and the arrivals ask for now."""
    from pipeline import correspondence
    from pipeline.cases import Knowledge
    from pipeline.ledger import open_ledger

    with open_ledger(settings) as ledger:
        done = correspondence.run_due(ledger, Knowledge(settings), actor=operator())
    if not options.quiet:
        sys.stdout.write(f"{done.told}.\n")
    return ExitCode.DONE


# --------------------------------------------------------------------------- parts


def _request_of(subject: str, knowledge: Knowledge) -> InformationRequest | None:
    """The draft of a case file or a submission, or a request that was sent, by its reference."""
    from pipeline.case_json import from_json
    from pipeline.correspondence import sent_request
    from pipeline.information_request import draft_of
    from pipeline.ledger import open_ledger, standing_case

    if (path := Path(subject)).is_file():
        try:
            return draft_of(from_json(json.loads(path.read_bytes())), knowledge.catalog)
        except ValueError:
            raise UsageError(f"{path} is not a case.") from None
    with open_ledger(knowledge.settings) as ledger:
        if _REFERENCE.fullmatch(subject):
            return sent_request(ledger, subject)
        case = standing_case(ledger, subject)
    if case is None:
        raise UsageError(f"{subject} is no file, no reference and no submission with a case.")
    return draft_of(from_json(case), knowledge.catalog)


Form = Callable[["InformationRequest", "Knowledge", "Provider"], bytes]


def _form(name: str) -> Form:
    from pipeline.information_request import as_json, fhir, letter, pdf, x12

    forms: dict[str, Form] = {
        "text": lambda request, knowledge, _: _text(request, knowledge),
        "html": lambda request, knowledge, _: letter.letter_html(request, knowledge.catalog.letters).encode(),
        "pdf": lambda request, knowledge, _: pdf.letter_pdf(request, knowledge.catalog.letters),
        "json": lambda request, *_: _dump(as_json.request_to_json(request)),
        "task": lambda request, knowledge, to: _dump(
            fhir.attachment_task(request, knowledge.catalog.letters, to)
        ),
        "communication": lambda request, knowledge, to: _dump(
            fhir.communication_request(request, knowledge.catalog.letters, to)
        ),
        "x12": lambda request, knowledge, to: _dump(x12.x12_277(request, knowledge.catalog.letters, to)),
    }
    return forms[name]


def _text(request: InformationRequest, knowledge: Knowledge) -> bytes:
    from pipeline.information_request.letter import letter_blocks
    from pipeline.information_request.plain import reading_grade

    blocks, _ = letter_blocks(request, knowledge.catalog.letters)
    marks = {"item": "  - ", "rule": "-" * 60}
    lines = [f"{marks.get(block.kind, '')}{block.plain}" for block in blocks]
    return "\n".join([*lines, "", f"(Reads at school grade {reading_grade(blocks):.1f}.)", ""]).encode()


def _deliver(ledger: Ledger, settings: Settings, submission_id: str) -> None:
    """What waits to be sent of a submission, tried now; what fails waits for a worker."""
    from pipeline.ledger import EVALUATOR, claim_sendings
    from pipeline.working import Worker

    worker = Worker(ledger, settings, "request-send")
    for sending in claim_sendings(ledger, worker.name, 100, only=submission_id):
        if sending.target != EVALUATOR:
            worker.send(sending)


def _entry(one: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(one)


def _dump(data: Any) -> bytes:
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()
