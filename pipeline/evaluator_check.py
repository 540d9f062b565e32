"""The contract-test kit: does an evaluator behind HTTP keep the contract?

It is sent invented cases and judged by what the contract says of any policy: answers are evaluations,
the same request gets the same answer, unknown stays unknown, what cannot be read is refused without
being quoted. Which outcome a policy should give, it cannot know.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import httpx
from pydantic import ValidationError

from pipeline.case_json import evaluation_from_json, evaluation_to_json, problems
from pipeline.catalog.policies import Policy
from pipeline.domain import (
    Alternative,
    Case,
    CaseDocument,
    Completeness,
    Element,
    Evaluation,
    Evidence,
    Field,
    IdentityConflict,
    Met,
    Requirement,
    Status,
)
from pipeline.evaluator_client import contradiction, idempotency_key, request_body

CANARY = "Quillfeather"
_SETTLED = {"meets", "investigational"}
_MANY = 20
_SLOW_S = 1.0
_LARGE = 2_000_000  # characters of text; a packet of a few hundred pages


class _Broken(Exception):
    """A promise of the contract that was not kept, in words for the evaluator's owner."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, and how it was broken; `broken` is empty where it was kept."""

    title: str
    broken: str


def check_evaluator(client: httpx.Client, url: str, policy: Policy) -> Iterator[Check]:
    """Every check in turn; only the first where nobody listens. `client` has the token and the
    certificates; `policy` is what cases name."""
    kit = _Kit(client, f"{url.rstrip('/')}/evaluate", policy)
    for title, run in kit.checks().items():
        try:
            run()
        except _Broken as broken:
            yield Check(title, str(broken))
        except httpx.ConnectError:
            yield Check(
                title, "it cannot be reached: is it running at this address, and are the certificates right?"
            )
            return
        except httpx.HTTPError as error:
            yield Check(title, f"no answer ({type(error).__name__})")
        else:
            yield Check(title, "")


class _Kit:
    """The checks, and the requests that they make."""

    def __init__(self, client: httpx.Client, url: str, policy: Policy) -> None:
        self._client = client
        self._url = url
        self._policy = policy

    def checks(self) -> Mapping[str, Callable[[], None]]:
        return {
            "a case is answered with an evaluation": self._answers,
            "every invented case is, and no evaluation contradicts itself": self._answers_each,
            "the same request again gets the same answer": self._repeats,
            "so it does when it comes several times at once": self._repeats_at_once,
            "another case with the same findings gets the same evaluation": self._is_deterministic,
            "other pages and quotes change nothing": self._ignores_evidence,
            "where nothing is documented, no criterion is met and the outcome is open": self._keeps_silence,
            "not found and uncertain are the same as not said": self._keeps_not_found,
            "where the records disagree and it matters, the outcome is open": self._keeps_conflicts,
            "without the required documents the outcome is open": self._asks_for_documents,
            "a criterion that is unknown or met says what it turns on": self._gives_reasons,
            "what is no JSON is refused (4xx)": self._refuses_no_json,
            "what is no case is refused (4xx)": self._refuses_no_case,
            "a policy that it does not have is refused (4xx)": self._refuses_policy,
            "a refusal says why and quotes nothing of the case": self._refuses_politely,
            "another method is refused (4xx)": self._refuses_method,
            "a request without the token is refused": self._refuses_strangers,
            "a case of two million characters is taken": self._takes_large,
            f"a case is answered within {_SLOW_S:g} s (median of {_MANY})": self._is_quick,
        }

    # ------------------------------------------------------------------ answers

    def _answers(self) -> None:
        self._evaluation(self._case(tumor_site="kidney"))

    def _answers_each(self) -> None:
        for case in self._cases():
            if why := contradiction(self._evaluation(case)):
                raise _Broken(why)

    def _repeats(self) -> None:
        for case in self._cases():
            if self._evaluation(case) != self._evaluation(case):
                raise _Broken("two answers differ")

    def _repeats_at_once(self) -> None:
        case = self._case(tumor_site="kidney", behavior="malignant", stage_group="IB")
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(self._evaluation, [case] * 8))
        if any(answer != answers[0] for answer in answers):
            raise _Broken("answers differ")

    def _is_deterministic(self) -> None:
        for case in self._cases():
            if self._evaluation(case) != self._evaluation(replace(case, case_id=f"{case.case_id}-again")):
                raise _Broken("two evaluations differ")

    def _ignores_evidence(self) -> None:
        for case in self._cases():
            moved = {name: _moved(field) for name, field in case.findings.items()}
            if self._evaluation(case) != self._evaluation(replace(case, findings=moved)):
                raise _Broken("two evaluations differ")

    # ------------------------------------------------------------------ three values

    def _keeps_silence(self) -> None:
        evaluation = self._evaluation(self._case(procedure=None))
        _open(evaluation)
        met = [result.id for result in evaluation.criteria if result.result == "met"]
        if met:
            raise _Broken(f"met out of nothing: {', '.join(met)}")

    def _keeps_not_found(self) -> None:
        said = self._case(tumor_site="kidney")
        names = ("behavior", "origin", "stage_group", "intent")
        for status in (Status.NOT_FOUND, Status.UNCERTAIN):
            silent = {name: Field(status=status) for name in names}
            if self._evaluation(said) != self._evaluation(
                replace(said, findings={**said.findings, **silent})
            ):
                raise _Broken(f"a finding that is {status.value} changes the evaluation")

    def _keeps_conflicts(self) -> None:
        for name, one, other in (("tumor_site", "kidney", "breast"), ("behavior", "malignant", "benign")):
            rest = {} if name == "tumor_site" else {"tumor_site": "skin"}
            first = self._evaluation(self._case(**rest, **{name: one}))
            second = self._evaluation(self._case(**rest, **{name: other}))
            if first.outcome != second.outcome:
                _open(self._evaluation(self._case(**rest, **{name: f"{one}|{other}"})))

    def _asks_for_documents(self) -> None:
        if not self._policy.required_documents:
            return
        case = self._case(tumor_site="kidney")
        names = [document.name for document in self._policy.required_documents]
        none = Completeness({name: Requirement("missing") for name in names}, IdentityConflict(False))
        evaluation = self._evaluation(replace(case, completeness=none))
        _open(evaluation)
        if evaluation.outcome == "needs_information" and not evaluation.missing:
            raise _Broken("nothing is listed under missing")

    def _gives_reasons(self) -> None:
        for case in self._cases():
            for result in self._evaluation(case).criteria:
                if result.result == "unknown" and not (result.would_settle or result.because):
                    raise _Broken(f"{result.id} is unknown without would_settle or because")
                if result.result == "met" and case.findings and not result.because:
                    raise _Broken(f"{result.id} is met without because")

    # ------------------------------------------------------------------ refusals

    def _refuses_no_json(self) -> None:
        for body in (b"", b"not json", b'{"case_id": "kit-1"', b"\xff\xfe"):
            self._refused(body)

    def _refuses_no_case(self) -> None:
        for body in self._spoilt():
            self._refused(body)

    def _refuses_policy(self) -> None:
        data = self._data()
        data["policy"] = {"id": "no-such-policy", "version": "1900-01-01"}
        self._refused(_dumped(data))

    def _refuses_politely(self) -> None:
        for body in self._spoilt():
            response = self._refused(body)
            if CANARY.casefold() in response.text.casefold():
                raise _Broken("the answer quotes a value of the case")
            if not response.text.strip():
                raise _Broken(f"status {response.status_code} with an empty answer")

    def _refuses_method(self) -> None:
        status = self._client.get(self._url).status_code
        if not 400 <= status < 500:
            raise _Broken(f"GET is answered with status {status}")

    def _refuses_strangers(self) -> None:
        if "Authorization" not in self._client.headers:
            return
        for given in ("", "Bearer wrong"):
            response = self._post(request_body(self._case(tumor_site="kidney")), {"Authorization": given})
            if response.status_code not in (401, 403):
                raise _Broken(f"status {response.status_code} instead of 401 or 403")

    # ------------------------------------------------------------------ size and time

    def _takes_large(self) -> None:
        case = self._case(tumor_site="kidney")
        document = CaseDocument(
            "d1", "packet.pdf", "letter", None, "Letter", 1, 400, 1.0, text="ward round " * (_LARGE // 11)
        )
        self._evaluation(replace(case, documents=(document,)))

    def _is_quick(self) -> None:
        times = []
        for number in range(_MANY):
            case = replace(self._case(tumor_site="kidney"), case_id=f"kit-quick-{number}")
            started = time.perf_counter()
            self._evaluation(case)
            times.append(time.perf_counter() - started)
        if statistics.median(times) > _SLOW_S:
            raise _Broken(f"{statistics.median(times):.1f} s")

    # ------------------------------------------------------------------ requests

    def _evaluation(self, case: Case) -> Evaluation:
        response = self._post(request_body(case))
        if response.status_code != httpx.codes.OK:
            raise _Broken(f"status {response.status_code}")
        try:
            evaluation = evaluation_from_json(response.content)
        except ValidationError as error:
            raise _Broken(f"no evaluation: {problems(error)}") from None
        missing = evaluation_to_json(evaluation).keys() - _keys(response) - {"needs_person"}
        if missing:
            raise _Broken(f"no {', '.join(sorted(missing))} in the evaluation")
        return evaluation

    def _refused(self, body: bytes) -> httpx.Response:
        response = self._post(body)
        if not 400 <= response.status_code < 500:
            raise _Broken(f"status {response.status_code}")
        return response

    def _post(self, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        key = idempotency_key(_case_id(body), body)
        own = {"Content-Type": "application/json", "Idempotency-Key": key}
        return self._client.post(self._url, content=body, headers={**own, **(headers or {})})

    # ------------------------------------------------------------------ invented cases

    def _cases(self) -> list[Case]:
        return [
            self._case(procedure=None),
            self._case(tumor_site="kidney", behavior="benign"),
            self._case(tumor_site="skin"),
            self._case(tumor_site="liver"),
            self._case(procedure="radiofrequency_ablation", tumor_site="bone", origin="metastatic"),
            self._case(tumor_site="lung", lung_type="nsclc", stage_group="IB|IIIA", intent="curative"),
            self._case(tumor_site="lung", lung_type="nsclc", t="T1A", n="N0", m="M0"),
        ]

    def _case(self, *, procedure: str | None = "cryoablation", **findings: str) -> Case:
        """A case in which the required documents are there and these findings are documented."""
        told = {**({"procedure": procedure} if procedure else {}), **findings}
        return Case(
            case_id="kit-1",
            status="complete",
            problems=(),
            policy=self._policy.ref,
            files=(),
            findings={name: _field(value) for name, value in told.items()},
            completeness=Completeness(
                {
                    document.name: Requirement(
                        "present", {name: Element(Met.MET) for name in document.elements}, "d1"
                    )
                    for document in self._policy.required_documents
                },
                IdentityConflict(False),
            ),
        )

    def _data(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(request_body(self._case(tumor_site="kidney")))
        return data

    def _spoilt(self) -> Iterator[bytes]:
        """Cases that the contract does not allow, each with a word that no refusal may repeat."""
        yield _dumped([CANARY])
        yield _dumped({"case_id": CANARY})
        for key, value in (
            ("schema_version", CANARY),
            ("status", CANARY),
            ("findings", CANARY),
            ("findings", {"tumor_site": {"value": CANARY, "status": CANARY}}),
            ("findings", {"tumor_site": {"value": CANARY, "status": "not_found"}}),
            ("completeness", {"history_and_physical": {"status": CANARY}}),
        ):
            yield _dumped({**self._data(), key: value})


def _open(evaluation: Evaluation) -> None:
    if evaluation.outcome in _SETTLED:
        raise _Broken(f"the outcome is {evaluation.outcome}")


def _field(text: str) -> Field:
    value, *others = text.split("|")
    return Field(
        value,
        Status.CONFLICTING if others else Status.FOUND,
        confidence=0.95,
        evidence=(_evidence(1),),
        alternatives=tuple(Alternative(other, "conflicting", (_evidence(2),)) for other in others),
    )


def _moved(field: Field) -> Field:
    return replace(field, evidence=(_evidence(7),) if field.evidence else ())


def _evidence(page: int) -> Evidence:
    return Evidence("packet.pdf", page, "d1", page, page + 5, "words")


def _dumped(data: Any) -> bytes:
    return json.dumps(data, sort_keys=True).encode()


def _case_id(body: bytes) -> str:
    try:
        return str(json.loads(body)["case_id"])
    except (ValueError, TypeError, KeyError):
        return "kit-1"


def _keys(response: httpx.Response) -> set[str]:
    answer = response.json()
    return set(answer) if isinstance(answer, dict) else set()
