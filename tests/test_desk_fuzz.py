"""A short run of `tests/fuzz_api.py`: odd requests to every operation, and no error of the server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from desks import open_desk, served
from fuzz_api import POOR, fuzz, open_settings


@pytest.mark.filterwarnings("ignore::DeprecationWarning:schemathesis")
def test_no_request_ends_in_an_error_of_the_server(tmp_path: Path) -> None:
    with open_desk(tmp_path, POOR) as desk:
        here = replace(desk, settings=open_settings(desk.settings, tmp_path))
        with served(here) as url:
            came = fuzz(desk, url, examples=4, seed=1)
    assert {"200", "403", "404", "422"} <= set(came)
    assert not {status for status in came if status.startswith("5")}
