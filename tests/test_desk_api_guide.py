"""What docs/desk-api.md shows works as it stands there."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from desks import LETTER, open_desk, served

from pipeline.delivery.webhook import sign
from pipeline.ledger.telling import Told
from pipeline.review import accounts, sessions
from pipeline.review.casefile import open_case
from pipeline.review.problems import SAID
from pipeline.settings import Settings

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "docs" / "desk-api.md").read_text("utf-8")
CLIENT, CHECK = re.findall(r"```python\n(.*?)```", GUIDE, re.S)


def test_the_client_example_runs(tmp_path: Path) -> None:
    with open_desk(tmp_path, LETTER) as desk, served(desk) as url:
        user = accounts.user(desk.ledger, "nora")
        assert user is not None
        token = sessions.begin(desk.ledger, user, program=True)
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "DESK_URL": url, "DESK_TOKEN": token}
        for reviewed, corrected in (("", []), (desk.submission_id, ["findings.intent"])):
            done = subprocess.run(
                [sys.executable, "-c", CLIENT],
                env=environ | {"REVIEWED": reviewed},
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.startswith("curative ")
            file = open_case(desk.ledger, desk.submission_id)
            assert file is not None
            assert [one.subject for one in file.corrections] == corrected


def test_the_check_of_a_webhook_tells_ours_from_others() -> None:
    there: dict[str, Any] = {}
    exec(CHECK, there)
    is_ours = there["is_ours"]
    body, nonce, now = b'{"kind":"case.done"}', secrets.token_hex(16), str(int(time.time()))

    def headers(timestamp: str = now, nonce: str = nonce, secret: str = "s" * 43) -> dict[str, str]:
        signed = sign(secret, timestamp, nonce, body)
        return {"Triage-Timestamp": timestamp, "Triage-Nonce": nonce, "Triage-Signature": signed}

    seen: set[str] = set()
    assert is_ours("s" * 43, headers(), body, seen)
    assert not is_ours("s" * 43, headers(), body, seen)  # again
    assert not is_ours("s" * 43, headers(), body + b" ", set())
    assert not is_ours("t" * 43, headers(), body, set())
    assert not is_ours("s" * 43, headers(timestamp=str(int(time.time()) - 301)), body, set())
    assert not is_ours("s" * 43, {}, body, set())


def test_the_guide_names_what_there_is() -> None:
    for kind in Told:
        assert f"`{kind}`" in GUIDE
    for name in re.findall(r"TRIAGE_([A-Z_]+)", GUIDE):
        assert name.lower() in Settings.__dataclass_fields__
    named = {int(status) for status in re.findall(r"\b(4\d\d|503)\b", GUIDE)}
    assert named - {410} <= set(SAID)


@pytest.mark.parametrize("path", re.findall(r"`(tests/\w+\.py)`", GUIDE))
def test_the_tests_that_it_names_are_there(path: str) -> None:
    assert (ROOT / path).is_file()
