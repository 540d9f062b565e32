"""Whatever the document of the interface allows, and what it does not, put to every operation: none is
answered with an error of the server, and every answer is one that the document names, in the shape it says.

    python -m tests.fuzz_api [--examples 300] [--seed 0]        (make fuzz-api)

`tests/test_desk_fuzz.py` runs it shortly. The generator is schemathesis.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import hypothesis
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

sys.path.insert(0, str(Path(__file__).parent))

from desks import LETTER, USERS, TestDesk, open_desk, served

from pipeline.errors import UsageError
from pipeline.review import accounts, sessions
from pipeline.review.casefile import open_case
from pipeline.review.worklist import assigned_to
from pipeline.settings import Settings

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
POOR = LETTER.replace("cT2a N0 M0", "stage to be determined").replace("curative intent", "discussed")


def open_settings(settings: Settings, home: Path) -> Settings:
    """With which requests and webhooks can be made, too."""
    return replace(settings, request_folder=str(home / "out"), webhook_hosts="a.example")


def fuzz(desk: TestDesk, url: str, *, examples: int, seed: int) -> Counter[str]:
    """Try every operation so often as every role; how many answers of each status came. Raises what a check
    finds."""
    document = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
    ids = [desk.submission_id, *_others(desk)]
    came: Counter[str] = Counter()
    for found in document.get_all_operations():
        _operation(found.ok(), desk, ids, came, examples=examples, seed=seed)
    return came


def _operation(
    operation: Any, desk: TestDesk, ids: list[str], came: Counter[str], *, examples: int, seed: int
) -> None:
    draw = random.Random(seed)
    tokens = {name: _token(desk, name) for name in USERS}
    right, wrong = (operation.as_strategy(generation_mode=mode) for mode in GenerationMode)

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )
    @hypothesis.given(case=right | wrong)
    def one(case: Any) -> None:
        if "id" in case.path_parameters and draw.random() < 0.7:  # else hardly any would be known
            case.path_parameters["id"] = draw.choice(ids)
        if draw.random() < 0.5 and (tag := _tag(desk, operation.path, case.path_parameters)) is not None:
            case.headers["If-Match"] = tag
        name = draw.choice(list(USERS))
        if operation.path.endswith("/sessions/{id}"):
            tokens[name] = _token(desk, name)
        answer = case.call(headers={"Authorization": f"Bearer {tokens[name]}"})
        came[str(answer.status_code)] += 1
        case.validate_response(answer, checks=_CHECKS)

    one()


def _tag(desk: TestDesk, path: str, parameters: Mapping[str, Any]) -> str | None:
    """What a change of this case must name, where one may name anything."""
    if "correct" not in path and "assignment" not in path:
        return None
    try:
        file = open_case(desk.ledger, parameters["id"])
    except UsageError:
        return None
    assigned = assigned_to(desk.ledger, parameters["id"]) or ""
    return f'"{file.version if file and "correct" in path else assigned}"'


def _others(desk: TestDesk) -> list[str]:
    from pipeline.ledger import items

    return [one.id for one in items(desk.ledger) if one.id != desk.submission_id]


def _token(desk: TestDesk, name: str) -> str:
    user = accounts.user(desk.ledger, name)
    assert user is not None
    return sessions.begin(desk.ledger, user, program=True)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--examples", type=int, default=300)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    with (
        tempfile.TemporaryDirectory() as home,
        patch("pipeline.review.api.asking.REQUESTS_A_MINUTE", 10**9),
        open_desk(Path(home), POOR, LETTER) as desk,
        served(replace(desk, settings=open_settings(desk.settings, Path(home)))) as url,
    ):
        came = fuzz(desk, url, examples=chosen.examples, seed=chosen.seed)
    told = ", ".join(f"{status}: {count}" for status, count in sorted(came.items()))
    sys.stdout.write(f"{came.total()} requests, seed {chosen.seed}: {told}\n")


if __name__ == "__main__":
    main()
