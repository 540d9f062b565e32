"""An HTTP evaluator that is down, slow or talks nonsense: nothing is lost, nothing is done twice, the
parked case says why and can be replayed. Real connections on loopback."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from decisions import case_of
from faulty_evaluator import FaultyEvaluator, closed_port, faulty_evaluator

from pipeline.__main__ import main
from pipeline.case_json import from_json, to_json
from pipeline.cases import evaluate, reopened
from pipeline.circuit import Circuit
from pipeline.domain import Case, Problem
from pipeline.errors import EvaluatorError, ExitCode
from pipeline.evaluation import evaluate as ask
from pipeline.settings import Settings, load_settings

PASSING = [
    "status 500", "status 503", "is slow", "trickles", "drops the request", "hangs up before the answer",
    "hangs up in the answer", "answers no HTTP",
]  # fmt: skip
NONSENSE = [
    "answers no JSON", "answers another shape", "answers nothing", "answers half", "contradicts itself",
    "answers endlessly", "status 400", "status 302",
]  # fmt: skip
CASE = case_of("tumor_site=kidney; behavior=benign")


def settings_for(url: str, **others: Any) -> Settings:
    plain = load_settings({})
    return replace(
        plain,
        **{
            "evaluator_url": url,
            "evaluator_timeout_s": 0.3,
            "evaluator_retries": 0,
            "evaluator_circuit_failures": 0,
            **others,
        },
    )


def environ_for(url: str) -> dict[str, str]:
    return {
        "TRIAGE_EVALUATOR_URL": url,
        "TRIAGE_EVALUATOR_TIMEOUT_S": "0.3",
        "TRIAGE_EVALUATOR_RETRIES": "0",
        "TRIAGE_EVALUATOR_CIRCUIT_FAILURES": "0",
    }


def saved(case: Case, folder: Path) -> Path:
    path = folder / "case.json"
    path.write_text(json.dumps(to_json(case)), encoding="utf-8")
    return path


def loaded(path: Path) -> Case:
    return from_json(json.loads(path.read_bytes()))


# ---------------------------------------------------------------------- one fault, one replay


@pytest.mark.parametrize("fault", [*PASSING, *NONSENSE])
def test_the_case_is_parked_with_the_reason_and_replays(fault: str, tmp_path: Path) -> None:
    with faulty_evaluator(fault) as evaluator:
        parked = evaluate(CASE, settings_for(evaluator.url))
        assert parked.status == "parked"
        assert parked.evaluation is None
        (problem,) = parked.problems
        assert problem.code == "evaluator"
        assert problem.message.startswith("The rules evaluator")
        assert parked.findings == CASE.findings

        path = saved(parked, tmp_path)
        assert main(["evaluate", str(path), "--quiet"], environ_for(evaluator.url)) == ExitCode.DONE
        case = loaded(path)
        assert (case.status, case.problems) == ("complete", ())
        assert case.evaluation is not None
        assert case.evaluation.outcome == "meets"
        assert evaluator.effects == {"case-1": 1}  # the replay is the same request


@pytest.mark.parametrize("fault", PASSING)
def test_what_may_pass_is_tried_again_and_done_once(fault: str) -> None:
    with faulty_evaluator(fault, fault) as evaluator:
        settings = settings_for(evaluator.url, evaluator_retries=3)
        evaluation = ask(CASE, settings, sleep=lambda pause: None)
        assert evaluation.outcome == "meets"
        assert evaluator.effects == {"case-1": 1}
        assert len({headers["Idempotency-Key"] for headers in evaluator.requests}) == 1


@pytest.mark.parametrize("fault", NONSENSE)
def test_what_makes_no_sense_is_not_tried_again(fault: str) -> None:
    with faulty_evaluator(fault) as evaluator:
        settings = settings_for(evaluator.url, evaluator_retries=3)
        with pytest.raises(EvaluatorError) as caught:
            ask(CASE, settings, sleep=lambda pause: None)
        assert not caught.value.retryable
        assert len(evaluator.requests) == 1


def test_an_answer_that_comes_twice_is_read_once() -> None:
    with faulty_evaluator("answers twice") as evaluator:
        settings = settings_for(evaluator.url)
        assert ask(CASE, settings).outcome == "meets"
        other = replace(CASE, case_id="case-2", findings=case_of("tumor_site=breast").findings)
        assert ask(other, settings).outcome == "investigational"
        assert evaluator.effects == {"case-1": 1, "case-2": 1}


def test_an_evaluator_that_is_down(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    parked = evaluate(CASE, settings_for(url))
    assert "could not be reached (ConnectError)" in parked.problems[0].message
    path = saved(parked, tmp_path)
    assert main(["evaluate", str(path), "--quiet"], environ_for(url)) == ExitCode.PARKED
    again = loaded(path)
    assert again.status == "parked"
    assert len(again.problems) == 1  # the reason stands there once, however often it is replayed
    assert main(["evaluate", str(path), "--quiet"], {}) == ExitCode.DONE
    assert loaded(path).evaluation == evaluate(CASE, load_settings({})).evaluation
    kept = path.read_bytes()  # what it answered once is not lost because it is away now
    assert main(["evaluate", str(path), "--quiet"], environ_for(url)) == ExitCode.PARKED
    assert path.read_bytes() == kept
    asked = tmp_path / "asked.json"
    assert main(["evaluate", str(path), "--output", str(asked)], environ_for(url)) == ExitCode.PARKED
    assert loaded(asked).evaluation is None


@pytest.mark.parametrize("fault", ["is slow", "trickles"])
def test_the_timeout_holds_for_the_whole_answer(fault: str) -> None:
    with faulty_evaluator(fault) as evaluator:
        started = time.monotonic()
        with pytest.raises(EvaluatorError, match="ReadTimeout"):
            ask(CASE, settings_for(evaluator.url))
        assert time.monotonic() - started < 2


def test_the_message_tells_how_often_it_was_asked() -> None:
    with faulty_evaluator(*["status 500"] * 3) as evaluator:
        settings = settings_for(evaluator.url, evaluator_retries=1)
        parked = evaluate(CASE, settings)
        assert parked.problems[0].message.endswith("It was asked 2 times.")
        assert "times" not in evaluate(CASE, replace(settings, evaluator_retries=0)).problems[0].message


# ---------------------------------------------------------------------- many cases, many faults


def test_nothing_is_lost_and_nothing_done_twice_whatever_happens(tmp_path: Path) -> None:
    """Thirty cases, every second request a fault, replayed until none is parked."""
    chance = random.Random(6)
    quick = [fault for fault in [*PASSING, *NONSENSE] if fault not in ("is slow", "trickles")]
    faults = [chance.choice([*quick, *["none"] * len(quick)]) for _ in range(60)]
    cases = [
        replace(case_of(f"tumor_site={site}"), case_id=f"case-{number}")
        for number, site in enumerate(["kidney", "breast", "skin"] * 10)
    ]
    with faulty_evaluator(*faults) as evaluator:
        paths = []
        for case in cases:
            (tmp_path / case.case_id).mkdir()
            paths.append(saved(evaluate(case, settings_for(evaluator.url)), tmp_path / case.case_id))
        assert any(loaded(path).status == "parked" for path in paths)
        for _ in range(20):
            waiting = [path for path in paths if loaded(path).status == "parked"]
            for path in waiting:
                main(["evaluate", str(path), "--quiet"], environ_for(evaluator.url))
        for path, case in zip(paths, cases, strict=True):
            assert loaded(path) == evaluate(case, load_settings({}))
        assert evaluator.effects == {case.case_id: 1 for case in cases}


# ---------------------------------------------------------------------- replaying


def test_a_partial_case_is_partial_again() -> None:
    problem = Problem("a.pdf", 2, "crashed", "Reading it failed.")
    announced = Problem("a.pdf", 1, "missing_page", "page 2 of 2 of this document was not received")
    for problems, status in (((problem,), "partial"), ((announced,), "complete"), ((), "complete")):
        case = replace(CASE, status=status, problems=problems)
        down = evaluate(case, settings_for(f"http://127.0.0.1:{closed_port()}"))
        assert down.status == "parked"
        assert reopened(down) == case
        assert reopened(case) is case


def test_a_case_parked_for_another_reason_is_not_evaluated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(
        replace(CASE, status="parked", problems=(Problem("a.pdf", None, "encrypted", "It is locked."),)),
        tmp_path,
    )
    before = path.read_bytes()
    assert main(["evaluate", str(path)], {}) == ExitCode.USAGE
    assert "It is locked." in capsys.readouterr().err
    assert path.read_bytes() == before


# ---------------------------------------------------------------------- circuit


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_circuit_opens_after_failures_in_a_row_and_lets_one_try_after_a_while() -> None:
    clock = Clock()
    circuit = Circuit(3, 30, clock=clock)
    for _ in range(2):
        assert circuit.wait_s() == 0
        circuit.failed()
    circuit.succeeded()
    for _ in range(3):
        assert circuit.wait_s() == 0
        circuit.failed()
    assert circuit.wait_s() == 30
    clock.now = 29
    assert circuit.wait_s() == 1
    clock.now = 30
    assert circuit.wait_s() == 0  # this one tries
    assert circuit.wait_s() == 30  # the others wait for it
    circuit.failed()
    assert circuit.wait_s() == 30
    clock.now = 60
    assert circuit.wait_s() == 0
    circuit.succeeded()
    assert circuit.wait_s() == 0


def test_a_circuit_of_no_failures_never_opens() -> None:
    circuit = Circuit(0, 30)
    for _ in range(100):
        circuit.failed()
    assert circuit.wait_s() == 0


def asked(evaluator: FaultyEvaluator, circuit: Circuit) -> str:
    settings = settings_for(evaluator.url, evaluator_retries=1)
    try:
        return ask(CASE, settings, sleep=lambda pause: None, circuit=circuit).outcome
    except EvaluatorError as error:
        return str(error) if error.retryable else "not retryable"


def test_an_evaluator_that_fails_is_left_alone_for_a_while() -> None:
    clock = Clock()
    circuit = Circuit(3, 30, clock=clock)
    with faulty_evaluator(*["status 503"] * 4) as evaluator:
        assert "status 503" in asked(evaluator, circuit)
        assert "not asked" in asked(evaluator, circuit)  # the third failure opens, no second try
        assert len(evaluator.requests) == 3
        assert "another 30 s" in asked(evaluator, circuit)
        assert len(evaluator.requests) == 3
        clock.now = 31
        assert "not asked" in asked(evaluator, circuit)  # the fourth: open again
        assert len(evaluator.requests) == 4
        clock.now = 62
        assert asked(evaluator, circuit) == "meets"
        assert asked(evaluator, circuit) == "meets"


def test_a_refusal_is_no_failure_of_the_evaluator() -> None:
    circuit = Circuit(2, 30)
    with faulty_evaluator(*["status 400"] * 5) as evaluator:
        for _ in range(5):
            with pytest.raises(EvaluatorError, match="400"):
                ask(CASE, settings_for(evaluator.url), circuit=circuit)


def test_cases_of_one_process_share_the_circuit_of_an_evaluator() -> None:
    with faulty_evaluator(*["status 500"] * 9) as evaluator:
        settings = settings_for(evaluator.url, evaluator_circuit_failures=2, evaluator_circuit_s=60.0)
        messages = [evaluate(CASE, settings).problems[0].message for _ in range(5)]
        assert ["not asked" in message for message in messages] == [False, False, True, True, True]
        assert len(evaluator.requests) == 2
