"""The work on one submission: from claim to case, and from case to whoever gets it. The ledger says what is
to be done and keeps what was; nothing is remembered here.

    Worker(ledger, settings, name)
    worker.work(claim)            read, or take the reading that is kept; build; finish
    worker.send(sending)          ask the rules evaluator, or hand the case to an output
    worker.work_and_send(claim)   all of that in one go

A worker may be killed between any two lines: what it held comes back to another, who goes on from what the
ledger has. What fails is tried again where that can help and parked with a reason where it cannot; only
what stands in the way of every submission (configuration, a full disk, a ledger that does not answer) is
raised, after the submission was given back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from pipeline import cases
from pipeline import ledger as led
from pipeline.case_json import from_json, to_json
from pipeline.correspondence import letters_out
from pipeline.domain import Case, Evaluation, Problem, Reading, Submission
from pipeline.errors import (
    ConfigurationError,
    DeliveryError,
    EvaluatorError,
    LeaseLost,
    LedgerUnavailable,
    StorageFull,
    TriageError,
)
from pipeline.evaluator_client import idempotency_key, request_body
from pipeline.ledger import Claim, Ledger, Outgoing, Sending
from pipeline.logs import logged_with
from pipeline.monitoring import tracing
from pipeline.monitoring.tally import Tallies
from pipeline.monitoring.tracing import note, span
from pipeline.outputs import outputs
from pipeline.page_marks import is_same_packet, page_counts, page_marks
from pipeline.pages.fingerprint import is_like
from pipeline.settings import Settings

_log = logging.getLogger(__name__)

FOR_ALL: Final = (ConfigurationError, StorageFull, LedgerUnavailable)
"""What stands in the way of every submission alike."""


@dataclass(frozen=True)
class Stages:
    """What is done to a submission: the library's functions, or a test's stand-ins.

    `read` tells its second argument (pages done, pages in all) after each page; `evaluate` raises
    EvaluatorError where there is no answer; `close` ends what is kept from one submission to the next.
    """

    read: Callable[[Submission, cases.OnPage], Reading]
    build: Callable[[Submission, Reading], Case]
    evaluate: Callable[[Case], Evaluation]
    close: Callable[[], None] = lambda: None


def library_stages(settings: Settings) -> Stages:
    """The stages as `triage run` has them; the processes that read are kept."""
    from pipeline.evaluation import evaluate as ask_evaluator

    knowledge, readers = cases.Knowledge(settings), cases.reading_processes(settings)
    once = replace(settings, evaluator_retries=0)  # the outbox tries again, not the client
    return Stages(
        read=lambda submission, after_page: cases.read(
            submission, settings, on_page=after_page, workers=readers
        ),
        build=lambda submission, reading: cases.build_case(submission, reading, knowledge),
        evaluate=lambda case: ask_evaluator(case, once),
        close=readers.close,
    )


@dataclass(frozen=True)
class _InHand:
    """What is to be sent next of the case just made: as JSON, and as it was built."""

    sending: Sending
    content: Mapping[str, Any]
    case: Case


_Finish = Callable[[Claim, Case, Sequence[led.PageMark], Sequence[int]], list[_InHand]]


class Worker:
    """Works submissions of a ledger under a name of its own. For one thread; `stop` from any other."""

    def __init__(
        self,
        ledger: Ledger,
        settings: Settings,
        name: str,
        *,
        stages: Stages | None = None,
        on_page: cases.OnPage | None = None,
    ) -> None:
        self.ledger = ledger
        self.name = name
        self.settings = settings
        self.failure: Exception | None = None
        self.tallies = Tallies(ledger)
        self._stages = _watched(stages or library_stages(settings), self.tallies)
        self._on_page = on_page
        self._outputs = outputs(settings)
        self._letters = letters_out(ledger, cases.Knowledge(settings))
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Give back what is being worked, at the next page."""
        self._stopped.set()

    def close(self) -> None:
        """End what the stages keep. The ledger is its opener's to close."""
        self._stages.close()

    @contextmanager
    def _watched(self, submission_id: str) -> Iterator[None]:
        """Log lines of the block say what is worked; afterwards durations may be written."""
        with logged_with(submission=submission_id, worker=self.name, **tracing.ids(submission_id)):
            try:
                yield
            finally:
                self.tallies.write_if_due()

    # ----------------------------------------------------------------------- submissions

    def work(self, claim: Claim) -> None:
        """Take the submission as far as it goes; see the module. Raises what is FOR_ALL, and
        InterruptedError where it was stopped. A bug's exception is in `failure`, for who asks."""
        self._work_through(claim, self._finish)

    def work_and_send(self, claim: Claim) -> None:
        """`work`, and what comes of it sent at once: nobody looks for it, and no case is opened again."""
        held = self._work_through(claim, self._finish_to_send)
        failure = self.failure
        while held:
            held += self._send_in_hand(held.pop(0))
            failure = failure or self.failure
        self.failure = failure

    def _work_through(self, claim: Claim, finish: _Finish) -> list[_InHand]:
        with self._watched(claim.submission_id):
            return self._try(claim, finish)

    def _try(self, claim: Claim, finish: _Finish) -> list[_InHand]:
        self.failure = None
        started = time.monotonic()
        held = list[_InHand]()
        known: dict[str, str | int] = {"attempt": claim.attempt, "round": claim.round, "worker": self.name}
        try:
            with span("submission", claim.submission_id, **known), _renewed(self.ledger, claim) as lost:
                held = self._work(claim, lost, finish)
        except LeaseLost:
            _log.warning("Submission %s: the lease was lost; another may have it.", claim.submission_id)
        except (*FOR_ALL, InterruptedError):
            self._give_back(claim)
            raise
        except Exception as error:
            self.failure = error
            self._failed(claim, error)
        _log.info("Submission %s: %.1f s.", claim.submission_id, time.monotonic() - started)
        return held

    def _work(self, claim: Claim, lost: threading.Event, finish: _Finish) -> list[_InHand]:
        def after_page(done: int, of: int) -> None:
            if lost.is_set():
                raise LeaseLost(f"Submission {claim.submission_id} is not held any more.")
            if self._stopped.is_set():
                raise InterruptedError
            if self._on_page is not None:
                self._on_page(done, of)

        with led.opened(self.ledger, claim.submission_id) as submission:
            reading = led.load_reading(self.ledger, claim.submission_id, claim.round)
            if reading is None:
                reading = self._stages.read(submission, after_page)
                led.save_reading(self.ledger, claim, reading)
            marks, counts = page_marks(submission, reading), page_counts(submission, reading)
            note(files=len(counts), pages=len(marks))
            if claim.round == 1 and (original := self._resent(claim, reading, marks)):
                led.attach_resent(self.ledger, claim, original, marks, counts)
                return []
            case = self._stages.build(submission, reading)
        note(status=case.status)
        held = finish(claim, case, marks, counts)
        self.tallies.pages(marks)
        return held

    def _finish(
        self, claim: Claim, case: Case, marks: Sequence[led.PageMark], counts: Sequence[int]
    ) -> list[_InHand]:
        led.finish(self.ledger, claim, to_json(case), marks, counts, _to_evaluator(case))
        return []

    def _finish_to_send(
        self, claim: Claim, case: Case, marks: Sequence[led.PageMark], counts: Sequence[int]
    ) -> list[_InHand]:
        content = to_json(case)
        held = led.finish_to_send(self.ledger, claim, content, marks, counts, _to_evaluator(case))
        return [_InHand(sending, content, case) for sending in held]

    def _resent(self, claim: Claim, reading: Reading, marks: Sequence[led.PageMark]) -> str | None:
        for original, in_round in led.resent_candidates(self.ledger, claim.submission_id, marks, is_like):
            kept = led.load_reading(self.ledger, original, in_round)
            if kept is not None and is_same_packet(reading, kept):
                return original
        return None

    def _give_back(self, claim: Claim) -> None:
        with suppress(LeaseLost, LedgerUnavailable, StorageFull):
            led.release(self.ledger, claim)

    def _failed(self, claim: Claim, error: Exception) -> None:
        """Try it again later; the last time, or where it is no bug, park it with what is known."""
        expected = isinstance(error, TriageError)
        if expected:
            _log.warning("Submission %s: %s", claim.submission_id, type(error).__name__)
            problem = Problem(None, None, "failed", str(error))
        else:
            _log.error("Submission %s: a bug.", claim.submission_id, exc_info=error)
            message = "The tool failed on this submission; its log has what to report."
            problem = Problem(None, None, "internal_error", message)
        with suppress(LeaseLost):
            if not expected and claim.attempt < self.ledger.limits.max_attempts:
                led.retry(self.ledger, claim, problem.code)
                return
            with led.opened(self.ledger, claim.submission_id) as submission:
                case = cases.parked(submission, problem)
            led.finish(self.ledger, claim, to_json(case), [], [0] * len(case.files), None)

    # ----------------------------------------------------------------------- sendings

    def send(self, sending: Sending) -> None:
        """Hand the case to its target, and write down whether it has it. Raises what is FOR_ALL."""

        def send() -> None:
            content = led.load_case(self.ledger, sending.submission_id, sending.case_number) or {}
            if sending.target != led.EVALUATOR:
                self._output(sending, content)
            elif (evaluated := self._evaluated(sending, cases.reopened(from_json(content)))) is not None:
                led.evaluated(self.ledger, sending, evaluated, self._onward(sending))

        self._tried(sending, send)

    def _send_in_hand(self, one: _InHand) -> list[_InHand]:
        """`send`, of a case that is in hand; what is to be sent next."""
        sending, held = one.sending, list[Sending]()
        evaluated: dict[str, Any] | None = None

        def send() -> None:
            nonlocal evaluated, held
            if sending.target != led.EVALUATOR:
                self._output(sending, one.content)
            elif (evaluated := self._evaluated(sending, one.case)) is not None:
                held = led.evaluated_to_send(self.ledger, sending, evaluated, self._onward(sending))

        self._tried(sending, send)
        return [replace(one, sending=onward, content=evaluated or {}) for onward in held]

    def _tried(self, sending: Sending, send: Callable[[], None]) -> None:
        with self._watched(sending.submission_id):
            self._try_to_send(sending, send)

    def _try_to_send(self, sending: Sending, send: Callable[[], None]) -> None:
        self.failure = None
        known: dict[str, str | int] = {
            "attempt": sending.attempt,
            "target": sending.target,
            "worker": self.name,
        }
        try:
            with span("delivery", sending.submission_id, **known):
                send()
        except LeaseLost:
            _log.warning("Delivery %d: the lease was lost; another may have it.", sending.id)
        except FOR_ALL:
            raise
        except Exception as error:
            self.failure = error
            _log.error(
                "Delivery %d of submission %s: a bug.", sending.id, sending.submission_id, exc_info=error
            )
            with suppress(LeaseLost):
                led.undelivered(self.ledger, sending, "internal_error", can_pass=True)

    def _evaluated(self, sending: Sending, case: Case) -> dict[str, Any] | None:
        """The case with its evaluation; None where there is no answer, which is written down."""
        try:
            evaluation = self._stages.evaluate(case)
        except EvaluatorError as error:
            self.failure = error
            parked = to_json(cases.unanswered(case, error, tries=sending.attempt))
            led.undelivered(self.ledger, sending, "evaluator", can_pass=error.retryable, parked=parked)
            return None
        return to_json(replace(case, evaluation=evaluation))

    def _onward(self, sending: Sending) -> list[Outgoing]:
        return [Outgoing(name, sending.key) for name in self._outputs]

    def _output(self, sending: Sending, content: Mapping[str, Any]) -> None:
        output = self._outputs.get(sending.target) or self._letters(sending.target)
        if output is None:
            led.undelivered(self.ledger, sending, "no_such_output", can_pass=False)
            return
        try:
            with self.tallies.timed("send"):
                output(sending, content)
        except OSError as error:
            _log.warning("Delivery %d to %s: %s.", sending.id, sending.target, type(error).__name__)
            led.undelivered(self.ledger, sending, "output_failed", can_pass=True)
            return
        except DeliveryError as error:
            self.failure = error
            _log.warning("Delivery %d to %s: %s", sending.id, sending.target, error)
            wait = timedelta(seconds=error.wait_s)
            reason = "not_taken" if error.retryable else "refused"
            led.undelivered(self.ledger, sending, reason, can_pass=error.retryable, wait=wait)
            return
        led.delivered(self.ledger, sending)


def _to_evaluator(case: Case) -> Outgoing:
    return Outgoing(led.EVALUATOR, idempotency_key(case.case_id, request_body(case)))


def _watched(stages: Stages, tallies: Tallies) -> Stages:
    """The same stages, each timed and a span."""

    def read(submission: Submission, after_page: cases.OnPage) -> Reading:
        with span("read"), tallies.timed("read"):
            reading = stages.read(submission, after_page)
            note(pages=len(reading.pages), problems=len(reading.problems))
            return reading

    def build(submission: Submission, reading: Reading) -> Case:
        with span("build"), tallies.timed("build"):
            case = stages.build(submission, reading)
            note(documents=len(case.documents), findings=len(case.findings))
            return case

    def evaluate(case: Case) -> Evaluation:
        with span("evaluate"), tallies.timed("evaluate"):
            evaluation = stages.evaluate(case)
            note(outcome=evaluation.outcome)  # one of a few; the rest are the evaluator's own words
            return evaluation

    return Stages(read, build, evaluate, stages.close)


@contextmanager
def _renewed(ledger: Ledger, claim: Claim) -> Iterator[threading.Event]:
    """Keeps the lease while the block runs. The event is set where it could not be kept."""
    ended, lost = threading.Event(), threading.Event()

    def keep() -> None:
        while not ended.wait(ledger.limits.lease.total_seconds() / 3):
            try:
                led.renew(ledger, claim)
            except LeaseLost:
                lost.set()
                return
            except TriageError:
                # The next time may go well; if not, the lease ends and the token guards the ledger.
                _log.warning("Submission %s: its lease could not be renewed.", claim.submission_id)

    thread = threading.Thread(target=keep, daemon=True, name="lease")
    thread.start()
    try:
        yield lost
    finally:
        ended.set()  # and not waited for: on a busy machine that takes longer than all the rest
