"""Whatever a packet, a reviewer or a provider's name says, no page of the desk takes it for markup."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import browser
import pytest
from browser import Browser
from desks import LETTER, PASSWORD, TestDesk, open_desk, served
from test_desk import correct, csrf_of
from test_desk_browser import complaints, wait_for

from pipeline.correspondence import requests_of
from pipeline.review.casefile import open_case

pytestmark = pytest.mark.skipif(browser.executable() is None, reason=browser.HOW_TO_GET)

MARKUP = "<svg onload=pwned=1><script>pwned=1</script>"
PACKET = (
    LETTER.replace("Alma", "Alma <svg onload=pwned=1>")
    .replace("SAMPLE VALLEY UROLOGY", f"SAMPLE VALLEY {MARKUP}")
    .replace("Adenocarcinoma", "<img src=x onerror=pwned=1> Adenocarcinoma")
    .replace("cT2a N0 M0", "stage to be determined <script>pwned=1</script>")
)
PAGES = {
    "": ("/login", f"/login?said={quote(MARKUP)}"),
    "nora": (
        "/",
        f"/?find={quote(MARKUP)}&reference={quote(MARKUP)}",
        "/cases/{id}",
        "/cases/{id}/history",
        "/cases/{id}/request",
        "/cases/{id}/requests/{reference}",
        "/cases/{id}/documents/0/1",
        f"/cases/{quote(MARKUP)}",
        f"/{quote(MARKUP)}",
    ),
    "ida": ("/cases/{id}", "/cases/{id}/history"),
    "otto": ("/audit", f"/audit?case={quote(MARKUP)}", "/cases/{id}"),
    "ada": ("/users",),
}
TAKEN_FOR_MARKUP = "document.querySelectorAll('svg[onload], img[onerror], script:not([src])').length"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDesk]:
    """A packet that says it everywhere, a reviewer who gives it as a reason, a provider of that name."""
    home = tmp_path_factory.mktemp("desk")
    with open_desk(home, PACKET) as desk:
        desk.settings = dataclasses.replace(desk.settings, request_folder=str(home / "requests"))
        nora = desk.client("nora")
        form = {"kind": "reject", "subject": "findings.laterality", "why": MARKUP}
        assert correct(nora, desk, **form).status_code == 303
        file = open_case(desk.ledger, desk.submission_id)
        assert file is not None
        sent = nora.post(
            f"/cases/{desk.submission_id}/request",
            data={
                "csrf": csrf_of(nora),
                "version": file.version,
                "channel": "folder",
                "provider": MARKUP,
                "address": f"5 {MARKUP} Road",
            },
        )
        assert sent.status_code == 303, sent.text
        yield desk


def test_no_page_takes_what_it_shows_for_markup(hostile: TestDesk, tmp_path: Path) -> None:
    (request,) = requests_of(hostile.ledger, submission_id=hostile.submission_id)
    ids = {"id": hostile.submission_id, "reference": request.reference}
    shown = set()
    with served(hostile) as url, Browser(tmp_path / "profile") as window:
        for who, paths in PAGES.items():
            if who:
                window.open(f"{url}/login")
                window.evaluate(f"document.getElementById('name').value = {who!r}")
                window.evaluate(f"document.getElementById('password').value = {PASSWORD!r}")
                window.follow("form.stack button")
                wait_for(window, "location.pathname === '/' && document.querySelector('.who span') !== null")
            for path in paths:
                window.open(f"{url}{path.format(**ids)}")
                window.settle()
                assert window.evaluate(TAKEN_FOR_MARKUP) == 0, path
                assert window.evaluate("typeof pwned") == "undefined", path
                assert "went wrong" not in window.evaluate("document.body.innerText"), path
                if "=pwned" in window.evaluate("document.documentElement.textContent"):
                    shown.add((who, path))
                # A refusal is told as one of the network; the content security policy's are not.
                assert [one for one in complaints(window) if "'source': 'network'" not in str(one)] == [], (
                    path
                )
    # It is there to be seen, as text.
    assert ("nora", "/cases/{id}") in shown, shown
