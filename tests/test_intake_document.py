"""The intake server held to its own documents: its interface's description, its guide, its log."""

from __future__ import annotations

import json
import os
import re
import shutil
import string
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fax_provider import SECRET, Provider, fax_provider, file, notice, settings_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from intakes import PDF, Intake, open_intake
from pas_bundles import changed, pas_bundle
from schemathesis.checks import not_a_server_error
from test_intake_fax import until_fetched
from test_privacy import CANARIES, forms, leaks

from pipeline import ledger as led
from pipeline.logs import configure_logging

GUIDE = Path(__file__).parent.parent / "docs" / "intake-api.md"
_BLOCK = re.compile(r"^```(bash|json)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_TIMES = int(os.environ.get("TRIAGE_TEST_FUZZ", "1"))  # `make fuzz-intake` tries more
_FEW = settings(max_examples=10 * _TIMES, suppress_health_check=list(HealthCheck), deadline=None)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with fax_provider() as running:
        yield running


@pytest.fixture(scope="module")
def intake(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    home = tmp_path_factory.mktemp("document")
    more = settings_for(provider.models(home)) | {"intake_requests_a_minute": "100000"}
    with open_intake(home, **more) as opened:
        yield opened


# --------------------------------------------------------------------------- nothing makes it fail


def test_no_request_that_the_description_allows_is_a_bug(intake: Intake) -> None:
    """Each operation with what its description allows; answers are of those that it names."""
    schema = schemathesis.openapi.from_url(f"{intake.url}/v1/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 8
    for operation in operations:

        @_FEW
        @given(case=operation.as_strategy())
        def run(case: Any) -> None:
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {intake.tokens['portal']}"}
            response = case.call()
            case.validate_response(response, checks=[not_a_server_error])
            told = case.operation.definition.raw["responses"]
            assert str(response.status_code) in told or response.status_code in (405, 413, 415), case.path

        run()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _places(value: Any, path: str = "") -> Iterator[str]:
    """The path of everything inside a bundle."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield f"{path}{key}"
        if isinstance(inner, dict | list):
            yield from _places(inner, f"{path}{key}.")


@settings(max_examples=40 * _TIMES, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_a_bundle_with_anything_anywhere_is_no_bug(intake: Intake, data: st.DataObject) -> None:
    """One element of a whole request, any of them, becomes something else."""
    bundle = pas_bundle(PDF)
    path = data.draw(st.sampled_from([path for path in _places(bundle) if "." in path]))
    for operation in ("$submit", "$inquire"):
        body = json.dumps(changed(bundle, path, data.draw(_JSON)), ensure_ascii=True)
        headers = {"Content-Type": "application/fhir+json"}
        answer = intake.client().post(f"/fhir/Claim/{operation}", content=body, headers=headers)
        assert answer.status_code in (200, 400, 404, 409, 422), (path, answer.text)


# --------------------------------------------------------------------------- the guide's own commands


def test_the_guide_s_commands_do_what_it_says(intake: Intake, provider: Provider, tmp_path: Path) -> None:
    """Its blocks, one after the other, as a person would run them; answers have the fields that it shows."""
    if not (shutil.which("curl") and shutil.which("openssl") and shutil.which("bash")):
        pytest.skip("the guide's commands need bash, curl and openssl")
    for number, name in enumerate(("request-form.pdf", "history-and-physical.pdf", "scan.pdf")):
        (tmp_path / name).write_bytes(PDF + bytes([number]))
    (tmp_path / "pas-request.json").write_text(json.dumps(pas_bundle(PDF)), encoding="utf-8")
    provider.gives("/F-20261129-0042", file(PDF + b"of the guide"))
    environ = {
        **os.environ,
        "INTAKE": intake.url,
        "TOKEN": intake.tokens["portal"],
        "SECRET": SECRET,
        "MEDIA": provider.url(""),
    }
    answers: list[dict[str, Any]] = []
    for kind, block in _BLOCK.findall(GUIDE.read_text(encoding="utf-8")):
        if kind == "json":
            assert answers[-1].keys() == json.loads(block).keys()
            continue
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=tmp_path,
            env=environ | {"ID": answers[0]["id"] if answers else ""},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, (block, done.stdout, done.stderr)
        answers.append(json.loads(done.stdout))
    assert [answer.get("state", answer.get("type")) for answer in answers] == [
        "received", "received", "received", None, "collection", "collection"
    ]  # fmt: skip
    assert until_fetched(intake.ledger, answers[3]["id"]).reference == "F-20261129-0042"


def test_the_guide_names_every_refusal() -> None:
    """Each code that a refusal has stands in the table or the text."""
    sources = (Path(__file__).parent.parent / "pipeline" / "intake_server").glob("*.py")
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    told = GUIDE.read_text(encoding="utf-8")
    statuses = set(re.findall(r"Refused\(\s*(\d{3}),", text)) | set(re.findall(r"_later\((\d{3}),", text))
    assert {"401", "409", "413", "507"} <= statuses
    assert {status for status in statuses if status not in told} == set()


# --------------------------------------------------------------------------- the log


def test_no_word_of_a_patient_is_logged(
    intake: Intake, provider: Provider, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever a sender puts anywhere, said at the most talkative, nothing of it reaches the console or a
    file that is not sealed."""
    configure_logging(level="DEBUG")
    word, *_ = CANARIES
    name = "".join(letter for letter in word if letter in string.ascii_letters)
    client = intake.client()
    content = PDF + word.encode()
    client.post(
        "/v1/submissions", files={"file": (f"{word}.pdf", content)}, headers={"Idempotency-Key": name}
    )
    client.post("/v1/submissions", files={"file": ("a", content)}, data={word: word, "expedited": word})
    client.post(f"/v1/submissions?expedited={word}&{name}=1", content=content)
    client.get(f"/v1/submissions/{word}")
    client.get(f"/{word}")
    client.post(f"/v1/fax/{name}", content=content)
    body = pas_bundle(content, claim_id=word, patient={"name": [{"family": word}]})
    headers = {"Content-Type": "application/fhir+json"}
    told = []
    for bundle in (body, changed(body, "entry.1.resource." + word, word), {word: word}):
        sent = json.dumps(bundle)
        told.append(client.post("/fhir/Claim/$submit", content=sent, headers=headers))
        told.append(client.post("/fhir/Claim/$inquire", content=sent, headers=headers))
    assert [answer.status_code for answer in told] == [200, 200, 422, 200, 422, 422]
    fax = provider.gives(f"/{name}", file(content))
    body_of_it, signed = notice(word, fax)
    noted = client.post("/v1/fax/example", content=body_of_it, headers=signed)
    until_fetched(intake.ledger, noted.json()["id"])
    written = capfd.readouterr()
    lines = written.out + written.err
    assert "POST /v1/submissions: 201" in lines
    assert leaks(lines.encode()) == set()
    kept = b"".join(path.read_bytes() for path in intake.settings.home.rglob("*") if _is_kept(path))
    assert len(kept) > 10_000
    found = {form for form, written in forms(word).items() if written in kept}
    assert found == set()
    assert led.balance(intake.ledger).holds


def _is_kept(path: Path) -> bool:
    return path.is_file() and "models" not in path.parts
