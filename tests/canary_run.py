"""Run by test_privacy.py in a process of its own: submissions through the flow, logging all it can.

    python -m tests.canary_run PACKET.pdf WORDS.txt EVALUATOR_URL...

The library's stages with each evaluator in turn, then stages that do with WORDS what libraries do
with the text they work on. Prints a line for each: the case's status and number of pages, or the
class of what was raised.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from flows.run import Process, through_flow
from pipeline.cases import OnPage
from pipeline.domain import Case, Reading, Submission
from pipeline.intake.folder import receive
from pipeline.logs import configure_logging
from pipeline.settings import Settings, load_settings
from pipeline.working import Stages, library_stages


def log_everything(*, json: bool = False) -> None:
    """The most verbose that logging can be, for all loggers that there are by now."""
    configure_logging(level=logging.DEBUG, json=json)
    for name in list(logging.Logger.manager.loggerDict):
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger().setLevel(logging.DEBUG)


class Changing:
    """The flow's stages, which are another's from submission to submission: one API serves all."""

    now: Stages

    def make(self, settings: Settings) -> Stages:
        self.now = library_stages(settings)
        return Stages(
            read=lambda submission, after_page: self.now.read(submission, after_page),
            build=lambda submission, reading: self.now.build(submission, reading),
            evaluate=lambda case: self.now.evaluate(case),
        )

    def use_evaluator(self, settings: Settings, url: str) -> None:
        self.now = library_stages(replace(settings, evaluator_url=url))

    def be_careless(self, words: str) -> None:
        self.now = replace(self.now, read=careless_read(words), build=careless_build(words))


def careless_read(words: str) -> Callable[[Submission, OnPage], Reading]:
    """Logs, warnings and a dying thread that quote the packet."""

    def read(submission: Submission, after_page: OnPage) -> Reading:
        log_everything(json=True)
        for name in ("pdfminer.psparser", "spacy", "prefect.flow_runs", "prefect.task_runs", "httpx", None):
            logger = logging.getLogger(name)
            logger.warning("parsed %s", words)
            logger.debug(f"parsed {words}", extra={"text": words})
        warnings.warn(f"[W030] Some entities could not be aligned in the text {words}", stacklevel=1)
        thread = threading.Thread(target=lambda: int(words))
        thread.start()
        thread.join()
        return Reading(pages=(), problems=(), page_counts={})

    return read


def careless_build(words: str) -> Callable[[Submission, Reading], Case]:
    """An exception that quotes the packet, with causes that do."""

    def build(submission: Submission, reading: Reading) -> Case:
        try:
            int(words)
        except ValueError as error:
            raise ExceptionGroup(words, [KeyError(words), error]) from error
        raise AssertionError

    return build


def report(process: Process, submission: Submission) -> None:
    try:
        case = process(submission)
        line = f"{case.status} {len(case.pages)}"
    except Exception as error:
        line = f"{type(error).__name__} 0"
    sys.stdout.write(f"{line}\n")


def main() -> None:
    packet, words, *urls = sys.argv[1:]
    log_everything()
    settings = load_settings(os.environ)
    submission = receive([Path(packet)])
    stages = Changing()
    pause = timedelta(seconds=0.1)
    with through_flow(settings, make_stages=stages.make, first_pause=pause) as process:
        log_everything()
        for url in urls:
            stages.use_evaluator(settings, url)
            report(process, submission)
        stages.be_careless(Path(words).read_text(encoding="utf-8"))
        report(process, submission)


if __name__ == "__main__":
    main()
